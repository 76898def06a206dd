package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	prombridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.temporal.io/sdk/client"
	temporalotel "go.temporal.io/sdk/contrib/opentelemetry"
)

// temporalScope is the name under which Temporal's SDK measures and traces.
const temporalScope = "temporal-sdk-go"

// newMeters collects metrics: what Prometheus' own instruments say, together with
// what the Go runtime and the operating system say about the process, into a
// registry, and what OpenTelemetry's say through a provider. Both are gathered
// for /metrics, and both are exported where the environment asks for it.
func newMeters(ctx context.Context, c Config, about *resource.Resource) (
	*prometheus.Registry, prometheus.Gatherer, *sdkmetric.MeterProvider, error,
) {
	registry, bridged := prometheus.NewRegistry(), prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	exporter, err := promexporter.New(
		promexporter.WithRegisterer(bridged),
		promexporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		promexporter.WithoutScopeInfo(),
	)
	if err != nil {
		return nil, nil, nil, err
	}
	options := []sdkmetric.Option{
		sdkmetric.WithResource(about),
		sdkmetric.WithReader(exporter),
		sdkmetric.WithView(temporalLatencies()),
	}
	if name, _ := c.Lookup("OTEL_METRICS_EXPORTER"); name != "prometheus" && wants(c.Lookup, "METRICS") {
		reader, err := newMetricReader(ctx, c, registry)
		if err != nil {
			return nil, nil, nil, err
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	return registry, prometheus.Gatherers{registry, bridged}, sdkmetric.NewMeterProvider(options...), nil
}

// newMetricReader exports metrics over OTLP as OpenTelemetry's variables say,
// those of Prometheus' own instruments among them. Interval and timeout are
// OTEL_METRIC_EXPORT_INTERVAL and OTEL_METRIC_EXPORT_TIMEOUT.
func newMetricReader(ctx context.Context, c Config, from prometheus.Gatherer) (sdkmetric.Reader, error) {
	if name, _ := c.Lookup("OTEL_METRICS_EXPORTER"); name != "" && name != "otlp" {
		return nil, fmt.Errorf("OTEL_METRICS_EXPORTER is %q: it may be otlp, prometheus or none; /metrics is served in any case", name)
	}
	protocol, _ := c.Lookup("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")
	if protocol == "" {
		protocol, _ = c.Lookup("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	var exporter sdkmetric.Exporter
	var err error
	switch protocol {
	case "grpc":
		exporter, err = otlpmetricgrpc.New(ctx)
	case "", "http/protobuf":
		exporter, err = otlpmetrichttp.New(ctx)
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: for metrics it may be grpc or http/protobuf", protocol)
	}
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewPeriodicReader(&loggedMetrics{Exporter: exporter, complaints: complaints{logger: c.Logger}},
		sdkmetric.WithProducer(prombridge.NewMetricProducer(prombridge.WithGatherer(from)))), nil
}

// loggedMetrics logs exports that did not work.
type loggedMetrics struct {
	sdkmetric.Exporter
	complaints
}

// Export exports, and reports no error to its caller.
func (e *loggedMetrics) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	if err := e.Exporter.Export(ctx, data); err != nil && e.mayComplain(time.Now()) {
		e.logger.WarnContext(ctx, "metrics cannot be exported", slog.Any("error", err))
	}
	return nil
}

// temporalLatencies gives the SDK's latencies boundaries in seconds. It
// records seconds into buckets meant for milliseconds, where everything under
// five seconds is one bucket. A workflow may take weeks, and a payout
// milliseconds.
func temporalLatencies() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "temporal_*latency*", Unit: "s", Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400},
		}},
	)
}

// TemporalMetrics returns what client.Options.MetricsHandler wants. Its names
// are the ones that Temporal's dashboards ask for: counters end in _total,
// latencies in _seconds.
func (t *Telemetry) TemporalMetrics() client.MetricsHandler {
	handler := temporalotel.NewMetricsHandler(temporalotel.MetricsHandlerOptions{
		Meter:                t.Meter(temporalScope),
		UseMonotonicCounters: true,
		// The default is to panic.
		OnError: func(err error) {
			t.logger.Warn("a Temporal metric is not collected", slog.Any("error", err))
		},
	})
	// What is watched for its first time exists before it.
	for _, reason := range []string{"NonDeterminismError", "WorkflowError"} {
		handler.WithTags(map[string]string{"failure_reason": reason}).Counter("temporal_workflow_task_execution_failed").Inc(0)
	}
	handler.Counter("temporal_request_failure").Inc(0)
	return handler
}
