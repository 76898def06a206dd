package workflows_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// board is the channel of approvals with a memory. trouble is what each try
// comes to, in order; then everything goes well.
type board struct {
	during func(n int)

	mu      sync.Mutex
	trouble []error
	shown   []bool // Whether it was to be drawn in any case.
}

func (b *board) Show(_ context.Context, id reward.ID, redraw bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != 7 {
		return "", fault.New(fault.NotFound, "board.show", "no such reward")
	}
	b.shown = append(b.shown, redraw)
	if b.during != nil {
		b.during(len(b.shown))
	}
	if n := len(b.shown); n <= len(b.trouble) {
		return "", b.trouble[n-1]
	}
	return "updated", nil
}

func drawing(t *testing.T, b activities.ApprovalBoard) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	worker.Register(env, nil, nil, activities.NewApprovalMessages(b))
	return env
}

func drawn(t *testing.T, env *testsuite.TestWorkflowEnvironment, id reward.ID, asked ...workflows.Redraw) string {
	t.Helper()
	env.RegisterDelayedCallback(func() {
		for _, a := range asked {
			env.SignalWorkflow(workflows.SignalRedraw, a)
		}
	}, 0)
	env.ExecuteWorkflow(workflows.SlackApprovalType, workflows.SlackApprovalInput{RewardID: id})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var result workflows.SlackApprovalResult
	require.NoError(t, env.GetWorkflowResult(&result))
	return result.Message
}

func TestSlackApprovalWireNamesNeverChange(t *testing.T) {
	t.Parallel()

	for want, v := range map[string]any{
		`{"reward_id":7}`:               workflows.SlackApprovalInput{RewardID: 7},
		`{"message":"posted"}`:          workflows.SlackApprovalResult{Message: "posted"},
		`{}`:                            workflows.Redraw{},
		`{"always":true}`:               workflows.Redraw{Always: true},
		`{"reward_id":7,"always":true}`: activities.ShowApprovalInput{RewardID: 7, Always: true},
		`{"did":"posted"}`:              activities.ShowApprovalResult{Did: "posted"},
	} {
		got, err := json.Marshal(v)
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
	require.Equal(t, "slack-approval-7", workflows.SlackApprovalID(7))
	require.Equal(t, "SlackApproval", workflows.SlackApprovalType)
	require.Equal(t, "redraw", workflows.SignalRedraw)
}

// TestChangesWhileDrawingAreDrawn asks again while an activity is under way:
// what it read may be old by then.
func TestChangesWhileDrawingAreDrawn(t *testing.T) {
	t.Parallel()

	b := &board{}
	env := drawing(t, b)
	b.during = func(n int) {
		if n == 1 {
			env.SignalWorkflow(workflows.SignalRedraw, workflows.Redraw{})
			env.SignalWorkflow(workflows.SignalRedraw, workflows.Redraw{Always: true})
			env.SignalWorkflow(workflows.SignalRedraw, workflows.Redraw{})
		}
	}
	require.Equal(t, "updated", drawn(t, env, 7))
	require.Equal(t, []bool{false, true}, b.shown, "three changes are drawn at once")
}

func TestSlackInTroubleIsAskedAgain(t *testing.T) {
	t.Parallel()

	b := &board{trouble: []error{
		&fault.Error{Kind: fault.Throttled, Message: "less", RetryAfter: 30 * time.Second},
		fault.New(fault.Ambiguous, "slack.post", "it may have been done"),
		&fault.Error{Kind: fault.Denied, Message: "invite the app", RetryAfter: 10 * time.Minute},
	}}
	env := drawing(t, b)
	began := env.Now()
	require.Equal(t, "updated", drawn(t, env, 7))
	require.Len(t, b.shown, 4)
	require.GreaterOrEqual(t, env.Now().Sub(began), 10*time.Minute+30*time.Second)
}

func TestMessageThatCannotBeDrawnEndsInWords(t *testing.T) {
	t.Parallel()

	b := &board{trouble: []error{fault.New(fault.Invalid, "slack.post", "Slack does not take it: invalid_blocks")}}
	require.Contains(t, drawn(t, drawing(t, b), 7), "invalid_blocks")
	require.Len(t, b.shown, 1)
	require.Contains(t, drawn(t, drawing(t, b), 8), "no such reward")
	require.Contains(t, drawn(t, drawing(t, nil), 7), "Slack is not configured any more")
}
