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
	// Today sums the UTC day so far, and Month the 30 days before now, by unit;
	// cash under its currency.
	Today, Month map[string]Spent
}

// Spent is how much of one unit left, in how many payouts. Amounts of cash are
// minor units.
type Spent struct {
	Payouts int
	Amount  int64
}

// History tells what the policy may look at.
type History interface {
	// Past returns what left for the reward's promoter before now, this reward
	// left out.
	Past(ctx context.Context, r reward.Reward, now time.Time) (Past, error)
}
