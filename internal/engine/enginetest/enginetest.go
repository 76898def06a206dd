// Package enginetest starts an embedded Temporal server for a test.
package enginetest

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/internal/engine"
)

// Server is an engine that lives as long as its test.
type Server struct {
	*engine.Engine
}

// Start runs a server on free ports, without UI, in a directory of its own,
// with the given search attributes. It takes about half a second, and stops
// when the test ends.
func Start(t testing.TB, attributes ...temporal.SearchAttributeKey) *Server {
	t.Helper()
	e, err := engine.Start(t.Context(), engine.Options{
		Dir:              t.TempDir(),
		UIPort:           engine.NoPort,
		SearchAttributes: attributes,
		NoScavengers:     true,
		Logger:           slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	return &Server{Engine: e}
}

// Client returns a new client of the server's namespace, which is closed when
// the test ends. A worker needs the same client as the code that starts
// workflows for an eager start.
func (s *Server) Client(t testing.TB) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), s.ClientOptions())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// ClientOptions returns what a client of the server needs, for a test that
// adds to it. Its log is discarded.
func (s *Server) ClientOptions() client.Options {
	return client.Options{
		HostPort:  s.Address(),
		Namespace: s.Namespace(),
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// Actions returns how many billable actions the server has counted in its
// namespace since it started. The counter rises just after the call that it
// counts was answered, so a test waits until it is what is expected.
//
// It counts what Temporal Cloud bills, but for a few differences: it also
// counts memo updates and the version marker, and leaves out standalone
// activities (https://docs.temporal.io/cloud/actions).
func (s *Server) Actions(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.MetricsURL(), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)

	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	total := 0.0
	for _, m := range families["action"].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "namespace" && label.GetValue() == s.Namespace() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return int(total)
}
