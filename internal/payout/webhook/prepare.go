package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// eventType is the type of every body that is sent.
const eventType = "reward.payout"

// message is the body of the POST. Its format is part of the contract in
// docs/providers/webhook.md: fields may be added at the end, and nothing else.
type message struct {
	Type string `json:"type"`
	// Timestamp is the time of reserve, RFC 3339 in UTC: the same on every try.
	Timestamp string      `json:"timestamp"`
	Data      messageData `json:"data"`
}

type messageData struct {
	Key      string          `json:"key"`
	Reward   rewardRef       `json:"reward"`
	Quantity reward.Quantity `json:"quantity"`
	Promoter reward.Promoter `json:"promoter"`
	Campaign reward.Campaign `json:"campaign"`
}

type rewardRef struct {
	ID reward.ID `json:"id"`
}

// Prepare implements payout.Provider. It asks nobody: the same order gives the
// same bytes.
func (p *Provider) Prepare(_ context.Context, order payout.Order) (payout.Request, error) {
	const op = "webhook.prepare"
	if err := order.Reward.Quantity.Payable(); err != nil {
		return payout.Request{}, fault.Wrap(fault.Invalid, op, err.Error(), err)
	}
	if !payout.UsableKey(order.Key) {
		return payout.Request{}, fault.New(fault.Invalid, op, "the idempotency key is not 1 to 63 printable ASCII characters")
	}
	if order.At.IsZero() {
		return payout.Request{}, fault.New(fault.Invalid, op, "the time of reserve is missing")
	}
	body, err := json.Marshal(message{
		Type:      eventType,
		Timestamp: order.At.UTC().Format(time.RFC3339),
		Data: messageData{
			Key:      order.Key,
			Reward:   rewardRef{ID: order.Reward.ID},
			Quantity: order.Reward.Quantity,
			Promoter: order.Reward.Promoter,
			Campaign: order.Reward.Campaign,
		},
	})
	if err != nil {
		return payout.Request{}, fault.Wrap(fault.Internal, op, "the request could not be written as JSON", err)
	}
	return payout.Request{
		Key:         order.Key,
		Destination: fmt.Sprintf("promoter %d at %s", order.Reward.Promoter.ID, p.url.Hostname()),
		Body:        body,
	}, nil
}
