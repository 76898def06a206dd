package stripe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// client is stripe-go, tamed: it repeats nothing, logs nothing, reports no
// telemetry, and shares nothing with another instance.
type client struct {
	backend stripego.Backend
	key     string
	now     func() time.Time
}

func newClient(key, base string, timeout time.Duration, now func() time.Time) *client {
	httpClient := egress.NewClient(egress.Options{Timeout: timeout})
	httpClient.Transport = capped{httpClient.Transport}
	backends := stripego.NewBackendsWithConfig(&stripego.BackendConfig{
		EnableTelemetry:   stripego.Bool(false),
		HTTPClient:        httpClient,
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull},
		MaxNetworkRetries: stripego.Int64(0),
		URL:               stripego.String(base),
	})
	return &client{backend: backends.API, key: key, now: now}
}

// call makes one call and reads the object that answers it. stripe-go's own
// client has a service for everything in Stripe, and the linker keeps them all:
// 4 MB of a program that makes ten calls.
func call[T any, P interface {
	*T
	stripego.LastResponseSetter
}](ctx context.Context, c *client, method, path string, params stripego.ParamsContainer) (*T, error) {
	params.GetParams().Context = ctx
	got := new(T)
	return got, c.backend.Call(method, path, c.key, params, P(got))
}

// updateSubscription changes a subscription.
func (c *client) updateSubscription(ctx context.Context, id string, params *stripego.SubscriptionUpdateParams) (*stripego.Subscription, error) {
	return call[stripego.Subscription](ctx, c, http.MethodPost, stripego.FormatURLPath("/v1/subscriptions/%s", id), params)
}

// capped bounds the answers, which stripe-go reads to their end.
type capped struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t capped) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		resp.Body = &cappedBody{ReadCloser: resp.Body, left: egress.MaxBody}
	}
	return resp, err
}

type cappedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader. An answer that goes on for too long is broken
// off, and then means nothing.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// answered reports whether a parsed object came with a status of success:
// stripe-go parses the body of a redirect, too.
func answered(r stripego.APIResource) bool {
	return r.LastResponse != nil && r.LastResponse.StatusCode/100 == 2
}

// The limits of a list that is read to its end.
const (
	pageSize = 100
	maxPages = 100
)

// errList says that a list was not what Stripe's lists are, or had no end.
var errList = errors.New("the list cannot be read to its end")

// page is one page of a list. stripe-go's own lists take any JSON object for
// an empty one, and an empty list would mean here that nothing was paid.
type page[T any] struct {
	stripego.APIResource
	Object  string `json:"object"`
	HasMore *bool  `json:"has_more"`
	Data    []*T   `json:"data"`
}

func (p *page[T]) whole() bool {
	return answered(p.APIResource) && p.Object == "list" && p.HasMore != nil && p.Data != nil && !slices.Contains(p.Data, nil)
}

// list reads every page of a list, and returns all of it or an error. The next
// page is asked for by the ID of the last item, which id returns.
func list[T any](ctx context.Context, c *client, path string, query url.Values, id func(*T) string) ([]*T, error) {
	var all []*T
	query.Set("limit", strconv.Itoa(pageSize))
	for range maxPages {
		var p page[T]
		err := c.backend.CallRaw(http.MethodGet, path, c.key, []byte(query.Encode()), &stripego.Params{Context: ctx}, &p)
		if err != nil {
			return nil, err
		}
		if !p.whole() {
			return nil, errList
		}
		all = append(all, p.Data...)
		if !*p.HasMore {
			return all, nil
		}
		if len(p.Data) == 0 {
			return nil, errList
		}
		query.Set("starting_after", id(p.Data[len(p.Data)-1]))
	}
	return nil, errList
}

