package app

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
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
func (j judge) Rule(c activities.Case) activities.Ruling {
	r := c.Reward
	ruling := activities.Ruling{PolicyVersion: j.policy.Version()}
	for _, route := range j.routes {
		if route.Matches(r.Quantity.Unit, r.Campaign.ID) {
			ruling.Provider, ruling.Currency = route.Provider, route.Currency
			break
		}
	}
	r.Quantity.Currency = ruling.Currency

	facts := factsOf(c, r, ruling.Provider)
	if text, err := json.Marshal(facts); err == nil {
		ruling.Facts = string(text)
	}
	// Decide never pays when it cannot decide: it asks, and says why.
	result, _ := j.policy.Decide(facts)
	ruling.Rule, ruling.Reason = result.Rule, result.Reason
	ruling.Approvals, ruling.Role, ruling.Excluded = result.Approvals, result.Role, result.Not
	ruling.Waits = ledger.Waits(result.Waits)
	switch result.Verdict {
	case policy.Pay:
		ruling.Verdict = activities.VerdictPay
	case policy.Refuse:
		ruling.Verdict = activities.VerdictRefuse
	case policy.Hold:
		ruling.Verdict, ruling.HoldUntil = activities.VerdictHold, result.HoldUntil
		if ruling.HoldUntil.IsZero() {
			ruling.HoldUntil = c.ReceivedAt.Add(result.HoldFor)
		}
		if c.Now.Before(ruling.HoldUntil) {
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

// factsOf says of a case what a rule may look at. The reward has the currency
// of its route.
func factsOf(c activities.Case, r reward.Reward, provider string) policy.Facts {
	f := policy.FactsOf(r, provider)
	f.PromoterStatus = c.Promoter.Status
	if !c.Promoter.JoinedAt.IsZero() {
		f.PromoterAge = policy.Known(int64(c.Now.Sub(c.Promoter.JoinedAt) / (24 * time.Hour)))
	}
	balance := func(told map[reward.Unit]int64) policy.Number {
		amount, known := told[r.Quantity.Unit]
		return policy.Number{Value: amount, Known: known}
	}
	f.Earned, f.Balance, f.PaidOut = balance(c.Promoter.Earned), balance(c.Promoter.Balance), balance(c.Promoter.PaidOut)

	f.Payouts = int64(c.Past.Payouts)
	f.NewDestination = !slices.Contains(c.Past.Providers, provider)
	unit := string(r.Quantity.Unit)
	if r.Quantity.Unit == reward.Cash {
		unit = r.Quantity.Currency
	}
	today, month := c.Past.Today[unit], c.Past.Month[unit]
	f.PaidToday, f.PayoutsToday = today.Amount, int64(today.Payouts)
	f.Paid30Days, f.Payouts30Days = month.Amount, int64(month.Payouts)
	return f
}

// owedReader gives the activities FirstPromoter's API in their own words.
type owedReader struct {
	client  *firstpromoter.Client
	board   *board
	tracer  trace.Tracer
	metrics *moneyMetrics
}

// Owed reads a reward from FirstPromoter.
func (o owedReader) Owed(ctx context.Context, promoterID int64, id reward.ID) (activities.Owed, error) {
	ctx, done := called(ctx, o.tracer, "firstpromoter.read", id.String())
	p, err := o.client.Payout(ctx, promoterID, id)
	done(err)
	o.metrics.called(callRead, err)
	o.board.note(partFirstPromoter, err)
	if err != nil {
		return activities.Owed{}, err
	}
	return activities.Owed{
		Reward: p.Reward(), Status: string(p.Status), Defect: p.Defect, Promoter: activities.PromoterFacts(p.Known),
	}, nil
}

// Complete tells FirstPromoter once that a reward is fulfilled.
func (o owedReader) Complete(ctx context.Context, id reward.ID) error {
	ctx, done := called(ctx, o.tracer, "firstpromoter.complete", id.String())
	_, err := o.client.Complete(ctx, id)
	done(err)
	o.metrics.called(callComplete, err)
	o.board.note(partFirstPromoter, err)
	return err
}
