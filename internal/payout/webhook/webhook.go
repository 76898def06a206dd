// Package webhook delivers rewards to the team's own service: one signed POST
// per attempt, with Standard Webhooks headers, and a signed look-up under the
// same key. docs/providers/webhook.md is the contract that such a service keeps.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// What the contract lets this side rely on.
const (
	// window is how long a receiver promises to remember a key.
	window = 90 * 24 * time.Hour
	// margin is kept from its end, for clocks that differ and for receivers
	// that count in days.
	margin = 24 * time.Hour
	// settleDelay lets a request whose answer was lost finish on the other side.
	settleDelay = 10 * time.Second
	pollEvery   = 15 * time.Second
	// watchFor is how long the receiver is asked whether a delivery came back:
	// after 1, 2, 4, 8, 16 and 32 days.
	watchFor = 33 * 24 * time.Hour
)

// Config describes one receiving service.
type Config struct {
	// Name is the configured name of the provider, the one that routes use.
	Name string
	// URL takes the POST; a look-up is a GET of URL/<key>. Its query is kept.
	URL string
	// Secret signs: "whsec_" and base64 of 24 bytes or more, or a plain text
	// of 24 characters or more.
	Secret string
	// OtherSecrets sign as well, so that a secret can be changed without a
	// moment in which the receiver knows neither. Same forms as Secret.
	OtherSecrets []string
	// AllowPrivateNetworks permits loopback and private addresses, and http.
	AllowPrivateNetworks bool
	// Timeout bounds one call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now dates signatures; nil means time.Now.
	Now func() time.Time
}

// Provider sends payouts to one service. It is safe for concurrent use.
type Provider struct {
	name    string
	url     *url.URL
	signers []*standardwebhooks.Webhook
	client  *http.Client
	now     func() time.Time
}

// New returns a provider, or all that is wrong with the configuration. The
// error names keys of the configuration and holds no secret and no URL.
func New(c Config) (*Provider, error) {
	target, urlErr := parseURL(c.URL, c.AllowPrivateNetworks)
	signers, secretErr := parseSecrets(append([]string{c.Secret}, c.OtherSecrets...))
	var nameErr error
	if c.Name == "" {
		nameErr = errors.New("name: it is missing")
	}
	if err := errors.Join(nameErr, urlErr, secretErr); err != nil {
		return nil, fault.Wrap(fault.Invalid, "webhook.new",
			fmt.Sprintf("provider %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Provider{
		name:    c.Name,
		url:     target,
		signers: signers,
		client:  egress.NewClient(egress.Options{Timeout: c.Timeout, GuardPrivateNetworks: !c.AllowPrivateNetworks}),
		now:     c.Now,
	}, nil
}

// Name implements payout.Provider.
func (p *Provider) Name() string { return p.name }

// Traits implements payout.Provider. They are what the contract obliges the
// receiver to: keys are remembered for 90 days, and the same key with the same
// bytes is harmless.
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

// Send implements payout.Provider: one POST of the frozen body.
func (p *Provider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	resp, failure := p.call(ctx, http.MethodPost, p.url, req.Key, req.Body)
	if failure != nil {
		return unanswered(failure)
	}
	body, err := egress.ReadBody(resp)
	return judge(req.Key, answer{status: resp.StatusCode, body: body, bodyErr: err, retryAfter: egress.RetryAfter(resp.Header, p.now())})
}

// Lookup implements payout.Provider: one GET of URL/<key>, signed over an
// empty body.
func (p *Provider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	resp, failure := p.call(ctx, http.MethodGet, lookupURL(p.url, req.Key), req.Key, nil)
	if failure != nil {
		return payout.Finding{Answer: payout.CannotTell, Detail: failure.Message}
	}
	body, err := egress.ReadBody(resp)
	return find(req.Key, answer{status: resp.StatusCode, body: body, bodyErr: err, retryAfter: egress.RetryAfter(resp.Header, p.now())})
}

// call makes one signed request. The fault is classified.
func (p *Provider) call(ctx context.Context, method string, target *url.URL, key string, body []byte) (*http.Response, *fault.Error) {
	return p.ask(ctx, method, target, key, body, p.sign)
}

// signer sets the headers that prove who sends a request.
type signer func(h http.Header, key string, body []byte) error

// ask makes one request. The fault is classified.
func (p *Provider) ask(
	ctx context.Context, method string, target *url.URL, key string, body []byte, sign signer,
) (*http.Response, *fault.Error) {
	const op = "webhook.call"
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, "the request could not be made", err)
	}
	if err := sign(req.Header, key, body); err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, "the request could not be signed", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "rewardflow")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, egress.Classify(op, err)
	}
	return resp, nil
}

// sign sets the three headers. The ID is the key, the same on every try; the
// time is this try's, because a receiver refuses old signatures.
func (p *Provider) sign(h http.Header, key string, body []byte) error {
	at := p.now()
	signatures := make([]string, 0, len(p.signers))
	for _, signer := range p.signers {
		signature, err := signer.Sign(key, at, body)
		if err != nil {
			return fmt.Errorf("signing: %w", err)
		}
		signatures = append(signatures, signature)
	}
	h.Set(standardwebhooks.HeaderWebhookID, key)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

// unanswered is the outcome of a POST that brought no answer.
func unanswered(failure *fault.Error) payout.Outcome {
	switch failure.Kind {
	case fault.Unavailable:
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Unavailable, Detail: failure.Message}
	case fault.Invalid:
		// The guard refused the address: nothing left, and a person must change
		// the configuration.
		return payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, Detail: failure.Message}
	default:
		return payout.Outcome{Class: payout.ClassUnknown, Detail: failure.Message}
	}
}
