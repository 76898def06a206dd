package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestForgedEventPaysNothing sends events with the right secret that
// FirstPromoter never sent.
func TestForgedEventPaysNothing(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	genuine := w.send(months())
	w.await(soon, genuine, reward.Fulfilled, "")
	owed := func() reward.ID { // Its own event is still on its way.
		id, _ := w.capture(months())
		return id
	}
	forge := func(id reward.ID, s simulator.Spec) reward.ID {
		d, err := w.fp.FireForged(t.Context(), simulator.Forgery{Reward: id, Spec: s})
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, d.Answer)
		return d.Reward
	}

	for name, id := range map[string]reward.ID{
		"an invented reward": forge(0, months()),
		"more than is owed":  forge(owed(), simulator.Spec{Amount: 300}),
		"another unit":       forge(owed(), simulator.Spec{Unit: reward.Cash}),
		"another promoter":   forge(owed(), simulator.Spec{Promoter: reward.Promoter{ID: 42}}),
		"another campaign":   forge(owed(), simulator.Spec{Campaign: reward.Campaign{ID: 42}}),
	} {
		s := w.await(soon, id, reward.Quarantined, "")
		require.Contains(t, s.Reason, "FirstPromoter", name)
		require.Empty(t, s.Attempts, name)
	}

	t.Log("a reward that is done with is not paid again, whatever is claimed")
	forge(genuine, simulator.Spec{})
	forge(genuine, simulator.Spec{Amount: 300})
	s := w.reward(genuine, "")
	require.Equal(t, reward.Fulfilled, s.Status)
	require.EqualValues(t, 3, s.Quantity.Amount)
	w.requireOnce(genuine)
}

// TestForgedFirstThenReal has a forged event arrive before the real one: a
// person who looks at it lets the real one through.
func TestForgedFirstThenReal(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	id, real := w.capture(months())
	_, err := w.fp.FireForged(t.Context(), simulator.Forgery{Reward: id, Spec: simulator.Spec{Amount: 300}})
	require.NoError(t, err)
	s := w.await(soon, id, reward.Quarantined, "")
	require.Contains(t, s.Reason, "the event says 300, FirstPromoter says 3")

	require.Equal(t, http.StatusAccepted, w.deliver(real))
	require.Equal(t, reward.Quarantined, w.reward(id, "").Status, "an event alone leads nothing out of quarantine")
	require.Empty(t, w.provider.Books().Effects)

	w.resolve(id, "", map[string]any{"action": "retry"})
	s = w.await(soon, id, reward.Fulfilled, "")
	require.EqualValues(t, 3, s.Quantity.Amount)
	require.EqualValues(t, 3, w.provider.Books().Effects[0].Quantity.Amount)
	w.requireOnce(id)
}

// TestForgedCopyOfARealEvent hides behind the ID of a real event, which must
// be accepted all the same.
func TestForgedCopyOfARealEvent(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	_, err := w.fp.FireForged(t.Context(), simulator.Forgery{EventID: 13_900_002, Spec: months()})
	require.NoError(t, err)
	id := w.send(months())
	w.await(soon, id, reward.Fulfilled, "")
	w.requireOnce(id)
}
