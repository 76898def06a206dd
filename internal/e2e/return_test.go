package e2e_test

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// TestReturnAfterFulfilled has the provider call that a delivery came back
// after FirstPromoter was told. A person is asked, and nothing else happens.
func TestReturnAfterFulfilled(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{})
	w.provider.Script(sandbox.CustID("returned"), sandbox.ReturnLater(2*time.Second))
	w.start(spec{})
	id, other := w.send(to("returned")), w.send(months())
	w.awaitAll(soon, []reward.ID{id, other}, reward.Fulfilled)
	require.Equal(t, http.StatusUnauthorized, w.call(payout.Key(id, 1), "another secret, and long enough"))
	require.Equal(t, http.StatusNotFound, w.call("rf_1_1", providerSecret))
	require.Equal(t, reward.Fulfilled, w.reward(id, "").Status)

	require.Equal(t, http.StatusAccepted, w.call(payout.Key(other, 1), providerSecret))
	// A call makes rewardflow ask, so it tells nothing before the day has come.
	eventually(t, soon, func() (string, bool) {
		require.Equal(t, http.StatusAccepted, w.call(payout.Key(id, 1), providerSecret))
		s := w.reward(id, "").Status
		return string(s), s == reward.Attention
	})
	require.Contains(t, w.reward(id, "").Reason, "came back")
	require.Equal(t, "returned", w.reward(id, "").Payout.State)

	// The next sweep opens its workflow again; the first one is that of a start.
	w.process.kill()
	w.start(spec{})
	c := w.client()
	eventually(t, soon, func() (string, bool) {
		answer, err := c.QueryWorkflow(t.Context(), workflows.FulfilmentID(id), "", workflows.QueryStatus)
		if err != nil {
			return err.Error(), false
		}
		var s workflows.FulfilmentStatus
		require.NoError(t, answer.Get(&s))
		return string(s.Status), s.Status == reward.Attention
	})
	// A person's word alone leads on.
	handle, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: workflows.FulfilmentID(id), UpdateName: workflows.UpdateResolve,
		Args:         []any{workflows.Instruction{Action: reward.ActionPaid, By: "alice", Reference: "transfer 8831"}},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(t.Context(), nil))
	w.await(soon, id, reward.Fulfilled, "")
	require.Equal(t, reward.Fulfilled, w.reward(other, "").Status, "what did not come back stays")
	w.requireOnce(id, other)

	schedule, err := c.ScheduleClient().GetHandle(t.Context(), workflows.ReconciliationSchedule).Describe(t.Context())
	require.NoError(t, err)
	require.False(t, schedule.Schedule.State.Paused)
}

// call makes a signed callback of the provider and returns its answer.
func (w *world) call(key, secret string) int {
	w.t.Helper()
	body := []byte(`{"type":"reward.payout.updated","data":{"key":"` + key + `"}}`)
	signer, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	require.NoError(w.t, err)
	now := time.Now()
	signature, err := signer.Sign("msg_1", now, body)
	require.NoError(w.t, err)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.process.URL+"/webhooks/providers/team", bytes.NewReader(body))
	require.NoError(w.t, err)
	r.Header.Set(standardwebhooks.HeaderWebhookID, "msg_1")
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := w.http.Do(r)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return answer.StatusCode
}
