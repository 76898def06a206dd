package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
)

func TestCrowdWaitsForItsTurn(t *testing.T) {
	t.Parallel()

	g := api.NewGate(2, 3, time.Minute)
	for range 2 {
		status, _ := g.Enter(t.Context())
		require.Zero(t, status)
	}
	var waiting sync.WaitGroup
	var inside atomic.Int64
	for range 3 {
		waiting.Go(func() {
			if status, _ := g.Enter(context.Background()); status == 0 {
				inside.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return g.Waiting() == 3 }, time.Minute, time.Millisecond)
	status, code := g.Enter(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "overcrowded", code)
	for range 2 {
		g.Leave()
	}
	require.Eventually(t, func() bool { return inside.Load() == 2 && g.Waiting() == 1 }, time.Minute, time.Millisecond)
	g.Leave()
	waiting.Wait()
	require.EqualValues(t, 3, inside.Load())
}

func TestCrowdDoesNotWaitForEver(t *testing.T) {
	t.Parallel()

	g := api.NewGate(1, 1, time.Millisecond)
	_, _ = g.Enter(t.Context())
	status, code := g.Enter(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "overcrowded", code)
	require.Zero(t, g.Waiting())

	g = api.NewGate(1, 1, time.Minute)
	_, _ = g.Enter(t.Context())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	status, code = g.Enter(gone)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "not_stored", code)
}

// TestWebhooksInsideAreBounded sends more webhooks at once than are let in.
func TestWebhooksInsideAreBounded(t *testing.T) {
	t.Parallel()

	const most, all = 512, 700
	a := newAPITest(t)
	release := make(chan struct{})
	var inside, answered atomic.Int64
	a.intake.accept = func(context.Context, []byte) (bool, string, error) {
		inside.Add(1)
		<-release
		return false, "", nil
	}
	var sending sync.WaitGroup
	for range all {
		sending.Go(func() {
			rec := httptest.NewRecorder()
			a.handler.ServeHTTP(rec, localRequest(http.MethodPost, webhookURL, `{}`))
			if rec.Code == http.StatusAccepted {
				answered.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return inside.Load() == most }, time.Minute, time.Millisecond)
	rec := a.do(t, http.MethodPost, webhookURL+"x", "{}")
	require.Equal(t, http.StatusUnauthorized, rec.Code, "nobody waits at the gate with a wrong secret")
	close(release)
	sending.Wait()
	require.EqualValues(t, all, answered.Load())
}

func TestReadinessCountsTheSpool(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		ping   error
		spool  spoolDouble
		status int
		body   string
		checks int
	}{
		"the inbox commits": {
			nil,
			spoolDouble{err: errors.New("no room")},
			200,
			`{"ready":true,"inbox":{"depth":0,"oldest_seconds":0},"spool":{"depth":0,"oldest_seconds":0},"temporal":{"reachable":true,"detail":""},"degraded":[]}`, 0,
		},
		"the spool takes its place": {
			errors.New("locked"),
			spoolDouble{depth: 12, oldest: noon().Add(-90 * time.Second)},
			200,
			`{"ready":true,"inbox":{"depth":0,"oldest_seconds":0},"spool":{"depth":12,"oldest_seconds":90},"temporal":{"reachable":true,"detail":""},
			"degraded":[{"part":"inbox","detail":"it cannot commit: internal error","since":"2026-11-23T12:00:00Z"},
			{"part":"spool","detail":"events wait there for the inbox to commit","since":"2026-11-23T12:00:00Z"}]}`, 1,
		},
		"neither": {
			errors.New("locked"),
			spoolDouble{err: errors.New("no room"), depth: 12, oldest: noon().Add(time.Hour)},
			503,
			`{"ready":false,"inbox":{"depth":0,"oldest_seconds":0},"spool":{"depth":12,"oldest_seconds":0},"temporal":{"reachable":true,"detail":""},
			"degraded":[{"part":"inbox","detail":"it cannot commit: internal error","since":"2026-11-23T12:00:00Z"},
			{"part":"spool","detail":"it cannot keep events: internal error","since":"2026-11-23T12:00:00Z"}]}`, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			spool := row.spool
			a := newAPITest(t, func(a *apiTest) { a.deps.Spool = &spool })
			a.ledger.ping = func(context.Context) error { return row.ping }
			rec := a.do(t, http.MethodGet, "/readyz", "")
			require.Equal(t, row.status, rec.Code)
			require.JSONEq(t, row.body, rec.Body.String())
			require.Equal(t, row.checks, spool.checks, "a look at the spool costs a wait for the disk")
		})
	}
}

// An outage that the spool covers is logged when it begins.
func TestUnavailableInboxIsLoggedOnce(t *testing.T) {
	t.Parallel()

	var elapsed atomic.Int64
	a := newAPITest(t, func(a *apiTest) {
		a.deps.Spool = &spoolDouble{}
		a.cfg.Now = func() time.Time { return noon().Add(time.Duration(elapsed.Load())) }
	})
	a.ledger.ping = func(context.Context) error { return errors.New("locked") }
	for range 5 {
		elapsed.Add(int64(time.Second))
		require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/readyz", "").Code)
	}
	require.Equal(t, 1, strings.Count(a.logs.String(), "inbox.unavailable"))
}

func TestEveryAnswerEndsItsConnectionWhileDraining(t *testing.T) {
	t.Parallel()

	var draining atomic.Bool
	a := newAPITest(t, func(a *apiTest) { a.deps.Draining = draining.Load })
	require.Empty(t, a.do(t, http.MethodPost, webhookURL, `{}`).Header().Get("Connection"))
	draining.Store(true)
	rec := a.do(t, http.MethodPost, webhookURL, `{}`)
	require.Equal(t, http.StatusAccepted, rec.Code, "what still comes is taken")
	require.Equal(t, "close", rec.Header().Get("Connection"))
	for _, path := range []string{"/readyz", "/livez", "/nothing"} {
		require.Equal(t, "close", a.do(t, http.MethodGet, path, "").Header().Get("Connection"), path)
	}
	require.Equal(t, "5", a.do(t, http.MethodGet, "/readyz", "").Header().Get("Retry-After"))
}
