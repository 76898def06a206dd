package enginetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
)

const queue = "greetings"

func greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

func greeting(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var text string
	err := workflow.ExecuteActivity(ctx, greet, name).Get(ctx, &text)
	return text, err
}

func TestServerRunsWorkflowsAndCountsTheirActions(t *testing.T) {
	t.Parallel()

	campaign := temporal.NewSearchAttributeKeyKeyword("CampaignID")
	server := enginetest.Start(t, campaign)
	c := server.Client(t)
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(greeting)
	w.RegisterActivity(greet)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	require.Zero(t, server.Actions(t))

	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    "greeting-1",
		TaskQueue:             queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(campaign.ValueSet("17476")),
	}, greeting, "world")
	require.NoError(t, err)
	var text string
	require.NoError(t, run.Get(t.Context(), &text))
	require.Equal(t, "hello world", text)

	// One for the start and one for the activity.
	require.Eventually(t, func() bool { return server.Actions(t) == 2 }, time.Minute, 10*time.Millisecond)
}
