package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
)

// newTracers exports spans when the environment asks for it. Else spans have
// IDs and go nowhere.
func newTracers(ctx context.Context, c Config, about *resource.Resource) (*sdktrace.TracerProvider, error) {
	if !wants(c.Lookup, "TRACES") {
		// A caller's decision to sample is passed on all the same.
		return sdktrace.NewTracerProvider(
			sdktrace.WithIDGenerator(ids{}), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))), nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithResource(about),
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, complaints: complaints{logger: c.Logger}}),
	), nil
}

// wants reports whether the environment names an exporter or a collector for a
// signal, TRACES or METRICS. The exporter's own default is a collector on localhost, which
// would be dialled for ever by everybody who has none. The variables are
// OpenTelemetry's:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func wants(lookup func(string) (string, bool), signal string) bool {
	if off, _ := lookup("OTEL_SDK_DISABLED"); strings.EqualFold(off, "true") {
		return false
	}
	if exporter, _ := lookup("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if endpoint, _ := lookup(name); endpoint != "" {
			return true
		}
	}
	return false
}

// complainEvery is how often an exporter that does not work is mentioned.
const complainEvery = time.Minute

// loggedExporter logs exports that did not work. OpenTelemetry's way to hear
// of them is a global handler.
type loggedExporter struct {
	sdktrace.SpanExporter
	complaints
}

// ExportSpans exports, and reports no error to its caller.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil && e.mayComplain(time.Now()) {
		e.logger.WarnContext(ctx, "traces cannot be exported", "spans", len(spans), slog.Any("error", err))
	}
	return nil
}

// complaints keeps an exporter from filling the log.
type complaints struct {
	logger *slog.Logger

	mu   sync.Mutex
	next time.Time
}

func (e *complaints) mayComplain(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Before(e.next) {
		return false
	}
	e.next = now.Add(complainEvery)
	return true
}

// TracingInterceptor returns what client.Options.Interceptors wants: it carries
// the trace context from the start of a workflow to its activities, and makes
// their spans. Workflow code makes none.
func (t *Telemetry) TracingInterceptor() interceptor.Interceptor {
	tracer := t.Tracer(temporalScope)
	return tracingInterceptor{interceptor.NewTracingInterceptor(temporalTracer{tracer: tracer}), tracer}
}

const traceparent = "traceparent"

// Traceparent returns the W3C trace context of ctx, to be stored; empty when
// it has none.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Continue returns a context whose spans belong to the stored trace context.
// One that cannot be read is left out.
func Continue(ctx context.Context, stored string) context.Context {
	if stored == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: stored})
}

// traceIDs returns the IDs of the span in ctx, for a log entry.
func traceIDs(ctx context.Context) []slog.Attr {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return nil
	}
	return []slog.Attr{
		slog.String(keyTraceID, span.TraceID().String()),
		slog.String(keySpanID, span.SpanID().String()),
	}
}
