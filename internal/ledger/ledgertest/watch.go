package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func watchChecks() []check {
	return []check{
		{"PaidIsLookedAtAgain", paidIsLookedAtAgain},
		{"LongestOverdueIsLookedAtFirst", longestOverdueFirst},
		{"OnlyWhatIsPaidIsWatched", onlyWhatIsPaidIsWatched},
		{"PaidByHandIsNotWatched", paidByHandIsNotWatched},
		{"ReturnReopensAFulfilledReward", returnReopensAFulfilledReward},
		{"ReturnBeforeTheCloseKeepsItOpen", returnBeforeTheClose},
		{"ReturnLeavesWhatPeopleEnded", returnLeavesWhatPeopleEnded},
		{"PaidAgainByHandEndsAClosedReward", paidAgainByHandEndsAClosedReward},
		{"PayoutIsFoundByItsKeys", payoutIsFoundByItsKeys},
	}
}

func (b *bundle) due(t *testing.T, n int) []reward.ID {
	t.Helper()
	payouts, err := b.DueLooks(b.ctx, b.clock.Now(), n)
	require.NoError(t, err)
	var ids []reward.ID
	for _, p := range payouts {
		stored, err := b.Payout(b.ctx, p.RewardID)
		require.NoError(t, err)
		require.Equal(t, stored, p)
		ids = append(ids, p.RewardID)
	}
	return ids
}

// cameBack records a look-up that says so.
func (b *bundle) cameBack(t *testing.T, id reward.ID) ledger.Payout {
	t.Helper()
	p, err := b.Payout(b.ctx, id)
	require.NoError(t, err)
	p, err = b.Found(b.ctx, id, p.Fence, payout.Finding{Answer: payout.FoundReturned, Reference: p.Reference, Detail: "nobody claimed it"}, b.clock.Now())
	require.NoError(t, err)
	return p
}

func paidIsLookedAtAgain(t *testing.T, b *bundle) {
	require.Equal(t, start().Add(ledger.FirstLook), b.paid(t, 7).NextLook)
	b.clock.advance(ledger.FirstLook - time.Millisecond)
	require.Empty(t, b.due(t, 10))
	b.clock.advance(time.Millisecond)
	require.Equal(t, []reward.ID{7}, b.due(t, 10))

	next := b.clock.Now().Add(48 * time.Hour)
	require.NoError(t, b.NextLook(b.ctx, 7, next))
	require.Empty(t, b.due(t, 10))
	p, err := b.Payout(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, next, p.NextLook)

	require.NoError(t, b.NextLook(b.ctx, 7, time.Time{}))
	b.clock.advance(10 * 365 * 24 * time.Hour)
	require.Empty(t, b.due(t, 10), "the watch has ended")
	require.Equal(t, fault.NotFound, fault.KindOf(b.NextLook(b.ctx, 8, next)))
}

func longestOverdueFirst(t *testing.T, b *bundle) {
	for _, id := range []reward.ID{3, 1, 2} {
		b.paid(t, id)
		b.clock.advance(time.Second)
	}
	b.clock.advance(ledger.FirstLook)
	require.Equal(t, []reward.ID{3, 1, 2}, b.due(t, 10))
	require.Equal(t, []reward.ID{3, 1}, b.due(t, 2))
}

func onlyWhatIsPaidIsWatched(t *testing.T, b *bundle) {
	b.reserved(t, 1)
	b.claimed(t, 2)
	b.finished(t, 3, payout.Outcome{})
	b.finished(t, 4, payout.Outcome{Class: payout.ClassAccepted, Reference: "s"})
	b.finished(t, 5, payout.Outcome{Class: payout.ClassRefused})
	b.paid(t, 6)
	b.cameBack(t, 6)
	for id := range reward.ID(6) {
		require.NoError(t, b.NextLook(b.ctx, id+1, b.clock.Now()))
	}
	b.clock.advance(ledger.FirstLook)
	require.Empty(t, b.due(t, 10))
}

func paidByHandIsNotWatched(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	p, err := b.PayByHand(b.ctx, 7, "alice", "transfer 8831", b.clock.Now())
	require.NoError(t, err)
	require.Zero(t, p.NextLook)
}

func returnReopensAFulfilledReward(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.finishClose(t, 7, 1, ledger.CallDone)
	b.notices(t)
	closing := b.record(t, 7).Closing

	p := b.cameBack(t, 7)
	require.Equal(t, payout.Returned, p.State)
	require.Zero(t, p.NextLook)
	now := b.record(t, 7)
	require.Equal(t, reward.Attention, now.Status)
	require.Contains(t, now.Reason, "nobody claimed it", "the provider's own words")
	require.Contains(t, now.Reason, "billing")
	require.Equal(t, closing, now.Closing, "FirstPromoter is not touched")
	require.Equal(t, "provider billing", b.lastChange(t, 7).Actor)
	told := b.notices(t)
	require.Len(t, told, 1)
	require.Equal(t, "reward_attention", told[0].Type)

	before := snapshotOf(t, b.Ledger, 7)
	b.cameBack(t, 7)
	after := snapshotOf(t, b.Ledger, 7)
	require.Equal(t, before.Changes, after.Changes, "it comes back once")
	_, may := b.claimClose(t, 7)
	require.False(t, may)
	b.clock.advance(24 * time.Hour)
	require.False(t, b.accept(t, pending(7, 2)).ClosedByAnswer)
}

func returnBeforeTheClose(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.finishClose(t, 7, 1, ledger.CallNotDone)
	b.cameBack(t, 7)
	now := b.record(t, 7)
	require.Equal(t, reward.Attention, now.Status)
	require.NotContains(t, now.Reason, "completed")
	_, may := b.claimClose(t, 7)
	require.False(t, may, "what came back is not fulfilled")
}

func returnLeavesWhatPeopleEnded(t *testing.T, b *bundle) {
	b.paid(t, 7)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "left", Actor: "alice"}))
	require.Equal(t, payout.Returned, b.cameBack(t, 7).State)
	b.requireStatus(t, 7, reward.Abandoned)
}

func paidAgainByHandEndsAClosedReward(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.finishClose(t, 7, 1, ledger.CallDone)
	b.cameBack(t, 7)
	_, err := b.PayByHand(b.ctx, 7, "alice", "ref-7", b.clock.Now())
	require.Equal(t, fault.Conflict, fault.KindOf(err), "that one came back")
	p, err := b.PayByHand(b.ctx, 7, "alice", "transfer 8831", b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, payout.Paid, p.State)
	require.Zero(t, p.NextLook)
	b.requireStatus(t, 7, reward.Fulfilled)
}

func payoutIsFoundByItsKeys(t *testing.T, b *bundle) {
	b.finished(t, 7, payout.Outcome{Class: payout.ClassRefused})
	_, err := b.NewGeneration(b.ctx, reservation(7, 2), "alice")
	require.NoError(t, err)
	for generation := range 2 {
		p, err := b.PayoutByKey(b.ctx, payout.Key(7, generation+1))
		require.NoError(t, err)
		require.EqualValues(t, 7, p.RewardID)
		require.Equal(t, 2, p.Generation)
	}
	_, err = b.PayoutByKey(b.ctx, "another")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}
