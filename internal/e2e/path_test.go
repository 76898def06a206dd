package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// TestFiftyAtOnce delivers one event fifty times at the same moment.
func TestFiftyAtOnce(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	id, body := w.capture(months())
	statuses := make([]int, 50)
	var posts sync.WaitGroup
	for i := range statuses {
		posts.Go(func() { statuses[i] = w.deliver(body) })
	}
	posts.Wait()
	for _, status := range statuses {
		require.Equal(t, http.StatusAccepted, status)
	}
	s := w.await(soon, id, reward.Fulfilled, "")
	require.Len(t, s.Deliveries, 50, "every delivery is on record")
	w.requireOnce(id)

	c := w.client()
	eventually(t, soon, func() (string, bool) {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowId = '" + workflows.FulfilmentID(id) + "'",
		})
		require.NoError(t, err)
		require.LessOrEqual(t, len(found.GetExecutions()), 1, "one run of one workflow")
		return "no workflow is listed yet", len(found.GetExecutions()) == 1
	})
}

// capture lets FirstPromoter owe a reward, and catches its event on the way.
// FirstPromoter was told 202, and fires it again after CheckEvery.
func (w *world) capture(s simulator.Spec) (reward.ID, []byte) {
	w.t.Helper()
	var body []byte
	trap := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		rw.WriteHeader(http.StatusAccepted)
	}))
	defer trap.Close()
	w.fp.SetWebhookURLs(trap.URL, trap.URL)
	defer w.announce(w.process)
	id := w.send(s)
	require.NotEmpty(w.t, body)
	return id, body
}

// deliver posts an event and returns the status of the answer; zero when there
// was none.
func (w *world) deliver(body []byte) int {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, hook(w.process.URL), bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
