// Package post sends one JSON document to one URL, and says what the answer
// means for a notification. The channels that speak HTTP share it, so that
// every status means the same on all of them.
package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// maxWait caps what an endpoint may ask for with Retry-After: a message is
// tried for a day, and one wish must not use that up.
const maxWait = time.Hour

// maxSaid is how many bytes of an answer's body are kept, and maxDrained how
// many more are read so that the connection can be used again.
const (
	maxSaid    = 1 << 10
	maxDrained = 64 << 10
)

// Config describes one endpoint.
type Config struct {
	// URL takes the POST. It may hold a credential, as Slack's do, and appears
	// in no error.
	URL string
	// AllowPrivateNetworks permits loopback and private addresses, and http.
	AllowPrivateNetworks bool
	// Timeout bounds one call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Endpoint is where documents go. It is safe for concurrent use.
type Endpoint struct {
	url    string
	client *http.Client
	now    func() time.Time
}

// New returns an endpoint, or what is wrong with the URL. The error names the
// key of the configuration and does not repeat its value.
func New(c Config) (*Endpoint, error) {
	if err := checkURL(c.URL, c.AllowPrivateNetworks); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Endpoint{
		url:    c.URL,
		client: egress.NewClient(egress.Options{Timeout: c.Timeout, GuardPrivateNetworks: !c.AllowPrivateNetworks}),
		now:    c.Now,
	}, nil
}

// checkURL leaves out the cause that net/url gives, which quotes the URL.
// Where a host name leads is judged when it is dialled.
func checkURL(text string, allowPrivate bool) error {
	target, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("url: it is missing")
	case err != nil || target.Hostname() == "":
		return errors.New("url: it is not an absolute URL such as https://hooks.example.com/rewards")
	case target.Scheme != "https" && target.Scheme != "http":
		return errors.New("url: its scheme is neither https nor http")
	case target.User != nil:
		return errors.New("url: it holds a user name or password, which are not sent")
	case target.Fragment != "":
		return errors.New("url: it has a fragment (#), which no server receives")
	case target.Scheme == "http" && !allowPrivate:
		return errors.New("url: http is for private networks only: use https, or set allow_private_networks")
	}
	return nil
}

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Said is the beginning of the body.
	Said []byte
	// RetryAfter is how long the other side asked to wait, at most an hour; zero
	// when it did not say.
	RetryAfter time.Duration
}

// Post makes one POST. The error is a fault: there was no answer.
func (e *Endpoint) Post(ctx context.Context, op string, header http.Header, body []byte) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fault.Wrap(fault.Invalid, op, "the request could not be made: check the url", err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "rewardflow")
	resp, err := e.client.Do(req)
	if err != nil {
		return Answer{}, egress.Classify(op, err)
	}
	defer resp.Body.Close()
	// The status alone decides, so a body that breaks off changes nothing.
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxSaid))
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrained)
	return Answer{
		Status:     resp.StatusCode,
		Said:       said,
		RetryAfter: RetryAfter(resp.Header, e.now()),
	}, nil
}

// RetryAfter reads a Retry-After header; zero when there is none. It is at most
// an hour.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	return min(egress.RetryAfter(header, now), maxWait)
}

// Err says what the answer means: nil when the endpoint has the message, else a
// fault. said are the endpoint's own words, which the caller vouches for; they
// may be empty.
func (a Answer) Err(op, said string) error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	kind, words := judge(a.Status)
	words = fmt.Sprintf("%s (HTTP %d)", words, a.Status)
	if said != "" {
		words += ": " + said
	}
	return &fault.Error{Kind: kind, Op: op, Message: words, RetryAfter: a.RetryAfter}
}

// judge classifies every status but 2xx.
func judge(status int) (fault.Kind, string) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied, "the endpoint denies access: check its url and secret"
	case http.StatusNotFound:
		return fault.NotFound, "there is no endpoint at the url: check it"
	case http.StatusGone:
		return fault.NotFound, "the endpoint is gone"
	case http.StatusConflict:
		return fault.Conflict, "the endpoint says that the message conflicts with another"
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return fault.Unavailable, "the endpoint did not take the message this time"
	case http.StatusTooManyRequests:
		return fault.Throttled, "the endpoint asks to come back later"
	}
	switch {
	case status >= 300 && status < 400:
		return fault.Invalid, "the endpoint redirects, and redirects are not followed: check its url"
	case status >= 400 && status < 500:
		return fault.Invalid, "the endpoint does not take this message"
	}
	return fault.Ambiguous, "the endpoint does not say whether it has the message"
}
