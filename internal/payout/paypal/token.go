package paypal

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// tokenPath gives out access tokens
// (https://developer.paypal.com/api/rest/authentication/).
const tokenPath = "/v1/oauth2/token"

// earlier is how long before its end a token is replaced. A token that lives
// for less than twice as long is replaced after half its life.
const earlier = time.Minute

// token is an access token.
type token struct {
	value string
	until time.Time
	// scopes are what the app may do, separated by spaces; empty where PayPal
	// did not say.
	scopes string
	// kept says that it was taken from the cache.
	kept bool
}

// tokens keeps the access token of one account.
type tokens struct {
	issue func(context.Context) (token, *fault.Error)
	now   func() time.Time
	// turn is held by the one who asks PayPal for a token.
	turn chan struct{}

	mu   sync.Mutex
	last token
}

func newTokens(issue func(context.Context) (token, *fault.Error), now func() time.Time) *tokens {
	return &tokens{issue: issue, now: now, turn: make(chan struct{}, 1)}
}

// get returns a token that is still good. A fault means that there is none.
func (t *tokens) get(ctx context.Context) (token, *fault.Error) {
	if kept, ok := t.current(); ok {
		return kept, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return token{}, fault.Wrap(fault.Unavailable, "paypal.token", "PayPal did not give out an access token in time", ctx.Err())
	}
	if kept, ok := t.current(); ok {
		return kept, nil
	}
	issued, failure := t.issue(ctx)
	if failure != nil {
		return token{}, failure
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = issued
	return issued, nil
}

func (t *tokens) current() (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.last
	kept.kept = true
	return kept, kept.value != "" && t.now().Before(kept.until)
}

// drop forgets a token that PayPal no longer takes, unless it has been
// replaced already.
func (t *tokens) drop(rejected token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.value == rejected.value {
		t.last = token{}
	}
}

// issuer asks PayPal for access tokens.
type issuer struct {
	url                    string
	clientID, clientSecret string
	client                 *http.Client
	now                    func() time.Time
}

// issue asks for a token once. Its fault is Denied, Throttled or Unavailable:
// no money moves here, so that a lost answer leaves no doubt.
func (i issuer) issue(ctx context.Context) (token, *fault.Error) {
	const op = "paypal.token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url, strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return token{}, fault.Wrap(fault.Unavailable, op, "the request could not be made", err)
	}
	req.SetBasicAuth(i.clientID, i.clientSecret)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "rewardflow")
	at := i.now()
	resp, err := i.client.Do(req)
	if err != nil {
		return token{}, fault.Wrap(fault.Unavailable, op, egress.Classify(op, err).Message, err)
	}
	body, err := egress.ReadBody(resp)
	a := answer{status: resp.StatusCode, body: body, bodyErr: err, retryAfter: egress.RetryAfter(resp.Header, at)}
	if failure := a.withheld(op); failure != nil {
		return token{}, failure
	}
	return a.token(op, at)
}

// withheld says why an answer gives out no token; nil when it is a 200.
func (a answer) withheld(op string) *fault.Error {
	failure := fault.New(fault.Unavailable, op, a.words("PayPal gives out no access token"))
	failure.RetryAfter = a.retryAfter
	switch {
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusTooManyRequests:
		failure.Kind = fault.Throttled
	case a.status == http.StatusRequestTimeout:
	case a.status >= 400 && a.status < 500:
		failure.Kind = fault.Denied
		failure.Message = a.words("PayPal did not accept client_id and client_secret: check that they and base_url are of the same environment, live or sandbox")
	}
	return failure
}

// token reads a token that was asked for at the time at.
func (a answer) token(op string, at time.Time) (token, *fault.Error) {
	var issued struct {
		Value   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
		Scopes  string `json:"scope"`
	}
	if a.bodyErr != nil || json.Unmarshal(a.body, &issued) != nil || !isToken(issued.Value) {
		return token{}, fault.New(fault.Unavailable, op, a.plain("PayPal's answer holds no access token that can be read"))
	}
	// Nine hours are usual; a day is as long as a token is trusted.
	life := time.Duration(min(max(issued.Seconds, 0), 24*60*60)) * time.Second
	return token{value: issued.Value, until: at.Add(life - min(earlier, life/2)), scopes: issued.Scopes}, nil
}

// isToken accepts what a header can carry.
func isToken(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return text != ""
}
