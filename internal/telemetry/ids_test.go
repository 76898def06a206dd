package telemetry

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
)

// TestARunHasTheSameSpanInEveryProcess compares what two workers would give to
// the spans below the same run.
func TestARunHasTheSameSpanInEveryProcess(t *testing.T) {
	t.Parallel()

	parent, err := temporalTracer{}.UnmarshalSpan(map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	require.NoError(t, err)
	start := func(parent interceptor.TracerSpanRef, operation, run, update string) trace.SpanContext {
		tel, err := New(t.Context(), Config{})
		require.NoError(t, err)
		s, err := temporalTracer{tracer: tel.Tracer("test")}.StartSpan(&interceptor.TracerStartSpanOptions{
			Parent: parent, Operation: operation, Name: "Fulfilment", Tags: map[string]string{tagRunID: run, tagUpdateID: update},
		})
		require.NoError(t, err)
		return s.(*temporalSpan).SpanContext()
	}

	one := start(parent, "RunWorkflow", "run-1", "")
	require.Equal(t, one.SpanID(), start(parent, "RunWorkflow", "run-1", "").SpanID())
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", one.TraceID().String(), "the trace is the parent's")
	require.NotEqual(t, one.SpanID(), start(parent, "RunWorkflow", "run-2", "").SpanID())

	alone := start(nil, "RunWorkflow", "run-1", "")
	require.Equal(t, alone.TraceID(), start(nil, "RunWorkflow", "run-1", "").TraceID(), "a run without a parent, such as a schedule's")
	require.NotEqual(t, alone.TraceID(), start(nil, "RunWorkflow", "run-2", "").TraceID())

	update := start(parent, "HandleUpdate", "run-1", "update-1")
	require.Equal(t, update.SpanID(), start(parent, "HandleUpdate", "run-1", "update-1").SpanID())
	require.NotEqual(t, update.SpanID(), start(parent, "HandleUpdate", "run-1", "update-2").SpanID())

	require.NotEqual(t, start(parent, "RunActivity", "run-1", "").SpanID(), start(parent, "RunActivity", "run-1", "").SpanID(),
		"an activity that runs twice is seen twice")
}

func TestAHeaderThatCannotBeReadIsNoParent(t *testing.T) {
	t.Parallel()

	for _, header := range []map[string]string{nil, {"traceparent": "nonsense"}, {"other": "x"}} {
		ref, err := temporalTracer{}.UnmarshalSpan(header)
		require.NoError(t, err)
		require.Nil(t, ref)
	}
}
