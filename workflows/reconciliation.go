package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// ReconciliationInput says what to compare.
type ReconciliationInput struct {
	// RewardID picks one reward, whose provider has called; zero compares
	// everything that is due.
	RewardID reward.ID `json:"reward_id,omitempty"`
}

// ReconciliationResult is what a reconciliation found.
type ReconciliationResult struct {
	// Looked counts the payouts that were looked at again, Returned those that
	// had come back. Each of these brought its reward to attention.
	Looked   int `json:"looked"`
	Returned int `json:"returned"`
}

// maxRounds bounds one reconciliation; what is left is due in the next one.
const maxRounds = 200

// Reconciliation holds the ledger against the books outside. It looks again at
// payouts that were delivered, because what was delivered can come back.
func Reconciliation(ctx workflow.Context, in ReconciliationInput) (ReconciliationResult, error) {
	var res ReconciliationResult
	for range maxRounds {
		var round activities.WatchResult
		err := workflow.ExecuteActivity(watching(ctx), do.Watch, activities.WatchInput{RewardID: in.RewardID}).Get(ctx, &round)
		if err != nil {
			return res, fmt.Errorf("looking again at what was paid: %w", err)
		}
		res.Looked += round.Looked
		res.Returned += round.Returned
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d payouts were looked at again; %d had come back", res.Looked, res.Returned))
		if !round.More {
			break
		}
	}
	return res, nil
}
