// Package paypal pays cash to a promoter's email address with PayPal Payouts
// v1: one batch with one item per payout, whose sender_batch_id is the
// idempotency key. docs/providers/paypal.md says what operators must know.
//
// PayPal does not pay for a sender_batch_id twice within 30 days: it rejects
// the second request and links to the batch of the first
// (https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#payouts_post).
// It has no look-up by that ID, so the way out of an unknown outcome is the
// same request again.
package paypal

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

const (
	// window is how long PayPal recognises a sender_batch_id.
	window = 30 * 24 * time.Hour
	// margin is kept from its end: nothing is sent again after 25 days.
	margin = 5 * 24 * time.Hour
	// settleDelay lets a request whose answer was lost finish at PayPal.
	settleDelay = time.Minute
	pollEvery   = 30 * time.Second
	// watchFor is how long a payout that was received may be refunded or
	// reversed and is asked about: after 1, 2, 4, ... and 128 days. PayPal
	// documents the statuses REFUNDED and REVERSED and no end of them.
	watchFor = 180 * 24 * time.Hour
)

// payoutsPath takes new batches; a batch is at payoutsPath/<ID>.
const payoutsPath = "/v1/payments/payouts"

// DefaultBaseURL is PayPal's live environment.
const DefaultBaseURL = "https://api-m.paypal.com"

// Config describes one PayPal business account.
type Config struct {
	// Name is the configured name of the provider, the one that routes use.
	Name string
	// ClientID and ClientSecret are a REST app's, which needs the Payouts
	// feature.
	ClientID, ClientSecret string
	// BaseURL is the API's scheme and host: empty means DefaultBaseURL, and
	// https://api-m.sandbox.paypal.com is the sandbox. Plain http is accepted
	// for loopback addresses only.
	BaseURL string
	// UnclaimedCountsAsPaid takes a payout as delivered when PayPal has told the
	// receiver about it, before the receiver has claimed it. What is not claimed
	// within 30 days goes back to the sender, and then nobody looks any more.
	UnclaimedCountsAsPaid bool
	// Timeout bounds one HTTP call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock that access tokens expire by; nil means time.Now.
	Now func() time.Time
}

// Provider sends payouts from one PayPal account. It is safe for concurrent
// use.
type Provider struct {
	name          string
	base          *url.URL
	tokens        *tokens
	client        *http.Client
	unclaimedPaid bool
	now           func() time.Time
}

// New returns a provider, or all that is wrong with the configuration as one
// fault of kind Invalid. The error names keys of the configuration and repeats
// none of their values. Nothing is sent.
func New(c Config) (*Provider, error) {
	base, err := c.check()
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	client := egress.NewClient(egress.Options{Timeout: c.Timeout})
	issuer := issuer{
		url: base.JoinPath(tokenPath).String(), clientID: c.ClientID, clientSecret: c.ClientSecret,
		client: client, now: c.Now,
	}
	return &Provider{
		name:          c.Name,
		base:          base,
		tokens:        newTokens(issuer.issue, c.Now),
		client:        client,
		unclaimedPaid: c.UnclaimedCountsAsPaid,
		now:           c.Now,
	}, nil
}

// Name implements payout.Provider.
func (p *Provider) Name() string { return p.name }

// Traits implements payout.Provider.
func (p *Provider) Traits() payout.Traits {
	return payout.Traits{
		Window:      window,
		Margin:      margin,
		SettleDelay: settleDelay,
		ResendBlind: true,
		PollEvery:   pollEvery,
		WatchFor:    watchFor,
	}
}

// Send implements payout.Provider: one POST of the frozen body. Where no
// access token can be had, nothing was sent.
func (p *Provider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	if _, err := readFrozen(req); err != nil {
		// Without our key in it, PayPal would pay it as often as it is sent.
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, Detail: "it was not sent: " + err.Error()}
	}
	token, failure := p.tokens.get(ctx)
	if failure != nil {
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: failure.Kind, RetryAfter: failure.RetryAfter,
			Detail: "there is no access token, so nothing was sent: " + failure.Message,
		}
	}
	a, failure := p.call(ctx, http.MethodPost, p.base.JoinPath(payoutsPath), token, req)
	if failure != nil {
		return unanswered(failure)
	}
	if a.status == http.StatusUnauthorized {
		return p.unauthorized(token, a)
	}
	return p.judge(req.Key, a)
}

// unanswered is the outcome of a POST that brought no answer.
func unanswered(failure *fault.Error) payout.Outcome {
	if failure.Kind == fault.Unavailable {
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Unavailable, Detail: failure.Message}
	}
	return payout.Outcome{Class: payout.ClassUnknown, Detail: failure.Message}
}

// unauthorized is the outcome of a POST whose access token PayPal did not take.
// A token that was kept may have been revoked, so the next try has a new one;
// a new token that is not taken is for a person.
func (p *Provider) unauthorized(token token, a answer) payout.Outcome {
	p.tokens.drop(token)
	if token.kept {
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Unavailable,
			Detail: a.words("PayPal no longer takes the access token, and the next try gets a new one"),
		}
	}
	return denied(a, "PayPal does not take the access token that it has just given out")
}

// Lookup implements payout.Provider: one GET of the batch that the request's
// reference names. PayPal finds no batch by our key, so that without a
// reference it cannot tell.
func (p *Provider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	if req.Reference == "" {
		return cannotTell("PayPal has no look-up by key: the same key is sent again, and answered as a duplicate if PayPal has it")
	}
	if !isBatchID(req.Reference) {
		return cannotTell("the stored reference is not the ID of a PayPal batch")
	}
	frozen, err := readFrozen(req)
	if err != nil {
		return cannotTell("it cannot be compared with what PayPal has: " + err.Error())
	}
	token, failure := p.tokens.get(ctx)
	if failure != nil {
		return payout.Finding{
			Answer: payout.CannotTell, RetryAfter: failure.RetryAfter,
			Detail: "there is no access token: " + failure.Message,
		}
	}
	a, failure := p.call(ctx, http.MethodGet, p.base.JoinPath(payoutsPath, req.Reference), token, payout.Request{})
	if failure != nil {
		return cannotTell(failure.Message)
	}
	if a.status == http.StatusUnauthorized {
		p.tokens.drop(token)
	}
	return p.find(req.Reference, frozen, a)
}

// call makes one request; one with a body carries its key. The fault is
// classified.
func (p *Provider) call(ctx context.Context, method string, target *url.URL, token token, frozen payout.Request) (answer, *fault.Error) {
	const op = "paypal.call"
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(frozen.Body))
	if err != nil {
		return answer{}, fault.Wrap(fault.Unavailable, op, "the request could not be made", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token.value)
	req.Header.Set("User-Agent", "rewardflow")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		// PayPal documents it; it is seen not to keep a batch from being made
		// twice (https://github.com/paypal/PayPal-Java-SDK/issues/379).
		req.Header.Set("PayPal-Request-Id", frozen.Key)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, egress.Classify(op, err)
	}
	body, err := egress.ReadBody(resp)
	return answer{
		status: resp.StatusCode, body: body, bodyErr: err,
		retryAfter: egress.RetryAfter(resp.Header, p.now()),
	}, nil
}
