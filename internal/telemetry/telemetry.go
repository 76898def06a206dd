// Package telemetry makes what the process tells about itself: metrics for
// Prometheus, traces for an OpenTelemetry collector, and logs.
//
// Metrics are always collected, for the /metrics endpoint. Traces, and metrics
// beside that endpoint, leave the process only when the environment names an
// exporter; without one nothing is
// dialled, and spans still carry valid IDs, so that the trace context of a
// webhook can be stored and taken up later.
//
// The package sets no globals: who needs a tracer or a meter is given one.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config describes the process.
type Config struct {
	// Service is the name under which traces appear, unless OTEL_SERVICE_NAME
	// says otherwise.
	Service string
	// Version is the version of the process; may be empty.
	Version string
	// Logger hears of exports that did not work; nil discards them.
	Logger *slog.Logger
	// Lookup reads the environment, as os.LookupEnv does, to decide whether
	// anything is exported; nil means that it is not. The exporter itself
	// always reads the process's environment.
	Lookup func(string) (string, bool)
}

// Telemetry is the process's metrics and traces. Its methods may be called
// from several goroutines.
type Telemetry struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	gather   prometheus.Gatherer
	meters   *sdkmetric.MeterProvider
	tracers  *sdktrace.TracerProvider
}

// New sets up metrics and traces. It dials nobody: a collector that does not
// answer is found out, and logged, by the first export.
func New(ctx context.Context, c Config) (*Telemetry, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Lookup == nil {
		c.Lookup = func(string) (string, bool) { return "", false }
	}
	about, err := describe(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("describing the process to OpenTelemetry: %w", err)
	}
	registry, gather, meters, err := newMeters(ctx, c, about)
	if err != nil {
		return nil, fmt.Errorf("collecting metrics: %w", err)
	}
	tracers, err := newTracers(ctx, c, about)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return &Telemetry{logger: c.Logger, registry: registry, gather: gather, meters: meters, tracers: tracers}, nil
}

// describe names the process. What the environment says (OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES) comes after ours and wins.
func describe(ctx context.Context, c Config) (*resource.Resource, error) {
	attributes := []attribute.KeyValue{attribute.String("service.name", c.Service)}
	if c.Version != "" {
		attributes = append(attributes, attribute.String("service.version", c.Version))
	}
	return resource.New(ctx,
		resource.WithAttributes(attributes...),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
}

// Handler serves the metrics in Prometheus' text format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.gather, promhttp.HandlerOpts{
		// One broken metric does not hide the others.
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      promLog{t.logger},
	})
}

// Registerer is where instruments that are not OpenTelemetry's are registered;
// Handler shows them too.
func (t *Telemetry) Registerer() prometheus.Registerer { return t.registry }

// Meter returns a meter. A histogram of seconds gives its own bucket
// boundaries (metric.WithExplicitBucketBoundaries): the default ones are for
// milliseconds.
func (t *Telemetry) Meter(name string) metric.Meter { return t.meters.Meter(name) }

// Tracer returns a tracer.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.tracers.Tracer(name) }

// TracerProvider returns the source of tracers, for instrumentation that wants one.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tracers }

// Propagator reads and writes the W3C headers traceparent and tracestate.
// Baggage, which can hold anything, is neither read nor sent on.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }

// Shutdown sends what waits to be exported and ends the exporters, for as long
// as the context allows. Metrics are not collected after it.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := errors.Join(t.tracers.Shutdown(ctx), t.meters.Shutdown(ctx)); err != nil {
		return fmt.Errorf("ending telemetry: %w", err)
	}
	return nil
}

// promLog hands what the metrics endpoint has to complain about to slog.
type promLog struct{ to *slog.Logger }

func (l promLog) Println(v ...any) {
	l.to.Warn("metrics are incomplete", "error", fmt.Sprint(v...))
}
