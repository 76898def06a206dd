package workflows_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/workflows"
)

// TestRecordedHistoriesReplay replays what earlier versions left behind, one
// history for each branch: fulfilments that are open while a new version is
// deployed go on with it. internal/e2e records them; they are never changed.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()

	for _, file := range histories(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()

			require.NoError(t, replay(file, workflows.Fulfilment))
		})
	}
}

// TestOtherWorkflowsDoNotReplay shows that the replay would notice a change.
func TestOtherWorkflowsDoNotReplay(t *testing.T) {
	t.Parallel()

	type fulfilment = func(workflow.Context, workflows.FulfilmentInput) (workflows.FulfilmentResult, error)
	others := map[string]fulfilment{
		"a step more": func(ctx workflow.Context, in workflows.FulfilmentInput) (workflows.FulfilmentResult, error) {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return workflows.FulfilmentResult{}, err
			}
			return workflows.Fulfilment(ctx, in)
		},
		"another activity": func(ctx workflow.Context, in workflows.FulfilmentInput) (workflows.FulfilmentResult, error) {
			ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
			if err := workflow.ExecuteLocalActivity(ctx, "Verify", in).Get(ctx, nil); err != nil {
				return workflows.FulfilmentResult{}, err
			}
			return workflows.Fulfilment(ctx, in)
		},
		"another end": func(ctx workflow.Context, in workflows.FulfilmentInput) (workflows.FulfilmentResult, error) {
			result, err := workflows.Fulfilment(ctx, in)
			if err != nil {
				return result, err
			}
			return result, workflow.NewContinueAsNewError(ctx, workflows.FulfilmentType, in)
		},
	}
	for name, other := range others {
		for _, file := range histories(t) {
			t.Run(name+"/"+file, func(t *testing.T) {
				t.Parallel()

				require.Error(t, replay(file, other))
			})
		}
	}
}

const historiesDir = "testdata/histories"

// histories returns the recorded histories as version/branch.json.
func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(historiesDir, "*", "*.json"))
	require.NoError(t, err)
	names := make([]string, 0, len(files))
	for _, file := range files {
		name, err := filepath.Rel(historiesDir, file)
		require.NoError(t, err)
		names = append(names, filepath.ToSlash(name))
	}
	for _, version := range []string{"v1", "v2"} {
		for _, branch := range []string{"automatic", "approved", "rejected", "quarantined_abandoned", "refused_retry", "settled_later"} {
			require.Contains(t, names, version+"/"+branch+".json")
		}
	}
	return names
}

// replay replays a history with the given function as the fulfilment.
func replay(file string, as any) error {
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(as, workflow.RegisterOptions{Name: workflows.FulfilmentType})
	return replayer.ReplayWorkflowHistoryFromJSONFile(nil, filepath.Join(historiesDir, filepath.FromSlash(file)))
}

// TestRecordedNotificationsReplay replays notifications that began before the
// ledger kept what channels were told: one with a channel that was given up,
// open and completed. They were recorded by the code of that time, and are
// never changed.
func TestRecordedNotificationsReplay(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob(filepath.Join("testdata", "notifications", "*", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		replayer := worker.NewWorkflowReplayer()
		replayer.RegisterWorkflowWithOptions(workflows.Notification, workflow.RegisterOptions{Name: workflows.NotificationType})
		require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file), file)

		other := worker.NewWorkflowReplayer()
		other.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.NotificationInput) (workflows.NotificationResult, error) {
			in.Channels = in.Channels[1:]
			return workflows.Notification(ctx, in)
		}, workflow.RegisterOptions{Name: workflows.NotificationType})
		require.Error(t, other.ReplayWorkflowHistoryFromJSONFile(nil, file), "the replay would notice a change: %s", file)
	}
}
