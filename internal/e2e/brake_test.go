package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestBrakePausesAll pulls the brake over the API and lets it go again.
func TestBrakePausesAll(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	pull := func(scope string, paused bool) {
		t.Helper()
		w.must(http.StatusOK, http.MethodPut, "/api/v1/brake", "", map[string]any{"scope": scope, "paused": paused, "reason": "a look at it"})
	}
	pull("all", true)
	var ids []reward.ID
	for range 3 {
		ids = append(ids, w.send(months()))
	}
	for _, id := range ids {
		s := w.await(soon, id, reward.Held, "")
		require.Contains(t, s.Reason, "a look at it")
		require.Equal(t, http.StatusAccepted, s.Deliveries[0].Answer)
		require.Empty(t, s.Attempts, "nothing was sent")
	}
	require.Empty(t, w.provider.Books().Effects)

	t.Log("the other switch does not let them go")
	pull("team", true)
	pull("all", false)
	for _, id := range ids {
		eventually(t, soon, func() (string, bool) {
			s := w.reward(id, "")
			return s.Reason, s.Status == reward.Held && strings.Contains(s.Reason, "payouts by team are paused")
		})
	}
	require.Empty(t, w.provider.Books().Effects)

	pull("team", false)
	w.awaitAll(soon, ids, reward.Fulfilled)
	w.requireOnce(ids...)
}

// TestCapsHold lets a reward through that fits under the caps, and holds what
// does not.
func TestCapsHold(t *testing.T) {
	t.Parallel()

	w := running(t, settings{More: "brake: {max_single: {free_months: 5}, max_per_day: {free_months: 4}}"})
	fits := w.send(months())
	w.await(soon, fits, reward.Fulfilled, "")
	over := w.send(months())
	s := w.await(soon, over, reward.Held, "")
	require.Contains(t, s.Reason, "the cap per day")
	w.requireOnce(fits)
}
