package egress_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rewardflow/rewardflow/internal/egress"
)

// TestACallHasASpanWithoutItsAddress holds what a span tells of a call: where it
// went to as a host, and nothing of the path, where secrets stand.
func TestACallHasASpanWithoutItsAddress(t *testing.T) {
	t.Parallel()

	spans := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			w.WriteHeader(http.StatusTeapot) // Our trace is nobody else's business.
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)

	ctx, caller := tracers.Tracer("test").Start(t.Context(), "caller")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/hidden-path?q=hidden-query", nil)
	require.NoError(t, err)
	resp, err := egress.NewClient(egress.Options{}).Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	server.Close()
	_, err = egress.NewClient(egress.Options{}).Do(req) //nolint:bodyclose // There is none.
	require.Error(t, err)
	caller.End()

	got := spans.GetSpans()
	require.Len(t, got, 3)
	for _, s := range got[:2] {
		require.Equal(t, "POST", s.Name)
		require.Equal(t, caller.SpanContext().SpanID(), s.Parent.SpanID())
		require.Equal(t, codes.Error, s.Status.Code)
		for _, a := range s.Attributes {
			require.NotContains(t, a.Value.String(), "hidden")
		}
		require.NotContains(t, s.Status.Description, "hidden")
		require.NotContains(t, s.Status.Description, "127.0.0.1")
	}
	attributes := map[string]string{}
	for _, a := range got[0].Attributes {
		attributes[string(a.Key)] = a.Value.String()
	}
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "server.address": "127.0.0.1", "http.response.status_code": "503",
	}, attributes)
}
