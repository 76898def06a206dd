package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// What a reward may cost that is paid by policy. The actions are exact, so that
// nobody adds one unawares.
const (
	mostEvents = 20
	actions    = 4
)

// TestBudgetOfTheAutomaticPath counts what a reward costs that is paid without
// people, by the engine's own count of actions. Process and engine are in the
// test, where the count is.
func TestBudgetOfTheAutomaticPath(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{})
	server := enginetest.Start(t, workflows.SearchAttributes()...)
	w.runHere(server.ClientOptions())
	c := server.Client(t)

	w.paidByPolicy(c) // The first one also pays for the worker's start.
	before := server.Actions(t)
	const more = 10
	var one reward.ID
	for range more {
		one = w.paidByPolicy(c)
	}
	eventually(t, soon, func() (string, bool) {
		counted := server.Actions(t) - before
		return fmt.Sprintf("%d rewards cost %d actions", more, counted), counted == more*actions
	})
	events := len(finished(t, c, one).GetEvents())
	t.Logf("a reward that is paid by policy costs %d actions and %d events", actions, events)
	require.LessOrEqual(t, events, mostEvents)
}

// runHere runs the process in the test itself.
func (w *world) runHere(temporal client.Options) {
	w.t.Helper()
	cfg, err := config.Load(w.configFile(), func(string) (string, bool) { return "", false })
	require.NoError(w.t, err)
	a, err := app.New(w.t.Context(), app.Options{Config: cfg, API: true, Worker: true, Temporal: temporal, Version: "e2e"})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, a.Stop(context.Background())) })
	require.NoError(w.t, a.Start(w.t.Context()))
	w.process = &process{ready: ready{URL: a.URL(), Temporal: temporal.HostPort}}
	w.announce(w.process)
}

// paidByPolicy sends a reward, waits until its workflow has ended, and returns it.
func (w *world) paidByPolicy(c client.Client) reward.ID {
	w.t.Helper()
	id := w.send(months())
	w.await(soon, id, reward.Fulfilled, "")
	require.NotEmpty(w.t, finished(w.t, c, id).GetEvents())
	return id
}