// customer reads a customer. The error of this read, and of those below, is a
// classified fault; it is NotFound where Stripe knows no such object.
func (c *client) customer(ctx context.Context, id string) (*stripego.Customer, error) {
	got, err := call[stripego.Customer](ctx, c, http.MethodGet, stripego.FormatURLPath("/v1/customers/%s", id), &stripego.CustomerRetrieveParams{})
	if err == nil && (!answered(got.APIResource) || got.ID != id) {
		err = errUnreadable
	}
	return got, c.unread("customer "+id, err)
}

// account reads a connected account.
func (c *client) account(ctx context.Context, id string) (*stripego.Account, error) {
	got, err := call[stripego.Account](ctx, c, http.MethodGet, stripego.FormatURLPath("/v1/accounts/%s", id), &stripego.AccountRetrieveParams{})
	if err == nil && (!answered(got.APIResource) || got.ID != id) {
		err = errUnreadable
	}
	return got, c.unread("account "+id, err)
}

// subscription reads a subscription with its discounts.
func (c *client) subscription(ctx context.Context, id string) (*stripego.Subscription, error) {
	params := &stripego.SubscriptionRetrieveParams{}
	params.AddExpand("discounts")
	got, err := call[stripego.Subscription](ctx, c, http.MethodGet, stripego.FormatURLPath("/v1/subscriptions/%s", id), params)
	if err == nil && (!answered(got.APIResource) || got.ID != id) {
		err = errUnreadable
	}
	return got, c.unread("subscription "+id, err)
}

// coupon reads a coupon; nil when there is none.
func (c *client) coupon(ctx context.Context, id string) (*stripego.Coupon, error) {
	got, err := call[stripego.Coupon](ctx, c, http.MethodGet, stripego.FormatURLPath("/v1/coupons/%s", id), &stripego.CouponRetrieveParams{})
	if err == nil && (!answered(got.APIResource) || got.ID != id) {
		err = errUnreadable
	}
	err = c.unread("coupon "+id, err)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return got, err
}

// balance reads the balance of our own account.
func (c *client) balance(ctx context.Context) (*stripego.Balance, error) {
	got, err := call[stripego.Balance](ctx, c, http.MethodGet, "/v1/balance", &stripego.BalanceRetrieveParams{})
	if err == nil && (!answered(got.APIResource) || got.Available == nil) {
		err = errUnreadable
	}
	return got, c.unread("balance", err)
}

// errUnreadable stands for an answer that is not what was asked for.
var errUnreadable = errors.New("the answer is not what was asked for")

// unread classifies why a read failed. A read has no effect, so whatever is
// not a clear answer is Unavailable.
func (c *client) unread(what string, err error) error {
	const op = "stripe.read"
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*stripego.Error](err)
	if !ok {
		return fault.Wrap(fault.Unavailable, op, fmt.Sprintf("Stripe's %s could not be read: %s", what, noAnswer(err).Message), err)
	}
	kind, words := fault.Declined, "Stripe does not show the "+what
	switch {
	case e.HTTPStatusCode == http.StatusUnauthorized, e.HTTPStatusCode == http.StatusForbidden:
		kind, words = fault.Denied, "the API key may not read the "+what
	case e.HTTPStatusCode == http.StatusTooManyRequests:
		kind, words = fault.Throttled, "Stripe asks to come back later"
	case e.HTTPStatusCode >= http.StatusInternalServerError, e.HTTPStatusCode == http.StatusConflict:
		kind, words = fault.Unavailable, "Stripe could not show the "+what
	case e.HTTPStatusCode == http.StatusNotFound && e.Code == stripego.ErrorCodeResourceMissing:
		kind, words = fault.NotFound, "Stripe knows no "+what
	}
	f := fault.Wrap(kind, op, said(words, e), err)
	f.RetryAfter = c.retryAfter(e)
	return f
}

func (c *client) retryAfter(e *stripego.Error) time.Duration {
	if e.LastResponse == nil {
		return 0
	}
	return egress.RetryAfter(e.LastResponse.Header, c.now())
}
