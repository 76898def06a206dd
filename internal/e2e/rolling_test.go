package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestRollingRestart restarts two processes of the API one after the other,
// under load, behind a proxy that sends a request again only when it found
// nobody to connect to: no request fails, and no event is lost.
func TestRollingRestart(t *testing.T) {
	t.Parallel()

	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()

		rollAPIs(t, settings{})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()

		server := postgrestest.New(t, postgrestest.Options{})
		rollAPIs(t, settings{Database: server.Database(t)})
	})
}

// rollAPIs restarts the API under 200 events a second.
func rollAPIs(t *testing.T, set settings) {
	t.Helper()
	w := newWorld(t, set)
	engine := w.launch(spec{NoAPI: true})
	engine.awaitReady(t)
	p := newProxy(t, false)
	api := spec{Temporal: engine.Temporal, NoWorker: true, DrainFor: 3 * time.Second}
	serving := map[string]*process{}
	for _, place := range []string{"one", "two"} {
		serving[place] = w.start(api)
		p.put(place, serving[place])
	}
	p.awaitReady(t, 2)
	w.fp.SetWebhookURLs(hook(p.URL), hook(p.URL))

	s := startStream(t, hook(p.URL), 200, time.Hour, "lead_signup", "reward_created", "promoter_accepted")
	var ids []reward.ID
	for _, place := range []string{"one", "two", "one"} {
		ids = append(ids, w.send(months()))
		serving[place].stop(t)
		ids = append(ids, w.send(months()))
		serving[place] = w.start(api)
		p.put(place, serving[place])
		p.awaitReady(t, 2)
	}
	s.attacker.Stop()
	accepted := s.finish()
	require.Empty(t, s.refused(), "requests that failed")
	require.Greater(t, len(accepted), 100)
	t.Logf("%d events were answered, and %d requests went to a second process", len(accepted), p.resent.Load())

	w.fp.SetWebhookURLs(hook(p.URL), hook(p.URL))
	w.process = serving["one"]
	w.awaitAll(time.Minute, ids, reward.Fulfilled)
	w.requireOnce(ids...)
	serving["one"].stop(t)
	serving["two"].stop(t)
	engine.stop(t)
	w.requireInTheLogOnce(s, accepted)
	w.requireAcceptedAreKept()
}

// TestDraining has a process that was told to stop serve on: it says that it is
// not ready, and ends every connection with its answer.
func TestDraining(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	w.process.kill()
	w.start(spec{DrainFor: 15 * time.Second})
	leaving := w.process
	stopped := make(chan struct{})
	go func() { defer close(stopped); leaving.stop(t) }()
	eventually(t, soon, func() (string, bool) {
		a, err := w.ask(http.MethodGet, "/readyz", "", nil)
		require.NoError(t, err, "it serves while it drains")
		return string(a.body), a.status == http.StatusServiceUnavailable
	})
	resp, err := w.http.Get(leaving.URL + "/readyz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.True(t, resp.Close, "the connection ends with the answer")
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	id := w.send(months())
	require.Equal(t, http.StatusAccepted, w.fp.Books().Deliveries[0].Answer, "what still comes is taken")
	<-stopped

	w.start(spec{})
	w.await(soon, id, reward.Fulfilled, "")
	w.requireOnce(id)
}

// TestStopLetsAnAttemptFinish stops the process while a payout is on the wire:
// the attempt ends, and what it came to is known.
func TestStopLetsAnAttemptFinish(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{})
	w.provider.Script(sandbox.CustID("slow"), sandbox.SlowAnswer(8*time.Second))
	w.start(spec{})
	id := w.send(to("slow"))
	eventually(t, soon, func() (string, bool) {
		return "the provider was not asked", w.provider.Books().ByReward[id] == 1
	})
	began := time.Now()
	w.process.stop(t)
	require.Less(t, time.Since(began), 40*time.Second, "the time that a process has for its end")

	w.start(spec{})
	s := w.await(soon, id, reward.Fulfilled, "")
	require.Len(t, s.Attempts, 1, "nothing had to be looked up, or sent again")
	w.requireOnce(id)
}
