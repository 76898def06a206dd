package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// discount takes something off the next invoice of a subscription: a coupon
// whose ID is the key, which can be redeemed once, is made and then attached
// beside the discounts that the subscription has. Making the coupon is
// harmless and can be said twice; attaching it is the effect.
type discount struct {
	Customer     string `json:"customer"`
	Subscription string `json:"subscription"`
	// Percent is 1 to 100; or it is zero, and Amount (in Stripe's minor units)
	// and Currency are set.
	Percent  int64  `json:"percent,omitempty"`
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	// Name is what the customer reads on the invoice.
	Name string `json:"name"`
	// Keep lists the IDs of the discounts that the subscription has. Stripe
	// drops every one that is not named again.
	Keep []string `json:"keep,omitempty"`
	Turn string   `json:"turn"`
}

func (p *Provider) freezeDiscount(ctx context.Context, order payout.Order) (frozen, string, error) {
	customer, err := p.payee(ctx, order.Reward.Promoter)
	if err != nil {
		return frozen{}, "", err
	}
	sub, err := p.client.onlySubscription(ctx, customer.ID)
	if err != nil {
		return frozen{}, "", err
	}
	d := &discount{
		Customer: customer.ID, Subscription: sub.ID, Name: describe(order), Keep: discountsOf(sub), Turn: turnOf(order),
	}
	if customer.Discount != nil && len(d.Keep) == 0 {
		return frozen{}, "", declined("the Stripe customer " + customer.ID + " has a discount, which one on the subscription would displace")
	}
	quantity := order.Reward.Quantity
	if quantity.Unit == reward.DiscountPer {
		if quantity.Amount > 100 {
			return frozen{}, "", declined(fmt.Sprintf("a discount of %d per cent is more than everything", quantity.Amount))
		}
		d.Percent = quantity.Amount
	} else if err := d.setAmount(p.discountValue, quantity, sub.Currency); err != nil {
		return frozen{}, "", err
	}
	return frozen{Discount: d}, fmt.Sprintf("Stripe customer %s, subscription %s: %s off the next invoice",
		d.Customer, d.Subscription, d.off()), nil
}

func (d *discount) setAmount(values map[string]int64, quantity reward.Quantity, have stripego.Currency) error {
	code, value, err := worth(values, "discount_value", quantity.Unit, have)
	if err != nil {
		return err
	}
	d.Amount, err = price(quantity.Amount, value, code)
	d.Currency = strings.ToLower(code)
	return err
}

func (d *discount) off() string {
	if d.Percent > 0 {
		return fmt.Sprintf("%d per cent", d.Percent)
	}
	return amountText(d.Amount, d.Currency)
}

func (d *discount) whole() bool {
	percent := d.Percent > 0 && d.Percent <= 100 && d.Amount == 0 && d.Currency == ""
	money := d.Percent == 0 && d.Amount > 0 && d.Currency != ""
	return plainID(d.Customer) && plainID(d.Subscription) && (percent || money) && d.Turn != ""
}

func (d *discount) send(ctx context.Context, c *client, key string) payout.Outcome {
	sub, coupon, err := d.read(ctx, c, key)
	if err != nil {
		return unprepared(err)
	}
	if out := d.stands(coupon, sub, key); out != nil {
		return *out
	}
	if out := c.takeTurn(ctx, d.Subscription, joined("discounts", d.Keep...), d.Turn); out != nil {
		return *out
	}
	if coupon == nil {
		if out := d.makeCoupon(ctx, c, key); out != nil {
			return *out
		}
	}
	sub, err = c.updateSubscription(ctx, d.Subscription, d.params(key))
	switch {
	case err != nil:
		return c.judge(err)
	case !answered(sub.APIResource), sub.ID != d.Subscription, !hasCoupon(sub, key):
		return unknown("Stripe's answer does not show the discount that was sent")
	}
	return accepted(key, d.done())
}

// read reads the subscription and then the coupon, which is nil when there is
// none. In this order a discount that was attached in between is seen on the
// coupon; in the other it would be a change that somebody else made.
func (d *discount) read(ctx context.Context, c *client, key string) (*stripego.Subscription, *stripego.Coupon, error) {
	sub, err := c.subscription(ctx, d.Subscription)
	if err != nil {
		return nil, nil, err
	}
	coupon, err := c.coupon(ctx, key)
	return sub, coupon, err
}

