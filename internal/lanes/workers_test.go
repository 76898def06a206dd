package lanes_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestDecidedWhileNoWorkerIsUp has people decide by every lane while no worker
// is up. What the ledger takes is answered at once, and recorded; what Temporal
// takes waits there. All of it takes effect when a worker returns.
func TestDecidedWhileNoWorkerIsUp(t *testing.T) {
	w := newWorld(t, settings{})
	approved, rejected := map[string]question{}, map[string]question{}
	for _, l := range lanes() {
		approved[l.name] = l.look(w, t, alice, w.asked(t, askOne, ""))
		rejected[l.name] = l.look(w, t, bob, w.asked(t, askOne, ""))
	}
	w.stop()
	w.start(app.Options{API: true})

	var recorded, waiting sync.WaitGroup
	for _, l := range lanes() {
		for verdict, q := range map[reward.Verdict]question{reward.Approve: approved[l.name], reward.Reject: rejected[l.name]} {
			kind := &recorded
			if l.as == reward.LaneTemporal {
				kind = &waiting
			}
			kind.Go(func() {
				if a := l.send(w, t, q, verdict); !a.counted && l.name != signal {
					t.Errorf("%s on %s is answered %d %s", verdict, l.name, a.code, a.words)
				}
			})
		}
	}
	recorded.Wait()
	for _, l := range lanes() {
		for _, q := range []question{approved[l.name], rejected[l.name]} {
			made := w.decisions(t, q.id)
			if l.as == reward.LaneTemporal {
				require.Empty(t, made, "Temporal has it")
				continue
			}
			require.Len(t, made, 1, l.name)
			require.True(t, made[0].Counted)
			require.Equal(t, reward.AwaitingApproval, w.record(t, q.id).Status)
		}
	}
	require.Empty(t, w.provider.Books().Effects)

	w.start(app.Options{Worker: true})
	waiting.Wait()
	for _, l := range lanes() {
		w.await(t, approved[l.name].id, reward.Fulfilled)
		w.await(t, rejected[l.name].id, reward.Rejected)
		require.Len(t, w.decisions(t, approved[l.name].id), 1)
		require.Equal(t, 1, w.provider.Books().ByReward[approved[l.name].id])
	}
	require.Len(t, w.provider.Books().Effects, len(lanes()))
	eventually(t, func() (string, bool) {
		left, err := w.ledger.Undelivered(t.Context(), time.Now().Add(time.Hour), 10)
		require.NoError(t, err)
		return "a workflow has not heard of a decision", len(left) == 0
	})
}
