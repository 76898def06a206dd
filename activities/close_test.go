package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// pendingFor holds the reward as pending, lets something happen whenever it
// has been read, and counts the calls to complete it.
type pendingFor struct {
	read  func()
	calls int
}

func (f *pendingFor) Owed(context.Context, int64, reward.ID) (activities.Owed, error) {
	f.read()
	return activities.Owed{Reward: owed(), Status: "pending"}, nil
}

func (f *pendingFor) Complete(context.Context, reward.ID) error {
	f.calls++
	return nil
}

// The read of FirstPromoter takes a while, in which another worker, or an
// answer of 200 to the event, may take the close.
func TestTheCloseIsLeftToWhoeverClaimedIt(t *testing.T) {
	t.Parallel()

	for name, take := range map[string]func(w *world) bool{
		"an answer of 200": func(w *world) bool {
			receipt, err := w.ledger.Accept(context.Background(), event(), time.Minute)
			return err == nil && receipt.ClosedByAnswer
		},
		"another worker": func(w *world) bool {
			_, taken, err := w.ledger.ClaimClose(context.Background(), rewardID, w.Now().Add(time.Minute))
			return err == nil && taken
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fp := &pendingFor{}
			w := newWorld(t, nil, fp)
			w.finished(t, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"})
			w.advance(time.Hour)
			taken := false
			fp.read = func() { taken = take(w) }
			result, err := do[activities.CloseResult](t, w.acts.Close, activities.CloseInput{RewardID: rewardID})
			require.NoError(t, err)
			require.True(t, taken)
			require.Zero(t, fp.calls, "whoever has claimed the close tells FirstPromoter, and nobody else")
			require.False(t, result.Closed)
			rec, err := w.ledger.Reward(t.Context(), rewardID)
			require.NoError(t, err)
			require.NotEqual(t, ledger.CallDone, rec.Closing.Call)
		})
	}
}