// stands judges what is there before the effect, or returns nil: then the
// discounts are those of the time of reserve.
func (d *discount) stands(coupon *stripego.Coupon, sub *stripego.Subscription, key string) *payout.Outcome {
	var out payout.Outcome
	switch {
	case coupon != nil && !d.is(coupon):
		out = payout.Outcome{Class: payout.ClassConflict, Detail: "the coupon " + key + " exists with other terms"}
	case coupon != nil && (coupon.TimesRedeemed > 0 || hasCoupon(sub, key)):
		out = accepted(key, d.done())
	case hasCoupon(sub, key):
		out = unknown("the subscription " + sub.ID + " has the discount, and its coupon was deleted")
	case unfit(sub) != "":
		out = refused(unfit(sub))
	case !belongs(sub, d.Customer):
		out = refused("the subscription " + sub.ID + " is no longer the customer's")
	case !slices.Equal(discountsOf(sub), d.Keep):
		out = refused("the discounts of the subscription " + sub.ID + " have changed since: retry makes a new payout that keeps them")
	default:
		return nil
	}
	return &out
}

// makeCoupon makes the coupon, or says why not. Nothing is paid by it, so an
// answer that was lost is not an unknown outcome: the next try sees the coupon.
func (d *discount) makeCoupon(ctx context.Context, c *client, key string) *payout.Outcome {
	params := &stripego.CouponCreateParams{
		Params:         keyed(key + "-c"),
		ID:             stripego.String(key),
		Name:           stripego.String(d.Name),
		Duration:       stripego.String("once"),
		MaxRedemptions: stripego.Int64(1),
		Metadata:       map[string]string{metadataKey: key},
	}
	if d.Percent > 0 {
		params.PercentOff = stripego.Float64(float64(d.Percent))
	} else {
		params.AmountOff, params.Currency = stripego.Int64(d.Amount), stripego.String(d.Currency)
	}
	coupon, err := call[stripego.Coupon](ctx, c, http.MethodPost, "/v1/coupons", params)
	if err == nil && answered(coupon.APIResource) && coupon.ID == key && d.is(coupon) {
		return nil
	}
	if err == nil {
		err = errUnreadable
	}
	out := c.judge(err)
	e, ok := errors.AsType[*stripego.Error](err)
	if exists := ok && e.Code == stripego.ErrorCodeResourceAlreadyExists; exists || out.Class == payout.ClassUnknown {
		out = notSent(fault.Unavailable, "the coupon may be there already, and is not attached: "+out.Detail)
	}
	return &out
}

// params are the effect: the same for every try.
func (d *discount) params(key string) *stripego.SubscriptionUpdateParams {
	params := &stripego.SubscriptionUpdateParams{Params: keyed(key)}
	for _, id := range d.Keep {
		params.Discounts = append(params.Discounts, &stripego.SubscriptionUpdateDiscountParams{Discount: stripego.String(id)})
	}
	params.Discounts = append(params.Discounts, &stripego.SubscriptionUpdateDiscountParams{Coupon: stripego.String(key)})
	params.AddExpand("discounts")
	return params
}

// find reads the coupon, which counts how often it was redeemed, and the
// subscription's discounts.
func (d *discount) find(ctx context.Context, c *client, key string) payout.Finding {
	sub, coupon, err := d.read(ctx, c, key)
	switch {
	case err != nil:
		return cannotTell(err)
	case coupon != nil && !d.is(coupon):
		return differs("the coupon " + key + " has other terms")
	case coupon == nil && hasCoupon(sub, key):
		return differs("the subscription " + sub.ID + " has the discount, and its coupon was deleted")
	case coupon == nil || coupon.TimesRedeemed == 0 && !hasCoupon(sub, key):
		return absent("the coupon was not redeemed")
	}
	return found(key, d.done())
}

func (d *discount) is(coupon *stripego.Coupon) bool {
	return coupon.PercentOff == float64(d.Percent) && coupon.AmountOff == d.Amount &&
		string(coupon.Currency) == d.Currency && coupon.Duration == stripego.CouponDurationOnce
}

func (d *discount) done() string {
	return "the next invoice of " + d.Subscription + " has " + d.off() + " off"
}
