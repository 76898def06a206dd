package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// TestResetEverywhere resets finished fulfilments to each of their events in
// turn. The server takes those that end a workflow task, and refuses others.
func TestResetEverywhere(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {when: 'unit == \"credits\"', then: ask, approvals: 2}\n  - {then: pay}"})
	w.provider.Script(sandbox.CustID("lost"), sandbox.LoseAnswer())
	c := w.client()

	automatic, lost := w.send(months()), w.send(to("lost"))
	approved := w.send(simulator.Spec{Amount: 900, Unit: reward.Credits})
	w.await(soon, approved, reward.AwaitingApproval, "")
	require.Equal(t, http.StatusOK, w.decide(approved, reward.Approve, "").status)
	_, err := w.client().UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: workflows.FulfilmentID(approved), UpdateName: workflows.UpdateDecide,
		Args: []any{workflows.Vote{Decision: reward.Approve, By: "a colleague"}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	ids := []reward.ID{automatic, lost, approved}
	w.awaitAll(soon, ids, reward.Fulfilled)

	for _, id := range ids {
		history := finished(t, c, id)
		resets := 0
		for _, event := range history.GetEvents() {
			taken := w.reset(c, id, history, event.GetEventId())
			if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				require.True(t, taken, "event %d ends a workflow task", event.GetEventId())
			}
			if taken {
				resets++
			}
		}
		t.Logf("reward %s was reset %d times", id, resets)
	}
	w.requireOnce(ids...)
	for _, id := range ids {
		require.Equal(t, reward.Fulfilled, w.reward(id, "").Status)
	}
}

// finished returns the history of a fulfilment's newest run once it has ended.
func finished(t *testing.T, c client.Client, id reward.ID) *historypb.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, c.GetWorkflow(ctx, workflows.FulfilmentID(id), "").Get(ctx, nil))
	history := &historypb.History{}
	events := c.GetWorkflowHistory(ctx, workflows.FulfilmentID(id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// reset starts a run that goes on behind an event of the first one, and waits
// for its end. It reports whether the server took the event for a reset.
func (w *world) reset(c client.Client, id reward.ID, first *historypb.History, task int64) bool {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	run := first.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()
	answer, err := c.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 engine.DefaultNamespace,
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: workflows.FulfilmentID(id), RunId: run},
		Reason:                    "a test",
		WorkflowTaskFinishEventId: task,
		RequestId:                 workflows.FulfilmentID(id) + "-" + strconv.FormatInt(task, 10),
	})
	if errors.As(err, new(*serviceerror.InvalidArgument)) {
		return false
	}
	require.NoError(w.t, err)
	require.NotEqual(w.t, run, answer.GetRunId())
	var result workflows.FulfilmentResult
	require.NoError(w.t, c.GetWorkflow(ctx, workflows.FulfilmentID(id), answer.GetRunId()).Get(ctx, &result), "reset to event %d", task)
	require.Equal(w.t, reward.Fulfilled, result.Status, "reset to event %d", task)
	return true
}
