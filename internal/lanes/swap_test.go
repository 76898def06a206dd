package lanes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// swap is a change of a reward between a person's look and click.
type swap struct {
	// change changes FirstPromoter's record.
	change func(*simulator.Spec)
	// told says that FirstPromoter sends an event about it before the click.
	told bool
	// then is where the reward goes when somebody approves what it was.
	then reward.Status
}

func swaps() map[string]swap {
	amount := func(s *simulator.Spec) { s.Amount = 3000 }
	promoter := func(s *simulator.Spec) { s.Promoter.ID = 4711 }
	customer := func(s *simulator.Spec) { s.Promoter.CustID = "cus_other" }
	return map[string]swap{
		"the amount":                {amount, false, reward.Quarantined},
		"the amount, by an event":   {amount, true, reward.AwaitingApproval},
		"the promoter":              {promoter, false, reward.Quarantined},
		"the promoter, by an event": {promoter, true, reward.AwaitingApproval},
		"the destination":           {customer, false, reward.AwaitingApproval},
	}
}

// TestSwappedBetweenViewAndClickIsNotPaid has FirstPromoter's record change
// after a person has looked, by every lane, and nothing of the process know of
// it when the click comes. The decision counts for what was shown, and what was
// shown is gone: nothing is paid before people have seen what there is now.
func TestSwappedBetweenViewAndClickIsNotPaid(t *testing.T) {
	w := newWorld(t, settings{})
	for name, swap := range swaps() {
		for _, l := range lanes() {
			t.Run(name+"/"+l.name, func(t *testing.T) {
				t.Parallel()

				spec := simulator.Spec{
					Amount: 3, Unit: reward.FreeMonths, Campaign: reward.Campaign{ID: askOne},
					Promoter: reward.Promoter{ID: 4242, CustID: "cus_shown", Email: "promoter@example.com"},
				}
				id, err := w.fp.CreateReward(t.Context(), spec)
				require.NoError(t, err)
				w.await(t, id, reward.AwaitingApproval)
				q := l.look(w, t, alice, id)
				require.NotEmpty(t, q.digest)

				swap.change(&spec)
				require.NoError(t, w.fp.Amend(id, spec))
				if swap.told {
					_, err := w.fp.Refire(t.Context(), id)
					require.NoError(t, err)
				}
				l.send(w, t, q, reward.Approve)

				if swap.then == reward.Quarantined {
					w.await(t, id, swap.then)
					w.requireUnpaid(t, id)
					return
				}
				w.asksAgain(t, id, q.digest)
				w.approveAndPay(t, l, id, spec)
			})
		}
	}
}

// TestRoutedElsewhereBetweenViewAndClickIsNotPaid has the configuration send a
// reward to another provider after a person has looked.
func TestRoutedElsewhereBetweenViewAndClickIsNotPaid(t *testing.T) {
	w := newWorld(t, settings{})
	questions := map[string]question{}
	for _, l := range lanes() {
		questions[l.name] = l.look(w, t, alice, w.asked(t, askOne, ""))
	}
	w.stop()
	w.set.Routes = "  - {provider: other}"
	w.start(app.Options{API: true, Worker: true})
	for _, l := range lanes() {
		q := questions[l.name]
		require.Equal(t, "team", w.record(t, q.id).Provider)
		l.send(w, t, q, reward.Approve)
		w.asksAgain(t, q.id, q.digest)
		require.Equal(t, "other", w.record(t, q.id).Provider)
		w.approveAndPay(t, l, q.id, simulator.Spec{Amount: 3})
	}
}

// asksAgain waits until people are asked about something else, and finds that
// nothing was paid for what they were asked about before.
func (w *world) asksAgain(t *testing.T, id reward.ID, before reward.Digest) {
	t.Helper()
	w.until(t, id, "asks again", func(r ledger.Record) bool {
		return r.Status == reward.AwaitingApproval && r.Digest != before
	})
	tally, err := w.ledger.TallyOf(t.Context(), id)
	require.NoError(t, err)
	require.Zero(t, tally.Approvals, "what was approved is not what is shown")
	w.requireUnpaid(t, id)
}

func (w *world) requireUnpaid(t *testing.T, id reward.ID) {
	t.Helper()
	require.Zero(t, w.provider.Books().ByReward[id])
	attempts, err := w.ledger.Attempts(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, attempts, "nothing has left")
}

// approveAndPay has the same person look again and approve, which pays what is
// shown now.
func (w *world) approveAndPay(t *testing.T, l lane, id reward.ID, now simulator.Spec) {
	t.Helper()
	a := l.send(w, t, l.look(w, t, alice, id), reward.Approve)
	w.await(t, id, reward.Fulfilled)
	require.True(t, a.counted || l.name == signal, a.words)
	for _, effect := range w.provider.Books().Effects {
		if effect.RewardID == id {
			require.Equal(t, now.Amount, effect.Quantity.Amount)
			require.Equal(t, now.Promoter.CustID, effect.CustID)
		}
	}
	require.Equal(t, 1, w.provider.Books().ByReward[id])
}
