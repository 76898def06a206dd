package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// onlySubscription returns the one subscription that a customer has. None or
// several are for a person to judge, and so is one that is not going on.
func (c *client) onlySubscription(ctx context.Context, customer string) (*stripego.Subscription, error) {
	all, err := list(ctx, c, "/v1/subscriptions", url.Values{"customer": {customer}, "expand[]": {"data.discounts"}},
		func(sub *stripego.Subscription) string { return sub.ID })
	var live []*stripego.Subscription
	for _, sub := range all {
		ended := sub.Status == stripego.SubscriptionStatusCanceled || sub.Status == stripego.SubscriptionStatusIncompleteExpired
		if !ended && belongs(sub, customer) {
			live = append(live, sub)
		}
	}
	switch {
	case err != nil:
		return nil, hopeless(c.unread("list of subscriptions", err))
	case len(live) == 0:
		return nil, declined("the Stripe customer " + customer + " has no subscription")
	case len(live) > 1:
		return nil, declined(fmt.Sprintf("the Stripe customer %s has %d subscriptions, and nothing says which one is meant", customer, len(live)))
	}
	if words := unfit(live[0]); words != "" {
		return nil, declined(words)
	}
	return live[0], nil
}

func belongs(sub *stripego.Subscription, customer string) bool {
	return sub.Customer != nil && sub.Customer.ID == customer
}

// unfit says why nothing should be given to a subscription, or nothing.
func unfit(sub *stripego.Subscription) string {
	name := "the subscription " + sub.ID
	switch {
	case sub.Status != stripego.SubscriptionStatusActive && sub.Status != stripego.SubscriptionStatusTrialing:
		return name + " is " + plain(string(sub.Status)) + ", neither active nor trialing"
	case sub.CancelAtPeriodEnd, sub.CancelAt != 0:
		return name + " is set to be cancelled"
	case sub.PauseCollection != nil:
		return name + " has its payments paused"
	case sub.Schedule != nil:
		return name + " is run by a subscription schedule, which would undo a change"
	}
	return ""
}

// takeTurn makes sure that of all rewards that were prepared on the same state
// of a subscription only one goes on. Each of them would overwrite what the
// others did, and Stripe has no conditional update. It does have idempotency
// keys: the first reward to use the key of a state owns it for 24 hours, and
// another reward, with other parameters, is told so. The call itself sets one
// metadata entry. It returns nil when the turn is ours.
func (c *client) takeTurn(ctx context.Context, subscription, state, turn string) *payout.Outcome {
	sum := sha256.Sum256([]byte(subscription + "\n" + state))
	sub, err := c.updateSubscription(ctx, subscription, &stripego.SubscriptionUpdateParams{
		Params:   keyed("rf_turn_" + hex.EncodeToString(sum[:20])),
		Metadata: map[string]string{turnKey: turn},
	})
	if err == nil && answered(sub.APIResource) && sub.ID == subscription {
		return nil
	}
	if err == nil {
		err = errUnreadable
	}
	out := c.judge(err)
	if e, ok := errors.AsType[*stripego.Error](err); ok && (inUse(e) || out.Class == payout.ClassConflict) {
		return &payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: turnPause,
			Detail: "another reward is being applied to the subscription " + subscription,
		}
	}
	if out.Class == payout.ClassUnknown {
		// Whatever became of the turn, the effect was not asked for.
		out = notSent(fault.Unavailable, out.Detail)
	}
	return &out
}

// turnKey is the metadata entry of a subscription that takeTurn sets.
const turnKey = "rewardflow_turn"

// turnPause lets the reward whose turn it is finish.
const turnPause = 2 * time.Minute

// turnOf names a reward, over all its generations.
func turnOf(order payout.Order) string { return "reward " + order.Reward.ID.String() }

// discountsOf returns the IDs of a subscription's discounts in their order.
func discountsOf(sub *stripego.Subscription) []string {
	ids := make([]string, 0, len(sub.Discounts))
	for _, d := range sub.Discounts {
		if d != nil {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// hasCoupon reports whether a discount of the subscription comes from a coupon.
func hasCoupon(sub *stripego.Subscription, coupon string) bool {
	for _, d := range sub.Discounts {
		if d != nil && d.Source != nil && d.Source.Coupon != nil && d.Source.Coupon.ID == coupon {
			return true
		}
	}
	return false
}

// joined is a state in words, for takeTurn.
func joined(what string, parts ...string) string { return what + " " + strings.Join(parts, ",") }
