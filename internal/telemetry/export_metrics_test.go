package telemetry_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/internal/telemetry/otlpdouble"
)

// TestMetricsAreExportedWhereTheEnvironmentAsks sends both kinds of instruments by
// both protocols, each once.
func TestMetricsAreExportedWhereTheEnvironmentAsks(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			dir := t.TempDir()
			collector, err := otlpdouble.Start(t.Context(), dir)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, collector.Close()) })
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", map[string]string{"grpc": collector.GRPC(), "http/protobuf": collector.HTTP()}[protocol])
			tel := setup(t, telemetry.Config{Lookup: os.LookupEnv})
			ours := prometheus.NewCounter(prometheus.CounterOpts{Name: "rewardflow_things_total", Help: "Things."})
			tel.Registerer().MustRegister(ours)
			ours.Inc()
			tel.TemporalMetrics().Counter("temporal_request").Inc(1)
			require.NoError(t, tel.Shutdown(t.Context()))

			content, err := os.ReadFile(filepath.Join(dir, otlpdouble.MetricsFile))
			require.NoError(t, err)
			for _, name := range []string{"rewardflow_things_total", "temporal_request", "go_goroutines"} {
				require.Equal(t, 1, strings.Count(string(content), `"name":"`+name+`"`), "%s in %s", name, content)
			}
		})
	}
}

func TestAnExporterOfMetricsThatIsNotKnownIsAnError(t *testing.T) {
	t.Parallel()

	for _, environ := range []map[string]string{
		{"OTEL_METRICS_EXPORTER": "carrier-pigeon"},
		{"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
	} {
		_, err := telemetry.New(t.Context(), telemetry.Config{Lookup: env(environ)})
		require.ErrorContains(t, err, "OTEL_")
	}
	_, err := telemetry.New(t.Context(), telemetry.Config{Lookup: env(map[string]string{"OTEL_METRICS_EXPORTER": "prometheus"})})
	require.NoError(t, err, "that is what /metrics is")
}

func TestACollectorThatRefusesMetricsIsLoggedOnce(t *testing.T) {
	collector := startCollector(t, http.StatusBadRequest)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", collector.URL)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
	var log lockedBuffer
	tel := setup(t, telemetry.Config{Lookup: os.LookupEnv, Logger: telemetry.NewLogger(&log, telemetry.FormatText, nil)})
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "cannot be exported") }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, tel.Shutdown(t.Context()))
	require.Equal(t, 1, strings.Count(log.String(), "metrics cannot be exported"), log.String())
}
