package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
)

const metricsPath = "/metrics"

// metricsServer collects the server's metrics and serves them to Prometheus.
// The server's own listener is not used, because nothing can stop it.
type metricsServer struct {
	handler metrics.Handler
	http    *http.Server
	done    chan struct{}
}

// startMetrics serves the metrics on the port, or collects none when the port
// is NoPort.
func startMetrics(port int, logger log.Logger) (*metricsServer, error) {
	if port == NoPort {
		return &metricsServer{handler: metrics.NoopMetricsHandler}, nil
	}
	registry := prometheus.NewRegistry()
	handler, err := newMetricsHandler(registry, logger)
	if err != nil {
		return nil, fmt.Errorf("collecting metrics: %w", err)
	}
	listener, err := net.Listen("tcp4", hostPort(port))
	if err != nil {
		return nil, fmt.Errorf("serving metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	s := &metricsServer{
		handler: handler,
		http:    &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		done:    make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

func (s *metricsServer) stop() error {
	if s.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-s.done
	return err
}

// newMetricsHandler names the metrics as the server's own Prometheus reporter
// does (no suffix for units and totals, timers in seconds), because dashboards
// ask for those names.
func newMetricsHandler(registry *prometheus.Registry, logger log.Logger) (metrics.Handler, error) {
	exporter, err := promexporter.New(
		promexporter.WithRegisterer(registry),
		promexporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithoutSuffixes),
		promexporter.WithoutScopeInfo(),
		promexporter.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, err
	}
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(exporter),
		sdkmetric.WithView(
			buckets(metrics.Seconds, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60),
			buckets(metrics.Milliseconds, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000),
			buckets(metrics.Dimensionless, 1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10_000),
			buckets(metrics.Bytes, 1<<10, 4<<10, 16<<10, 64<<10, 256<<10, 1<<20, 4<<20),
		),
	)
	return metrics.NewOtelMetricsHandler(logger, meterProvider{provider.Meter("temporal")}, metrics.ClientConfig{}, true)
}

func buckets(unit string, boundaries ...float64) sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Unit: unit},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: boundaries}},
	)
}

// meterProvider is the form in which the server takes a meter.
type meterProvider struct{ meter metric.Meter }

func (p meterProvider) GetMeter() metric.Meter { return p.meter }

// Stop does nothing: each service calls it, and the listener is ours to stop.
func (meterProvider) Stop(log.Logger) {}
