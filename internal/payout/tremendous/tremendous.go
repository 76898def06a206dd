// Package tremendous sends cash rewards as gift cards and cash-like rewards of
// Tremendous to a promoter's email address: one order with one reward per
// payout, whose external_id is the idempotency key. docs/providers/tremendous.md
// says what operators must know.
//
// Tremendous makes one order for an external_id. The same request again is
// answered by 201 and the order of the first, one that asks for something else
// by 409, and the order can be found by the external_id
// (https://developers.tremendous.com/reference/create-order). So an unknown
// outcome is looked up, and nothing is sent again before Tremendous has said
// that it does not have it.
package tremendous

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

const (
	// window is how long rewardflow relies on an external_id. Tremendous
	// documents no end: the external_id is a field of the order, by which the
	// order can be read for good, and no entry of a cache. A promise without a
	// date is taken for a week, which covers an outage and a weekend; an order
	// that is neither there nor told of by then is for a person.
	window = 7 * 24 * time.Hour
	// margin is kept from its end: nothing is sent again after 6 days.
	margin = 24 * time.Hour
	// settleDelay lets a request whose answer was lost finish at Tremendous.
	settleDelay = time.Minute
	// pollEvery lets the email go out, which happens after the answer.
	pollEvery = 30 * time.Second
	// watchFor is how long a reward that was delivered may be cancelled or
	// refunded and is asked about: after 1, 2, 4, 8, 16 and 32 days. Tremendous
	// documents the cancellation, and no end of it.
	watchFor = 33 * 24 * time.Hour
)

// ordersPath, below the base URL, takes new orders and lists those there are.
const ordersPath = "orders"

// DefaultBaseURL is Tremendous's live environment, as its own clients have it
// (https://github.com/tremendous-rewards/tremendous-node/blob/main/environments.ts).
const DefaultBaseURL = "https://api.tremendous.com/api/v2"

// Balance is the funding source that every account has: its prepaid balance.
const Balance = "balance"

// Config describes one Tremendous organization.
type Config struct {
	// Name is the configured name of the provider, the one that routes use.
	Name string
	// APIKey may create and read orders.
	APIKey string
	// BaseURL is the API with its path: empty means DefaultBaseURL, and
	// https://testflight.tremendous.com/api/v2 is the sandbox. Plain http is
	// accepted for loopback addresses only.
	BaseURL string
	// CampaignID names the campaign that says what the receiver can choose from
	// and what the email looks like. Products, the IDs of gift cards and other
	// products, go before its choice. At least one of the two is needed.
	CampaignID string
	Products   []string
	// FundingSourceID is what pays; empty means Balance.
	FundingSourceID string
	// Timeout bounds one HTTP call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock that a Retry-After is read by; nil means time.Now.
	Now func() time.Time
}

// Provider sends rewards from one Tremendous organization. It is safe for
// concurrent use.
type Provider struct {
	name     string
	base     *url.URL
	apiKey   string
	campaign string
	products []string
	funding  string
	client   *http.Client
	now      func() time.Time
}

// New returns a provider, or all that is wrong with the configuration as one
// fault of kind Invalid. The error names keys of the configuration and repeats
// none of their values. Nothing is sent.
func New(c Config) (*Provider, error) {
	if c.FundingSourceID == "" {
		c.FundingSourceID = Balance
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	base, err := c.check()
	if err != nil {
		return nil, err
	}
	return &Provider{
		name:     c.Name,
		base:     base,
		apiKey:   c.APIKey,
		campaign: c.CampaignID,
		products: slices.Clone(c.Products),
		funding:  c.FundingSourceID,
		client:   egress.NewClient(egress.Options{Timeout: c.Timeout}),
		now:      c.Now,
	}, nil
}

// Name implements payout.Provider.
func (p *Provider) Name() string { return p.name }

// Traits implements payout.Provider. Nothing is sent again without a look-up
// that found nothing.
func (p *Provider) Traits() payout.Traits {
	return payout.Traits{Window: window, Margin: margin, SettleDelay: settleDelay, PollEvery: pollEvery, WatchFor: watchFor}
}

// Send implements payout.Provider: one POST of the frozen body.
func (p *Provider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	want, err := readFrozen(req)
	if err != nil {
		// Without our key in it, Tremendous would pay it as often as it is sent.
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, Detail: "it was not sent: " + err.Error()}
	}
	a, failure := p.call(ctx, http.MethodPost, p.base.JoinPath(ordersPath), req.Body)
	switch {
	case failure == nil:
		return judge(want, a)
	case failure.Kind == fault.Unavailable:
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Unavailable, Detail: failure.Message}
	}
	return payout.Outcome{Class: payout.ClassUnknown, Detail: failure.Message}
}

// Lookup implements payout.Provider: one GET of the orders that have the
// request's key as their external_id.
func (p *Provider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	want, err := readFrozen(req)
	if err != nil {
		return cannotTell("it cannot be compared with what Tremendous has: " + err.Error())
	}
	target := p.base.JoinPath(ordersPath)
	target.RawQuery = url.Values{"external_id": {want.key}}.Encode()
	a, failure := p.call(ctx, http.MethodGet, target, nil)
	if failure != nil {
		return cannotTell(failure.Message)
	}
	return find(want, req.Reference, a)
}

// call makes one request. The fault is classified.
func (p *Provider) call(ctx context.Context, method string, target *url.URL, body []byte) (answer, *fault.Error) {
	const op = "tremendous.call"
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, fault.Wrap(fault.Unavailable, op, "the request could not be made", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.apiKey)
	req.Header.Set("User-Agent", "rewardflow")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, egress.Classify(op, err)
	}
	read, err := egress.ReadBody(resp)
	return answer{
		status: resp.StatusCode, body: read, bodyErr: err, secret: p.apiKey,
		retryAfter: egress.RetryAfter(resp.Header, p.now()),
	}, nil
}
