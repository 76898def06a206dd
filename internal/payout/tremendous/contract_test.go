package tremendous_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// contract checks what passes through it against testdata/orders.yaml, and its
// requests against Tremendous's own OpenAPI file where TREMENDOUS_OPENAPI names
// one. testdata/README.md says why that is not in the repository.
type contract struct {
	routers []routers.Router
	next    http.Handler
	// lax lets answers pass that are not as described.
	lax bool

	mu         sync.Mutex
	violations []error
}

// loadRouters reads the OpenAPI files once for all tests.
var loadRouters = sync.OnceValues(func() ([]routers.Router, error) {
	files := []string{"testdata/orders.yaml"}
	if official := os.Getenv("TREMENDOUS_OPENAPI"); official != "" {
		files = append(files, official)
	}
	var loaded []routers.Router
	for _, file := range files {
		document, err := openapi3.NewLoader().LoadFromFile(file)
		if err != nil {
			return nil, err
		}
		document.Servers = nil // The double listens elsewhere.
		router, err := gorillamux.NewRouter(document)
		if err != nil {
			return nil, err
		}
		loaded = append(loaded, router)
	}
	return loaded, nil
})

// keepContract puts the check before next. The test fails at its end if
// anything was not as described.
func keepContract(t *testing.T, next http.Handler) *contract {
	t.Helper()
	loaded, err := loadRouters()
	require.NoError(t, err)
	c := &contract{routers: loaded, next: next}
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		require.NoError(t, errors.Join(c.violations...), "the description of Tremendous's API does not allow it")
	})
	return c
}

// ServeHTTP implements http.Handler.
func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	input, err := c.checkRequest(r, body)
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

// checkRequest checks against every file, and returns what our own file made of
// the request.
func (c *contract) checkRequest(r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	if !strings.HasPrefix(r.URL.Path, apiPath+"/") {
		return nil, errors.New("a path outside of " + apiPath)
	}
	var ours *openapi3filter.RequestValidationInput
	for _, router := range c.routers {
		checked := r.Clone(context.WithoutCancel(r.Context()))
		checked.Body = io.NopCloser(bytes.NewReader(body))
		checked.URL.Path = strings.TrimPrefix(r.URL.Path, apiPath)
		route, params, err := router.FindRoute(checked)
		if err != nil {
			return nil, err
		}
		input := &openapi3filter.RequestValidationInput{
			Request: checked, PathParams: params, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: bearer},
		}
		if err := openapi3filter.ValidateRequest(checked.Context(), input); err != nil {
			return nil, err
		}
		ours = cmp.Or(ours, input)
	}
	return ours, nil
}

func bearer(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	if !strings.HasPrefix(in.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
		return errors.New("no API key")
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

	loaded, err := loadRouters()
	require.NoError(t, err)
	c := &contract{routers: loaded}
	post := func(change func(*http.Request), body string) error {
		req := httptest.NewRequest(http.MethodPost, apiPath+"/orders", nil)
		req.Header.Set("Authorization", "Bearer x")
		req.Header.Set("Content-Type", "application/json")
		change(req)
		_, err := c.checkRequest(req, []byte(body))
		return err
	}
	same := func(*http.Request) {}
	require.NoError(t, post(same, wantBody))

	for name, change := range map[string]func(*http.Request){
		"no API key":   func(r *http.Request) { r.Header.Del("Authorization") },
		"another path": func(r *http.Request) { r.URL.Path = apiPath + "/order" },
		"no version":   func(r *http.Request) { r.URL.Path = "/orders" },
		"another type": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
	} {
		require.Error(t, post(change, wantBody), name)
	}
	for from, to := range map[string]string{
		`:12.50,`:                 `:"12.50",`,
		`"denomination"`:          `"amount"`,
		`"USD"`:                   `"BTC"`,
		`"currency_code"`:         `"currency"`,
		`"external_id"`:           `"externalId"`,
		`"rf_2429153_1"`:          `""`,
		`"EMAIL"`:                 `"LINK"`,
		`"email":"p@example.com"`: `"mail":"p@example.com"`,
		`"p@example.com"`:         `5`,
		`"campaign_id"`:           `"campaign"`,
		campaign:                  `not an ID`,
		`"funding_source_id"`:     `"source"`,
	} {
		body := strings.Replace(wantBody, from, to, 1)
		require.NotEqual(t, wantBody, body)
		require.Error(t, post(same, body), "%s in the place of %s", to, from)
	}
}
