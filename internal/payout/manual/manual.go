// Package manual is the provider whose payouts a person makes: it freezes what
// is to be done, and then waits until somebody records the reference of what
// they did.
package manual

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Provider asks a person. It has no effect outside and is safe for concurrent use.
type Provider struct{ name string }

// New returns a manual provider with its configured name.
func New(name string) *Provider { return &Provider{name: name} }

// Name implements payout.Provider.
func (p *Provider) Name() string { return p.name }

// Traits implements payout.Provider. There is no window, because nothing is
// ever lost on the way: the look-up always finds the task.
func (p *Provider) Traits() payout.Traits { return payout.Traits{ByHand: true} }

// task is what a person is asked to do. It names the promoter by IDs only.
type task struct {
	Task     string          `json:"task"`
	Key      string          `json:"key"`
	Reward   reward.ID       `json:"reward_id"`
	Quantity reward.Quantity `json:"quantity"`
	Promoter promoter        `json:"promoter"`
	Campaign int64           `json:"campaign_id"`
}

type promoter struct {
	ID     int64  `json:"id"`
	CustID string `json:"cust_id"`
}

// Prepare implements payout.Provider. A quantity that nobody could pay is a
// fault of kind Invalid.
func (p *Provider) Prepare(_ context.Context, order payout.Order) (payout.Request, error) {
	const op = "manual.prepare"
	if err := order.Reward.Quantity.Payable(); err != nil {
		return payout.Request{}, fault.Wrap(fault.Invalid, op, err.Error(), err)
	}
	if order.Key == "" {
		return payout.Request{}, fault.New(fault.Invalid, op, "the idempotency key is missing")
	}
	body, err := json.Marshal(task{
		Task:     "pay by hand",
		Key:      order.Key,
		Reward:   order.Reward.ID,
		Quantity: order.Reward.Quantity,
		Promoter: promoter{ID: order.Reward.Promoter.ID, CustID: order.Reward.Promoter.CustID},
		Campaign: order.Reward.Campaign.ID,
	})
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Internal, op, "the task could not be written as JSON", err)
	}
	return payout.Request{
		Key:         order.Key,
		Destination: fmt.Sprintf("promoter %d, paid by hand", order.Reward.Promoter.ID),
		Body:        body,
	}, nil
}

// Send implements payout.Provider: the task exists as soon as it is recorded.
func (p *Provider) Send(_ context.Context, req payout.Request) payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Reference: reference(req), Detail: waiting}
}

// Lookup implements payout.Provider. Only a person knows more than that the
// task is open, and says so in the ledger.
func (p *Provider) Lookup(_ context.Context, req payout.Request) payout.Finding {
	return payout.Finding{Answer: payout.FoundPending, Reference: reference(req), Detail: waiting}
}

const waiting = "waiting for a person to pay it by hand and to record the reference"

func reference(req payout.Request) string { return "manual-" + req.Key }
