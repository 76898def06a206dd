package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// A worker is full while as many local activities run as may, and only then.
func TestLoad(t *testing.T) {
	t.Parallel()

	var load Load
	require.False(t, load.Full(), "it belongs to no worker yet")

	var (
		suite testsuite.WorkflowTestSuite
		seen  []bool
		look  = func(context.Context) error { seen = append(seen, load.Full()); return nil }
		times = 5 * time.Second
	)
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(Options{Activities: 1, Load: &load}.withDefaults().sdk())
	env.RegisterActivityWithOptions(look, activity.RegisterOptions{Name: "Look"})
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: times})
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: times})
		if err := workflow.ExecuteLocalActivity(ctx, look).Get(ctx, nil); err != nil {
			return err
		}
		return workflow.ExecuteActivity(ctx, "Look").Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []bool{true, false}, seen, "the first is local, the second is not")
	require.False(t, load.Full())
}
