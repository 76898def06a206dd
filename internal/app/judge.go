package app

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// judge applies the configured routes and policy.
type judge struct {
	routes []config.Route
	policy *policy.Policy
}

// Rule returns the first route that matches and what the policy says of the
// reward that it would pay.
func (j judge) Rule(r reward.Reward, receivedAt, now time.Time) activities.Ruling {
	ruling := activities.Ruling{PolicyVersion: j.policy.Version()}
	for _, route := range j.routes {
		if route.Matches(r.Quantity.Unit, r.Campaign.ID) {
			ruling.Provider, ruling.Currency = route.Provider, route.Currency
			break
		}
	}
	r.Quantity.Currency = ruling.Currency

	// Decide never pays when it cannot decide: it asks, and says why.
	result, _ := j.policy.Decide(policy.FactsOf(r, ruling.Provider))
	ruling.Rule, ruling.Reason = result.Rule, result.Reason
	ruling.Approvals, ruling.Role = result.Approvals, result.Role
	switch result.Verdict {
	case policy.Pay:
		ruling.Verdict = activities.VerdictPay
	case policy.Refuse:
		ruling.Verdict = activities.VerdictRefuse
	case policy.Hold:
		ruling.Verdict, ruling.HoldUntil = activities.VerdictHold, result.HoldUntil
		if ruling.HoldUntil.IsZero() {
			ruling.HoldUntil = receivedAt.Add(result.HoldFor)
		}
		if now.Before(ruling.HoldUntil) {
			// Nobody is asked before the hold is over.
			ruling.Approvals, ruling.Role = 0, ""
			break
		}
		fallthrough
	case policy.Ask:
		ruling.Verdict = activities.VerdictAsk
	}
	return ruling
}

// owedReader gives the activities FirstPromoter's API in their own words.
type owedReader struct{ client *firstpromoter.Client }

// Owed reads a reward from FirstPromoter.
func (o owedReader) Owed(ctx context.Context, promoterID int64, id reward.ID) (activities.Owed, error) {
	p, err := o.client.Payout(ctx, promoterID, id)
	if err != nil {
		return activities.Owed{}, err
	}
	return activities.Owed{Reward: p.Reward(), Status: string(p.Status), Defect: p.Defect}, nil
}

// Complete tells FirstPromoter once that a reward is fulfilled.
func (o owedReader) Complete(ctx context.Context, id reward.ID) error {
	_, err := o.client.Complete(ctx, id)
	return err
}
