package telemetry

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.temporal.io/sdk/client"
	temporalotel "go.temporal.io/sdk/contrib/opentelemetry"
)

// temporalScope is the name under which Temporal's SDK measures and traces.
const temporalScope = "temporal-sdk-go"

// newMeters collects metrics into a registry of their own, together with what
// the Go runtime and the operating system say about the process.
func newMeters(about *resource.Resource) (*prometheus.Registry, *sdkmetric.MeterProvider, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	exporter, err := promexporter.New(
		promexporter.WithRegisterer(registry),
		promexporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		promexporter.WithoutScopeInfo(),
	)
	if err != nil {
		return nil, nil, err
	}
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(about),
		sdkmetric.WithReader(exporter),
		sdkmetric.WithView(temporalLatencies()),
	)
	return registry, provider, nil
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
	return temporalotel.NewMetricsHandler(temporalotel.MetricsHandlerOptions{
		Meter:                t.Meter(temporalScope),
		UseMonotonicCounters: true,
		// The default is to panic.
		OnError: func(err error) {
			t.logger.Warn("a Temporal metric is not collected", slog.Any("error", err))
		},
	})
}
