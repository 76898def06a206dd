package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Past is what left for one promoter before, by the ledger alone. It counts as
// the caps do: every payout that was claimed and was not refused, because what
// may be paid counts as paid.
type Past struct {
	// Payouts counts all of them, ever.
	Payouts int
	// Providers are those that paid, or may have paid, to the same cust_id and
	// email address before.
	Providers []string
	// Today sums the UTC day so far, and Month that and the 30 UTC days before
	// it, by unit; cash under its currency.
	Today, Month map[string]Spent
}

// Spent is how much of one unit left, in how many payouts. Amounts of cash are
// minor units.
type Spent struct {
	Payouts int
	Amount  int64
}

// PastQuery asks what left for a promoter before.
type PastQuery struct {
	// Reward is whose promoter is meant; it is left out itself.
	Reward reward.Reward
	// Also is how else the ledger may hold the promoter's cust_id and email
	// address; an adapter that encrypts them fills it in. Nil is in no other way.
	Also *reward.Promoter
	Now  time.Time
}

// History tells what the policy may look at.
type History interface {
	// Past returns what left for a promoter before.
	Past(ctx context.Context, q PastQuery) (Past, error)
}
