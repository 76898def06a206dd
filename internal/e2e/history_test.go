package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

const (
	// recordVariable makes TestHistoriesReplay write the histories down, for
	// the replay test of the package workflows.
	recordVariable = "REWARDFLOW_RECORD"
	// recorded is where they go. A directory is written once and kept for
	// ever: other code gets a directory of its own.
	recorded = "../../workflows/testdata/histories/v2"
)

// TestHistoriesReplay drives one reward along each branch and replays the
// history that it left.
func TestHistoriesReplay(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {when: 'unit == \"credits\"', then: ask, approvals: 2}\n  - {then: pay}"})
	w.provider.Script(sandbox.CustID("slow"), sandbox.SettleLater(time.Second))
	w.provider.Script(func(p sandbox.Payout) bool {
		return p.Reward.Promoter.CustID == "refused" && p.Key == payout.Key(p.Reward.ID, 1)
	}, sandbox.Refuse("no customer with this ID").Always())

	c := w.client()
	for branch, id := range w.branches() {
		history := finished(t, c, id)
		replayer := worker.NewWorkflowReplayer()
		replayer.RegisterWorkflowWithOptions(workflows.Fulfilment, workflow.RegisterOptions{Name: workflows.FulfilmentType})
		require.NoError(t, replayer.ReplayWorkflowHistory(nil, history), branch)
		if os.Getenv(recordVariable) != "" {
			record(t, branch, history)
		}
	}
}

// branches brings one reward to the end of each branch.
func (w *world) branches() map[string]reward.ID {
	w.t.Helper()
	credits := func(amount int64) simulator.Spec { return simulator.Spec{Amount: amount, Unit: reward.Credits} }
	slow := w.send(to("slow"))
	automatic, approved, rejected := w.send(months()), w.send(credits(900)), w.send(credits(901))
	refused := w.send(to("refused"))
	forged, err := w.fp.FireForged(w.t.Context(), simulator.Forgery{Spec: months()})
	require.NoError(w.t, err)

	w.await(soon, approved, reward.AwaitingApproval, "")
	require.Equal(w.t, http.StatusOK, w.decide(approved, reward.Approve, "").status)
	w.signal(approved, workflows.SignalApprove)
	w.await(soon, rejected, reward.AwaitingApproval, "")
	require.Equal(w.t, http.StatusOK, w.decide(rejected, reward.Reject, "").status)
	w.await(soon, refused, reward.Attention, "")
	w.resolve(refused, "", map[string]any{"action": "retry"})
	w.await(soon, forged.Reward, reward.Quarantined, "")
	w.resolve(forged.Reward, "", map[string]any{"action": "abandon", "comment": "nobody owes this"})

	w.awaitAll(soon, []reward.ID{automatic, approved, refused, slow}, reward.Fulfilled)
	w.await(soon, rejected, reward.Rejected, "")
	w.await(soon, forged.Reward, reward.Abandoned, "")
	w.requireOnce(automatic, approved, refused, slow)
	require.Equal(w.t, 2, w.reward(refused, "").Payout.Generation)
	return map[string]reward.ID{
		"automatic": automatic, "approved": approved, "rejected": rejected,
		"quarantined_abandoned": forged.Reward, "refused_retry": refused, "settled_later": slow,
	}
}

// record writes a history down, without the name of this machine.
func record(t *testing.T, branch string, history *historypb.History) {
	t.Helper()
	for _, event := range history.GetEvents() {
		// A worker's own queue is named for its machine.
		queue := event.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue()
		if _, own, named := strings.Cut(queue.GetName(), ":"); named {
			queue.Name = "host:" + own
		}
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(history)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(recorded, 0o755))
	file, err := os.OpenFile(filepath.Join(recorded, branch+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	require.NoError(t, err, "a recorded history is never replaced")
	_, err = file.Write(append(text, '\n'))
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
