package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// FirstLook is how long after it was delivered by a provider a payout is looked
// at again for the first time.
const FirstLook = 24 * time.Hour

// Watch finds the paid payouts that are to be looked at again, because what was
// delivered can come back. A payout that a provider delivered is due after
// FirstLook; one that a person paid by hand never is.
type Watch interface {
	// DueLooks returns paid payouts whose next look is due at now, the longest
	// overdue first, at most n.
	DueLooks(ctx context.Context, now time.Time, n int) ([]Payout, error)
	// NextLook sets when a paid payout is looked at again; the zero time ends
	// its watch. For a payout that is not paid it changes nothing.
	NextLook(ctx context.Context, id reward.ID, at time.Time) error
	// PayoutByKey returns the payout that has, or had in an earlier generation,
	// this idempotency key; fault.NotFound when there is none.
	PayoutByKey(ctx context.Context, key string) (Payout, error)
}
