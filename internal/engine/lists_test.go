package engine_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/engine"
)

// TestListsFollow runs workflows that end before a list has heard of them, and
// one that stays open: the lists hold each of them as it stands, with what it was
// started with. It does not run beside others; see TestEngineOutlivesAProcess.
func TestListsFollow(t *testing.T) {
	const quick = 60
	e, err := engine.Start(t.Context(), engine.Options{
		Dir: t.TempDir(), UIPort: engine.NoPort, MetricsPort: engine.NoPort, NoScavengers: true,
		SearchAttributes: []temporal.SearchAttributeKey{rewardStatus},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	c := dial(t, e)
	t.Cleanup(c.Close)
	w := worker.New(c, "lists", worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, open bool) error {
		return workflow.Await(ctx, func() bool { return !open })
	}, workflow.RegisterOptions{Name: "Lists"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	var starts sync.WaitGroup
	for i := range quick + 1 {
		starts.Go(func() {
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
				ID: fmt.Sprint("lists-", i), TaskQueue: "lists", EnableEagerStart: true,
				TypedSearchAttributes: temporal.NewSearchAttributes(rewardStatus.ValueSet("held")),
			}, "Lists", i == quick)
			if err == nil && i < quick {
				err = run.Get(t.Context(), nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()

	counts := func(query string) int64 {
		found, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Log(err)
		}
		return found.GetCount()
	}
	require.Eventually(t, func() bool {
		return counts("RewardStatus = 'held' AND ExecutionStatus = 'Completed'") == quick && counts("RewardStatus = 'held'") == quick+1
	}, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 1, counts("ExecutionStatus = 'Running' AND WorkflowId = 'lists-60'"))
	require.EqualValues(t, 1, counts("ExecutionStatus = 'Running' AND TaskQueue = 'lists'"))
}
