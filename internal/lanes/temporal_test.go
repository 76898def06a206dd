package lanes_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// query asks the workflow, as the Temporal UI does.
func query(w *world, t *testing.T, who person, id reward.ID) question {
	t.Helper()
	value, err := w.temporal.QueryWorkflow(t.Context(), workflows.FulfilmentID(id), "", workflows.QueryStatus)
	require.NoError(t, err)
	var shown workflows.FulfilmentStatus
	require.NoError(t, value.Get(&shown))
	return question{who: who, id: id, digest: shown.Digest, once: uuid.NewString()}
}

func vote(q question, v reward.Verdict) workflows.Vote {
	return workflows.Vote{Decision: v, By: string(q.who), Digest: q.digest, Comment: q.comment}
}

func sendUpdate(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	handle, err := w.temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: workflows.FulfilmentID(q.id), UpdateID: q.once, UpdateName: workflows.UpdateDecide,
		Args: []any{vote(q, v)}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var out activities.DecideResult
	if err == nil {
		err = handle.Get(t.Context(), &out)
	}
	if err != nil {
		return answer{words: err.Error()}
	}
	return answer{words: out.Refusal, counted: out.Counted}
}

// sendSignal sends a signal, which has no answer, and waits until the ledger
// holds one decision more by this person. A workflow that has ended hears
// nothing, and Temporal says so.
func sendSignal(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	name := workflows.SignalApprove
	if v == reward.Reject {
		name = workflows.SignalReject
	}
	before := w.signalled(t, q)
	err := w.temporal.SignalWorkflow(t.Context(), workflows.FulfilmentID(q.id), "", name, vote(q, v))
	if errors.As(err, new(*serviceerror.NotFound)) {
		return answer{words: err.Error()}
	}
	require.NoError(t, err)
	eventually(t, func() (string, bool) {
		// A workflow that ends has heard what came before.
		ended := w.record(t, q.id).Status == reward.Rejected && !w.running(t, q.id)
		return "the signal has led to no decision", w.signalled(t, q) > before || ended
	})
	return answer{}
}

// running reports whether the reward's workflow is open.
func (w *world) running(t *testing.T, id reward.ID) bool {
	t.Helper()
	said, err := w.temporal.DescribeWorkflowExecution(t.Context(), workflows.FulfilmentID(id), "")
	require.NoError(t, err)
	return said.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

func (w *world) signalled(t *testing.T, q question) int {
	t.Helper()
	n := 0
	for _, d := range w.decisions(t, q.id) {
		if d.Lane == reward.LaneTemporal && d.By == string(q.who) && d.Comment == q.comment {
			n++
		}
	}
	return n
}
