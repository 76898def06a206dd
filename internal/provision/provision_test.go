package provision_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
	"github.com/rewardflow/rewardflow/internal/provision"
)

// TestAServer makes everything on a real server, twice.
func TestAServer(t *testing.T) {
	t.Parallel()

	server := enginetest.Start(t)
	c := server.Client(t)
	keys := []temporal.SearchAttributeKey{
		temporal.NewSearchAttributeKeyKeyword("RewardStatus"), temporal.NewSearchAttributeKeyKeyword("RewardUnit"),
	}
	const name, retention = "rewards", 48 * time.Hour

	first, err := provision.Namespace(t.Context(), c, name, retention)
	require.NoError(t, err)
	require.Equal(t, provision.Result{Made: true, Detail: "the namespace rewards was made; it keeps closed workflows for 48h"}, first)
	second, err := provision.Namespace(t.Context(), c, name, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, provision.Result{Detail: "the namespace rewards is there"}, second)
	found, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: name})
	require.NoError(t, err)
	require.Equal(t, retention, found.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(), "what is there is left as it is")

	made, err := provision.SearchAttributes(t.Context(), c, name, keys[:1])
	require.NoError(t, err)
	require.Equal(t, provision.Result{Made: true, Detail: "RewardStatus were added"}, made)
	made, err = provision.SearchAttributes(t.Context(), c, name, keys)
	require.NoError(t, err)
	require.Equal(t, provision.Result{Made: true, Detail: "RewardUnit were added"}, made)
	made, err = provision.SearchAttributes(t.Context(), c, name, keys)
	require.NoError(t, err)
	require.Equal(t, provision.Result{Detail: "RewardStatus, RewardUnit are there"}, made)

	other := []temporal.SearchAttributeKey{temporal.NewSearchAttributeKeyInt64("RewardStatus")}
	_, err = provision.SearchAttributes(t.Context(), c, name, other)
	byHand(t, err, "the search attribute RewardStatus of the namespace rewards is a Keyword, and a Int is needed", "use another namespace")

	requireCurrent(t, server)
}

// requireCurrent takes a deployment from nothing to its second version.
func requireCurrent(t *testing.T, server *enginetest.Server) {
	t.Helper()
	const deployment = "rewardflow"
	c := server.Client(t)
	_, err := provision.Current(t.Context(), c, deployment, "one")
	byHand(t, err, "no worker of the deployment rewardflow has asked for tasks yet", "rewardflow setup --make-current")
	unknown, err := provision.IsCurrent(t.Context(), c, deployment, "one")
	require.NoError(t, err)
	require.Contains(t, unknown.Detail, "no version of the deployment rewardflow is known yet")

	for _, build := range []string{"one", "two"} {
		w := worker.New(c, "queue", worker.Options{DeploymentOptions: worker.DeploymentOptions{
			UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: deployment, BuildID: build},
			DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
		}})
		w.RegisterWorkflow(nothing)
		require.NoError(t, w.Start())
		defer w.Stop()
		if build == "one" {
			require.Eventually(t, func() bool {
				_, err := provision.IsCurrent(t.Context(), c, deployment, build)
				_, missing := errors.AsType[*provision.ByHandError](err)
				return missing
			}, time.Minute, 100*time.Millisecond, "it is known, and not current")
		}
		var made provision.Result
		require.Eventually(t, func() bool {
			made, err = provision.Current(t.Context(), c, deployment, build)
			return err == nil
		}, time.Minute, 100*time.Millisecond)
		require.Equal(t, provision.Result{Made: true, Detail: "rewardflow." + build + " is the current version now"}, made)
		again, err := provision.Current(t.Context(), c, deployment, build)
		require.NoError(t, err)
		require.Equal(t, provision.Result{Detail: "rewardflow." + build + " is the current version"}, again)
	}
	state, err := provision.IsCurrent(t.Context(), c, deployment, "one")
	require.NoError(t, err)
	require.Contains(t, state.Detail, "rewardflow.two is the current version, and this is the build one")
}

func nothing(workflow.Context) error { return nil }

func TestAScheduleThatIsDenied(t *testing.T) {
	t.Parallel()

	calls := 0
	_, err := provision.Schedule(t.Context(), "rewards", func(context.Context) error {
		calls++
		return serviceerror.NewPermissionDenied("no", "")
	})
	byHand(t, err, "may not make schedules in the namespace rewards", "let its credentials write")
	require.Equal(t, 1, calls)

	failure := errors.New("broken")
	_, err = provision.Schedule(t.Context(), "rewards", func(context.Context) error { return failure })
	require.ErrorIs(t, err, failure)

	calls = 0
	_, err = provision.Schedule(t.Context(), "rewards", func(context.Context) error {
		if calls++; calls < 3 {
			return serviceerror.NewNamespaceNotFound("rewards")
		}
		return nil
	})
	require.NoError(t, err, "a namespace that was just made is waited for")
}

func byHand(t *testing.T, err error, what, do string) {
	t.Helper()
	missing, ok := errors.AsType[*provision.ByHandError](err)
	require.True(t, ok, "got %v", err)
	require.Contains(t, missing.What, what)
	require.Contains(t, missing.Do, do)
}
