package cli_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/cli"
)

// doctored runs doctor on a configuration, and returns a finding by its name.
func doctored(t *testing.T, now func() time.Time, document, name string) (result, detail string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	file := filepath.Join(t.TempDir(), "rewardflow.yaml")
	require.NoError(t, os.WriteFile(file, []byte(document), 0o600))

	b := setup(t, http.NotFound, "doctor", "--config", file, "-o", "json")
	b.env.Now = now
	b.env.Lookup = func(name string) (string, bool) {
		return listener.Addr().String(), name == "TEMPORAL_ADDRESS"
	}
	require.Equal(t, 1, cli.New(b.env).Execute(t.Context()), "there is no Temporal")
	var found struct {
		Checks []struct{ Name, Result, Detail string }
	}
	require.NoError(t, json.Unmarshal(b.stdout.Bytes(), &found), b.stderr.String())
	for _, f := range found.Checks {
		if f.Name == name {
			return f.Result, f.Detail
		}
	}
	require.Fail(t, "there is no such check", name)
	return "", ""
}

// An answer that takes its time proves less: FirstPromoter may have looked at
// its clock at any moment between the request and the answer.
func TestTheClockIsNotBlamedForTheWay(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		server, way time.Duration
		result      string
		detail      string
	}{
		{0, 0, "ok", "it agrees with FirstPromoter's, to 1s"},
		{10 * time.Second, 30 * time.Second, "ok", "it agrees with FirstPromoter's, to 20s"},
		{-9 * time.Second, 2 * time.Second, "ok", "it is at least 8s ahead of FirstPromoter's\nnote: have a time service set it; from 5 minutes on, signatures are refused"},
		{95 * time.Second, 30 * time.Second, "failed", "it is at least 1m5s behind FirstPromoter's"},
		{65 * time.Second, 30 * time.Second, "ok", "it is at least 35s behind FirstPromoter's\nnote: have a time service set it; from 5 minutes on, signatures are refused"},
	} {
		var answered atomic.Bool
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answered.Store(true)
			w.Header().Set("Date", noon().Add(row.server).Format(http.TimeFormat))
			_, _ = w.Write([]byte("[]"))
		}))
		now := func() time.Time {
			if answered.Load() {
				return noon().Add(row.way)
			}
			return noon()
		}
		result, detail := doctored(t, now, strings.Replace(`
firstpromoter: {base_url: 'URL', api_key: k, webhook_secret: 0123456789abcdef0123456789abcdef}
providers: {people: {type: manual}}
routes: [{provider: people}]
`, "URL", server.URL, 1), "clock")
		server.Close()
		require.Equal(t, row.detail, detail)
		require.Equal(t, row.result, result, detail)
	}
}
