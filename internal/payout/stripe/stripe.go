// Package stripe delivers rewards through Stripe: credits as customer
// balance, free months by moving the end of a trial, discounts as coupons of
// our own, and cash as Connect transfers.
//
// It is the one package that knows stripe-go. docs/providers/stripe.md tells
// operators what is called, with which permissions, and how an unknown outcome
// is resolved.
package stripe

import (
	"context"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// window is how long Stripe surely recognises an idempotency key; after
	// that it may take the same key for a new request
	// (https://docs.stripe.com/api/idempotent_requests).
	window = 24 * time.Hour
	// margin ends sending at 20 hours.
	margin = 4 * time.Hour
	// settleDelay outlasts a request whose answer was lost and that Stripe may
	// still be working on.
	settleDelay = time.Minute
)

// Provider pays through one Stripe account. It is safe for concurrent use.
type Provider struct {
	name           string
	client         *client
	skipEmailMatch bool
	creditValue    map[string]int64
	discountValue  map[string]int64
}

// New returns a provider, or all that is wrong with the configuration. The
// error names keys of the configuration and holds no secret and no URL. New
// calls nobody.
func New(c Config) (*Provider, error) {
	base, err := c.check()
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Provider{
		name:           c.Name,
		client:         newClient(c.APIKey, base, c.Timeout, c.Now),
		skipEmailMatch: c.SkipEmailMatch,
		creditValue:    c.CreditValue,
		discountValue:  c.DiscountValue,
	}, nil
}

// Name implements payout.Provider.
func (p *Provider) Name() string { return p.name }

// Traits implements payout.Provider. Nothing is sent blindly: every kind of
// payout can be looked up.
func (p *Provider) Traits() payout.Traits {
	return payout.Traits{Window: window, Margin: margin, SettleDelay: settleDelay}
}

// Prepare implements payout.Provider. It reads the customer, and where the
// reward needs one the subscription, and freezes IDs, amounts and absolute
// dates. What Stripe cannot deliver without a guess is Declined.
func (p *Provider) Prepare(ctx context.Context, order payout.Order) (payout.Request, error) {
	if err := order.Reward.Quantity.Payable(); err != nil {
		return payout.Request{}, fault.Wrap(fault.Invalid, opPrepare, err.Error(), err)
	}
	if !usableKey(order.Key) {
		return payout.Request{}, invalid("the idempotency key is not 1 to 63 letters, digits, - and _")
	}
	if order.At.IsZero() {
		return payout.Request{}, invalid("the time of reserve is missing")
	}
	f, destination, err := p.freeze(ctx, order)
	if err != nil {
		return payout.Request{}, err
	}
	body, err := f.encode()
	if err != nil {
		return payout.Request{}, err
	}
	return payout.Request{Key: order.Key, Destination: destination, Body: body}, nil
}

// freeze returns what will be sent, and for people where it goes.
func (p *Provider) freeze(ctx context.Context, order payout.Order) (frozen, string, error) {
	switch unit := order.Reward.Quantity.Unit; unit {
	case reward.Credits:
		return p.freezeCredit(ctx, order)
	case reward.FreeMonths:
		return p.freezeFreeMonths(ctx, order)
	case reward.DiscountPer, reward.DiscountMon:
		return p.freezeDiscount(ctx, order)
	case reward.Cash:
		return p.freezeTransfer(ctx, order)
	case reward.Points:
		return frozen{}, "", declined("Stripe has nothing like points: route them to a provider of type webhook or manual")
	default:
		return frozen{}, "", declined("Stripe cannot deliver this unit: route it to another provider")
	}
}

// Send implements payout.Provider: the calls that the frozen request needs,
// of which one, under the request's key, has the effect. None is repeated.
func (p *Provider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	d, err := decode(req)
	if err != nil {
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, Detail: fault.Message(err)}
	}
	return d.send(ctx, p.client, req.Key)
}

// Lookup implements payout.Provider. It reads objects and complete lists,
// never the Search API, which lags behind.
func (p *Provider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	d, err := decode(req)
	if err != nil {
		return payout.Finding{Answer: payout.CannotTell, Detail: fault.Message(err)}
	}
	return d.find(ctx, p.client, req.Key)
}

// usableKey accepts what can stand in a header, a path and a coupon's ID.
func usableKey(key string) bool { return len(key) <= payout.MaxKey && plainID(key) }

// plainID accepts letters, digits, - and _, and at least one of them.
func plainID(id string) bool {
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return id != ""
}

const opPrepare = "stripe.prepare"

func invalid(words string) *fault.Error  { return fault.New(fault.Invalid, opPrepare, words) }
func declined(words string) *fault.Error { return fault.New(fault.Declined, opPrepare, words) }

// metadataKey marks the objects that this package makes; its value is the key.
const metadataKey = "rewardflow"

// keyed returns the parameters that give a call its idempotency key.
func keyed(key string) stripego.Params {
	return stripego.Params{IdempotencyKey: stripego.String(key)}
}
