package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/provision"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// topologyRewards are fulfilled while everything restarts.
const topologyRewards = 200

// TestTopology is a cluster as processes on one machine: PostgreSQL, a Temporal
// server on it, two of the API behind a proxy, two workers of a version, and a
// provider whose payouts are limited. It fulfils 200 rewards while each process
// is restarted once, by force where a machine would die, and each is paid once.
func TestTopology(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	w := newWorld(t, settings{
		Database: server.Database(t), TeamKeys: ", payouts_per_minute: 60000",
		More: "temporal: {deployment: rewards}", CheckEvery: time.Second, RetryEvery: time.Second,
	})
	temporal := spec{NoAPI: true, NoWorker: true, Engine: server.URL("temporal"), TemporalPort: laterPort(t)}
	engine := w.start(temporal)
	api := spec{Temporal: engine.Temporal, NoWorker: true, DrainFor: 3 * time.Second}
	work := spec{Temporal: engine.Temporal, NoAPI: true, Build: "one"}

	p := newProxy(t, true)
	place := func(name string) *process {
		child := w.start(api)
		p.put(name, child)
		return child
	}
	apis := []*process{place("one"), place("two")}
	workers := []*process{w.start(work), w.start(work)}
	p.awaitReady(t, len(apis))
	w.process = workers[0]
	w.process.Temporal = engine.Temporal
	w.requireMadeCurrent("rewards", "one")
	w.fp.SetWebhookURLs(hook(p.URL), hook(p.URL))

	ids := make(chan reward.ID, topologyRewards)
	var sending sync.WaitGroup
	sending.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for range topologyRewards {
			id, err := w.fp.CreateReward(t.Context(), months())
			if err != nil {
				return
			}
			ids <- id
			<-pace.C
		}
	})

	workers[0].kill()
	workers[0] = w.start(work)
	apis[0].stop(t)
	apis[0] = place("one")
	engine.kill()
	w.start(temporal)
	p.awaitReady(t, len(apis))
	apis[1].kill()
	apis[1] = place("two")
	require.NoError(t, server.Kill())
	require.NoError(t, server.Up(t.Context()))
	workers[1].stop(t)
	workers[1] = w.start(work)
	p.awaitReady(t, len(apis))
	sending.Wait()
	close(ids)
	w.fp.SetWebhookURLs(hook(p.URL), hook(p.URL))

	var all []reward.ID
	for id := range ids {
		all = append(all, id)
	}
	require.Len(t, all, topologyRewards)
	w.process = apis[0]
	w.awaitAll(4*time.Minute, all, reward.Fulfilled)
	w.requireOnce(all...)
}

// requireMadeCurrent gives the tasks to a build, once its workers ask for them.
func (w *world) requireMadeCurrent(deployment, build string) {
	w.t.Helper()
	c := w.client()
	eventually(w.t, startWithin, func() (string, bool) {
		result, err := provision.Current(w.t.Context(), c, deployment, build)
		if err != nil {
			return err.Error(), false
		}
		return result.Detail, true
	})
}
