package payout

import (
	"context"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Checker is a provider that can be asked, without moving money, whether it
// would take payouts from us.
type Checker interface {
	// Check makes calls that have no effect, and returns in words what was seen,
	// and what cannot be seen without paying. Units are what the routes send
	// there; without any, only the credentials are judged.
	//
	// Its error is a fault whose message holds no secret: Denied for credentials
	// and permissions; NotFound for what the configuration names and the provider
	// does not have; Declined for what is there and cannot be used; Invalid for
	// an address that does not lead to the provider, or one that does not keep
	// what was agreed; Throttled; and Unavailable where no clear answer came.
	Check(ctx context.Context, units []reward.Unit) (string, error)
}

// CheckKey is a key that a look-up can ask for and that no payout has: IDs of
// rewards and generations are counted from 1.
const CheckKey = "rf_0_0"
