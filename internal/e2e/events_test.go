package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// receivers are two channels' receivers; the second refuses while it is broken.
type receivers struct {
	url    string
	broken atomic.Bool

	mu  sync.Mutex
	got map[string]int
}

func newReceivers(t *testing.T) *receivers {
	t.Helper()
	r := &receivers{got: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		if req.URL.Path == "/second" && r.broken.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got[req.URL.Path]++
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receivers) counts() (first, second int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got["/first"], r.got["/second"]
}

// listedEvents are what these tests read of the delivery log.
type listedEvents struct {
	Events []struct {
		ID         int64  `json:"id"`
		WorkflowID string `json:"workflow_id"`
		Waiting    bool   `json:"waiting"`
	} `json:"events"`
	Unstored []struct {
		Reason string `json:"reason"`
		Count  int    `json:"count"`
	} `json:"unstored"`
}

// replayOutcomes returns what the replays of an event did, the done ones.
func (w *world) replayOutcomes(event int64) []string {
	w.t.Helper()
	var shown struct {
		Replays []struct {
			Outcome string `json:"outcome"`
		} `json:"replays"`
	}
	w.must(http.StatusOK, http.MethodGet, fmt.Sprintf("/api/v1/events/%d", event), "", nil).into(w, &shown)
	var all []string
	for _, replay := range shown.Replays {
		if replay.Outcome != "" {
			all = append(all, replay.Outcome)
		}
	}
	return all
}

// A channel was misconfigured for a day. Its operator has the day replayed: the
// channel is told, the other one not again, and a second replay tells nobody.
func TestReplayOfADayTellsTheChannelThatWasNotTold(t *testing.T) {
	t.Parallel()

	r := newReceivers(t)
	r.broken.Store(true)
	const channel = "  - {events: [lead_signup], channel: {type: webhook, url: %q, secret: secret-of-the-channel-0123456789, allow_private_networks: true}}\n"
	w := running(t, settings{More: "notifications:\n" + fmt.Sprintf(channel, r.url+"/first") + fmt.Sprintf(channel, r.url+"/second")})
	require.Equal(t, http.StatusAccepted, w.deliver([]byte(`{"event":{"id":6,"type":"lead_signup"},"data":{"id":9,"state":"signup"}}`)))
	require.Equal(t, http.StatusBadRequest, w.deliver([]byte(`not JSON`)))

	eventually(t, soon, func() (string, bool) {
		first, second := r.counts()
		_, ready := w.readyz()
		return ready, first == 1 && second == 0 && strings.Contains(ready, `"part":"notifications webhook-2"`)
	})
	replay := func() {
		w.must(http.StatusOK, http.MethodPost, "/api/v1/events/replay", "",
			map[string]any{"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "type": "lead_signup"})
	}
	var list listedEvents
	w.must(http.StatusOK, http.MethodGet, "/api/v1/events?type=lead_signup", "", nil).into(w, &list)
	require.Len(t, list.Events, 1)
	require.Equal(t, "notification-lead_signup-6", list.Events[0].WorkflowID)
	outcomes := func() []string { return w.replayOutcomes(list.Events[0].ID) }

	r.broken.Store(false)
	// The first run may not have ended yet; then there is nothing to replay yet.
	eventually(t, soon, func() (string, bool) {
		replay()
		_, second := r.counts()
		return fmt.Sprint(outcomes()), second == 1
	})
	eventually(t, soon, func() (string, bool) {
		replay()
		all := outcomes()
		return fmt.Sprint(all), len(all) > 0 && all[len(all)-1] == "nothing new: every channel was told"
	})
	first, second := r.counts()
	require.Equal(t, []int{1, 1}, []int{first, second}, "each channel was told once")
	eventually(t, soon, func() (string, bool) {
		_, ready := w.readyz()
		return ready, strings.Contains(ready, `"degraded":[]`)
	})
	eventually(t, soon, func() (string, bool) {
		var refused listedEvents
		a := w.must(http.StatusOK, http.MethodGet, "/api/v1/events?answer=400", "", nil)
		a.into(w, &refused)
		return string(a.body), len(refused.Unstored) == 1 && refused.Unstored[0].Reason == "not_json" && refused.Unstored[0].Count == 1
	})
}
