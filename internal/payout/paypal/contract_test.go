package paypal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// contract checks what passes through it against PayPal's OpenAPI file. Token
// requests pass unchecked: the file does not describe them.
type contract struct {
	router routers.Router
	next   http.Handler
	// lax lets answers pass that are not as described.
	lax bool

	mu         sync.Mutex
	violations []error
}

// loadRouter reads the OpenAPI file once for all tests.
var loadRouter = sync.OnceValues(func() (routers.Router, error) {
	document, err := openapi3.NewLoader().LoadFromFile("testdata/payments_payouts_batch_v1.json")
	if err != nil {
		return nil, err
	}
	document.Servers = nil // The double listens elsewhere.
	return gorillamux.NewRouter(document)
})

// keepContract puts the check before next. The test fails at its end if
// anything was not as described.
func keepContract(t *testing.T, next http.Handler) *contract {
	t.Helper()
	router, err := loadRouter()
	require.NoError(t, err)
	c := &contract{router: router, next: next}
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		require.NoError(t, errors.Join(c.violations...), "PayPal's OpenAPI file does not allow it")
	})
	return c
}

// ServeHTTP implements http.Handler.
func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/oauth2/token" {
		c.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	input, err := c.checkRequest(r)
	c.note(err)

	answer := httptest.NewRecorder()
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.next.ServeHTTP(answer, r)
	if !c.lax && err == nil {
		c.note(checkAnswer(input, answer))
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (c *contract) note(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, err)
}

func (c *contract) checkRequest(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: bearer},
	}
	return input, openapi3filter.ValidateRequest(context.WithoutCancel(r.Context()), input)
}

func bearer(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	if !strings.HasPrefix(in.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
		return errors.New("no bearer token")
	}
	return nil
}

func checkAnswer(input *openapi3filter.RequestValidationInput, answer *httptest.ResponseRecorder) error {
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 answer.Code,
		Header:                 answer.Header(),
		Body:                   io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// TestTheContractSeesViolations is the check's own check.
func TestTheContractSeesViolations(t *testing.T) {
	t.Parallel()

	router, err := loadRouter()
	require.NoError(t, err)
	for name, change := range map[string]func(*http.Request){
		"no token":          func(r *http.Request) { r.Header.Del("Authorization") },
		"another path":      func(r *http.Request) { r.URL.Path = "/v1/payments/payout" },
		"another type":      func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"amount as number":  replaceIn(`"value":"12.50"`, `"value":12.5`),
		"no items":          replaceIn(`"items"`, `"item"`),
		"long item ID":      replaceIn(`"sender_item_id":"`, `"sender_item_id":"`+strings.Repeat("k", 64)),
		"long receiver":     replaceIn(`"receiver":"`, `"receiver":"`+strings.Repeat("r", 127)),
		"no amount":         replaceIn(`"amount"`, `"amounts"`),
		"receiver a number": replaceIn(`"p@example.com"`, `5`),
	} {
		req := httptest.NewRequest(http.MethodPost, "/v1/payments/payouts", strings.NewReader(wantBody))
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/json")
		c := &contract{router: router}
		_, err := c.checkRequest(req.Clone(t.Context()))
		require.NoError(t, err)

		req.Body = io.NopCloser(strings.NewReader(wantBody))
		change(req)
		_, err = c.checkRequest(req)
		require.Error(t, err, name)
	}
}

func replaceIn(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		body := strings.Replace(wantBody, from, to, 1)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}
