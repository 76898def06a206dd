package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	secret     = "whsec-Tm90QVNlY3JldEJ1dExvbmdFbm91Z2g"
	webhookURL = "/webhooks/firstpromoter/" + secret
)

// noon is the harness's clock.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// apiTest is the whole surface over doubles.
type apiTest struct {
	cfg       api.Config
	deps      api.Deps
	intake    *intakeDouble
	ledger    *ledgerDouble
	desk      *deskDouble
	engine    *engineDouble
	callbacks *callbacksDouble
	policy    *policyDouble

	handler  http.Handler
	logs     *syncBuffer
	registry *prometheus.Registry
	spans    *tracetest.SpanRecorder
	document *openapi3.T
	routes   routers.Router
}

func newAPITest(t *testing.T, opts ...func(*apiTest)) *apiTest {
	t.Helper()
	a := &apiTest{
		intake:    &intakeDouble{},
		ledger:    &ledgerDouble{},
		desk:      &deskDouble{},
		engine:    &engineDouble{},
		callbacks: &callbacksDouble{},
		policy:    &policyDouble{},
		logs:      &syncBuffer{},
		registry:  prometheus.NewRegistry(),
		spans:     tracetest.NewSpanRecorder(),
	}
	a.cfg = api.Config{
		WebhookSecret:  secret,
		WorkflowID:     func(id reward.ID) string { return "fulfilment-" + id.String() },
		TemporalUIURL:  "http://127.0.0.1:8233/",
		Version:        "v1.2.3",
		EventTypes:     firstpromoter.KnownTypes(),
		Listen:         "127.0.0.1:8080",
		MetricsHandler: promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}),
		Logger:         slog.New(slog.NewJSONHandler(a.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(a.spans)),
		Now:            noon,
	}
	a.deps = api.Deps{Intake: a.intake, Ledger: a.ledger, Desk: a.desk, Engine: a.engine, Callbacks: a.callbacks, Policy: a.policy, Registerer: a.registry}
	for _, opt := range opts {
		opt(a)
	}
	handler, err := api.New(a.cfg, a.deps)
	require.NoError(t, err)
	a.handler = handler
	a.document, a.routes = loadDocument(t, handler)
	return a
}

// loadDocument reads the description that the surface serves of itself.
func loadDocument(t *testing.T, handler http.Handler) (*openapi3.T, routers.Router) {
	t.Helper()
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, localRequest(http.MethodGet, "/api/v1/openapi.json", ""))
	require.Equal(t, http.StatusOK, rec.Code)
	document, err := openapi3.NewLoader().LoadFromData(rec.Body.Bytes())
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(document)
	require.NoError(t, err)
	return document, router
}

// localRequest is a request as a program on the same machine sends it.
func localRequest(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:54321"
	r.Host = "localhost:8080"
	return r
}

// do sends a request as a program on the same machine does, and holds the
// answer against the document.
func (a *apiTest) do(t *testing.T, method, target, body string, edits ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := localRequest(method, target, body)
	for _, edit := range edits {
		edit(r)
	}
	return a.send(t, r)
}

func (a *apiTest) send(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, r)
	a.validate(t, r, rec)
	return rec
}

func (a *apiTest) validate(t *testing.T, r *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.NotEmpty(t, rec.Header().Get("X-Request-ID"))
	require.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
	route, params, err := a.routes.FindRoute(r)
	if err != nil {
		a.requireProblem(t, rec)
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 rec.Code,
		Header:                 rec.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes(rec.Body.Bytes())
	require.NoError(t, openapi3filter.ValidateResponse(context.Background(), input),
		"%s %s answered %d %s", r.Method, r.URL.Path, rec.Code, rec.Body)
	if rec.Code >= 400 && rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		a.requireProblem(t, rec)
	}
}

// requireProblem holds an error's answer against RFC 9457 and our schema.
func (a *apiTest) requireProblem(t *testing.T, rec *httptest.ResponseRecorder) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	var value any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &value))
	require.NoError(t, a.document.Components.Schemas["Problem"].Value.VisitJSON(value))
	p := decode[problem](t, rec)
	require.Equal(t, rec.Code, p.Status)
	require.Equal(t, http.StatusText(rec.Code), p.Title)
	return p
}

type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
}

func decode[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &v), "%s", rec.Body)
	return v
}

// lines returns the log's records.
func (a *apiTest) lines(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(a.logs.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		out = append(out, record)
	}
	return out
}

// value returns a counter, and whether it exists.
func (a *apiTest) value(t *testing.T, name string, labels map[string]string) (float64, bool) {
	t.Helper()
	families, err := a.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			same := len(m.GetLabel()) == len(labels)
			for _, l := range m.GetLabel() {
				same = same && labels[l.GetName()] == l.GetValue()
			}
			if same {
				return m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}

// counter returns a counter that exists.
func (a *apiTest) counter(t *testing.T, name string, labels map[string]string) int {
	t.Helper()
	v, ok := a.value(t, name, labels)
	require.True(t, ok, "%s %v does not exist", name, labels)
	return int(v)
}

// header sets a header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// bearer authenticates a request.
func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

// syncBuffer is a buffer for concurrent writers.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
