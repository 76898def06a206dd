package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"

	"github.com/rewardflow/rewardflow/internal/telemetry"
)

func TestHandlerNamesMetricsAsDashboardsAskForThem(t *testing.T) {
	t.Parallel()

	tel := setup(t, telemetry.Config{Service: "rewardflow", Version: "1.2.3"})
	temporal := tel.TemporalMetrics().WithTags(map[string]string{"namespace": "default"})
	temporal.Counter("temporal_workflow_completed").Inc(2)
	temporal.Gauge("temporal_num_pollers").Update(4)
	temporal.Timer("temporal_activity_execution_latency").Record(40 * time.Millisecond)
	temporal.Timer("temporal_workflow_endtoend_latency").Record(2 * time.Hour)
	received, err := tel.Meter("intake").Int64Counter("rewardflow_events_received")
	require.NoError(t, err)
	received.Add(t.Context(), 1)
	answer, err := tel.Meter("intake").Float64Histogram("rewardflow_answer_duration",
		metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(.01, .1, 1))
	require.NoError(t, err)
	answer.Record(t.Context(), .05)

	lines := scrape(t, tel)
	for _, want := range []string{
		`temporal_workflow_completed_total{namespace="default"} 2`,
		`temporal_num_pollers{namespace="default"} 4`,
		`temporal_activity_execution_latency_seconds_bucket{namespace="default",le="0.025"} 0`,
		`temporal_activity_execution_latency_seconds_bucket{namespace="default",le="0.05"} 1`,
		`temporal_workflow_endtoend_latency_seconds_bucket{namespace="default",le="3600"} 0`,
		`temporal_workflow_endtoend_latency_seconds_bucket{namespace="default",le="86400"} 1`,
		`rewardflow_events_received_total 1`,
		`rewardflow_answer_duration_seconds_bucket{le="0.01"} 0`,
		`rewardflow_answer_duration_seconds_bucket{le="0.1"} 1`,
	} {
		require.Contains(t, lines, want)
	}
	text := strings.Join(lines, "\n")
	require.Contains(t, text, `service_name="rewardflow"`)
	require.Contains(t, text, `service_version="1.2.3"`)
	require.Contains(t, text, "go_goroutines ")
	require.Contains(t, text, "process_start_time_seconds ")
}

func TestTelemetriesDoNotShareMetrics(t *testing.T) {
	t.Parallel()

	one, other := setup(t, telemetry.Config{}), setup(t, telemetry.Config{})
	one.TemporalMetrics().Counter("temporal_request").Inc(1)

	require.Contains(t, scrape(t, one), "temporal_request_total 1")
	require.NotContains(t, scrape(t, other), "temporal_request_total 1")
}

func TestTracesStayInsideUntilTheEnvironmentNamesACollector(t *testing.T) {
	collector := startCollector(t, http.StatusOK)
	// The exporter would find the collector in the process's environment.
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)

	for name, tc := range map[string]struct {
		lookup func(string) (string, bool)
		want   bool
	}{
		"NoEnvironment":    {lookup: nil, want: false},
		"NothingSet":       {lookup: env(nil), want: false},
		"OnlyAName":        {lookup: env(map[string]string{"OTEL_SERVICE_NAME": "x"}), want: false},
		"EmptyEndpoint":    {lookup: env(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": ""}), want: false},
		"None":             {lookup: env(map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "x"}), want: false},
		"SwitchedOff":      {lookup: env(map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}), want: false},
		"AnExporter":       {lookup: env(map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}), want: true},
		"AnEndpoint":       {lookup: os.LookupEnv, want: true},
		"ATracesEndpoint":  {lookup: env(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"}), want: true},
		"NotSwitchedOff":   {lookup: env(map[string]string{"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "otlp"}), want: true},
		"OtherSignalsOnly": {lookup: env(map[string]string{"OTEL_METRICS_EXPORTER": "otlp"}), want: false},
	} {
		t.Run(name, func(t *testing.T) {
			before := collector.requests.Load()
			tel := setup(t, telemetry.Config{Service: "rewardflow", Lookup: tc.lookup})
			_, span := tel.Tracer("test").Start(t.Context(), "work")
			span.End()
			require.True(t, span.SpanContext().IsValid(), "a span always has IDs")
			require.NoError(t, tel.Shutdown(t.Context()))
			require.Equal(t, tc.want, collector.requests.Load() > before)
		})
	}
}

func TestNewRefusesAnUnknownExporter(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon")

	_, err := telemetry.New(t.Context(), telemetry.Config{Lookup: os.LookupEnv})
	require.ErrorContains(t, err, "tracing: ")
}

func TestACollectorThatRefusesIsLoggedOnce(t *testing.T) {
	collector := startCollector(t, http.StatusBadRequest)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	var log lockedBuffer
	tel := setup(t, telemetry.Config{Lookup: os.LookupEnv, Logger: telemetry.NewLogger(&log, telemetry.FormatText, nil)})

	for range 3 {
		_, span := tel.Tracer("test").Start(t.Context(), "work")
		span.End()
	}
	require.NoError(t, tel.Shutdown(t.Context()))
	require.EqualValues(t, 3, collector.requests.Load())
	require.Equal(t, 1, strings.Count(log.String(), "traces cannot be exported"), log.String())
}

func TestTraceparentSurvivesStorage(t *testing.T) {
	t.Parallel()

	tel := setup(t, telemetry.Config{})
	ctx, span := tel.Tracer("test").Start(t.Context(), "webhook")
	stored := telemetry.Traceparent(ctx)
	require.Contains(t, stored, span.SpanContext().TraceID().String())

	later, next := tel.Tracer("test").Start(telemetry.Continue(context.Background(), stored), "workflow")
	require.Equal(t, span.SpanContext().TraceID(), next.SpanContext().TraceID())
	require.NotEqual(t, stored, telemetry.Traceparent(later), "it is a span of its own")
}

func TestTraceparentKeepsTheCallersDecisionToSample(t *testing.T) {
	t.Parallel()

	tel := setup(t, telemetry.Config{})
	sampled := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx, _ := tel.Tracer("test").Start(telemetry.Continue(t.Context(), sampled), "work")
	require.True(t, strings.HasSuffix(telemetry.Traceparent(ctx), "-01"))
}

func TestContinueLeavesOutWhatItCannotRead(t *testing.T) {
	t.Parallel()

	require.Empty(t, telemetry.Traceparent(t.Context()))
	for _, stored := range []string{"", "nonsense", "00-00000000000000000000000000000000-0000000000000000-00"} {
		require.Empty(t, telemetry.Traceparent(telemetry.Continue(t.Context(), stored)), stored)
	}
}

func setup(t *testing.T, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

func env(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

func scrape(t *testing.T, tel *telemetry.Telemetry) []string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return strings.Split(w.Body.String(), "\n")
}

// collector stands for an OpenTelemetry collector: it counts what is sent.
type collector struct {
	*httptest.Server
	requests atomic.Int64
}

func startCollector(t *testing.T, answer int) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/v1/traces" {
			c.requests.Add(1)
		}
		w.WriteHeader(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// lockedBuffer is a log that is written while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
