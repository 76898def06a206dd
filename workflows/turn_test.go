package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// limited is a house whose provider's payouts have a task queue of their own.
// It returns where Pay ran as an activity, in order.
func limited(h *house) *[]string {
	h.cfg.Queues = map[string]string{"team": "rewardflow-team"}
	queues := &[]string{}
	h.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "Pay" && !info.IsLocalActivity {
			*queues = append(*queues, info.TaskQueue)
		}
	})
	return queues
}

// TestAPayoutWaitsForItsTurn keeps the fast path from submitting what is limited.
func TestAPayoutWaitsForItsTurn(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	queues := limited(h)
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	require.Equal(t, []string{"rewardflow-team"}, *queues)
}

// What people said is heard at once; the payout that follows waits.
func TestAnApprovalDoesNotWaitForAProvidersTurn(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	queues := limited(h)
	h.after(time.Hour, func() { h.env.SignalWorkflow(workflows.SignalApprove, workflows.Vote{ID: "1", By: "alice"}) })
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	require.Equal(t, []string{workflows.TaskQueue, "rewardflow-team"}, *queues)
}

// TestATurnThatDoesNotCome takes the limit away while a payout waits: nobody
// takes tasks from its queue then. It is assessed again, and paid.
func TestATurnThatDoesNotCome(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	queues := limited(h)
	waited := 0
	h.mock = func(acts *activities.Activities) {
		h.env.OnActivity("Pay", mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.PayInput) (activities.PayResult, error) {
			if in.Queue != "" && waited == 0 {
				waited++
				delete(h.cfg.Queues, "team")
				return activities.PayResult{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
			}
			return acts.Pay(ctx, in)
		})
	}
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	require.Equal(t, 1, waited)
	require.Equal(t, []string{"rewardflow-team"}, *queues, "what has no limit is paid at once")
}
