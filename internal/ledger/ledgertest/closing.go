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

func closingChecks() []check {
	return []check{
		{"APICloses", apiCloses},
		{"APICallsOnceAtATime", apiCallsOnceAtATime},
		{"UnknownCallIsReadBackFirst", unknownCallIsReadBackFirst},
		{"OldCloseFenceChangesNothing", oldCloseFenceChangesNothing},
		{"OnlyWhatIsPaidIsClosed", onlyWhatIsPaidIsClosed},
		{"AnswerWaitsForTheAPI", answerWaitsForTheAPI},
		{"AnswerClosesForEver", answerClosesForEver},
		{"AnswerNeedsACallReadBack", answerNeedsACallReadBack},
		{"AnswerTakesOverFromTheAPI", answerTakesOverFromTheAPI},
		{"AnswerNeverClosesAFinalReward", answerNeverClosesAFinalReward},
		{"ReturnedIsNotClosed", returnedIsNotClosed},
		{"UnusableCallIsInvalid", unusableCallIsInvalid},
	}
}

// claimClose claims the close for the API.
func (b *bundle) claimClose(t *testing.T, id reward.ID) (ledger.CloseState, bool) {
	t.Helper()
	state, may, err := b.ClaimClose(b.ctx, id, b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	return state, may
}

func (b *bundle) finishClose(t *testing.T, id reward.ID, fence int64, call ledger.CloseCall) ledger.CloseState {
	t.Helper()
	state, err := b.FinishClose(b.ctx, id, fence, call, "said "+string(call))
	require.NoError(t, err)
	return state
}

func apiCloses(t *testing.T, b *bundle) {
	b.paid(t, 7)
	state, may := b.claimClose(t, 7)
	require.True(t, may)
	want := ledger.CloseState{
		By: ledger.ClosedByAPI, Call: ledger.CallOut, Fence: 1, Deadline: start().Add(time.Minute), PaidAt: start(),
	}
	require.Equal(t, want, state)
	require.Equal(t, want, b.record(t, 7).Closing)
	b.requireStatus(t, 7, reward.Closing)

	b.clock.advance(time.Second)
	state = b.finishClose(t, 7, 1, ledger.CallDone)
	want.Call, want.ClosedAt = ledger.CallDone, start().Add(time.Second)
	require.Equal(t, want, state)
	b.requireStatus(t, 7, reward.Fulfilled)
	before := snapshotOf(t, b.Ledger, 7)
	require.Equal(t, want, b.finishClose(t, 7, 1, ledger.CallNotDone), "completed stays completed")
	_, may = b.claimClose(t, 7)
	require.False(t, may)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))

	b.clock.advance(time.Hour)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer, "the API has closed it")
}

func apiCallsOnceAtATime(t *testing.T, b *bundle) {
	b.paid(t, 7)
	_, may := b.claimClose(t, 7)
	require.True(t, may)
	state, may := b.claimClose(t, 7)
	require.False(t, may)
	require.EqualValues(t, 1, state.Fence)

	b.finishClose(t, 7, 1, ledger.CallNotDone)
	state, may = b.claimClose(t, 7)
	require.True(t, may)
	require.EqualValues(t, 2, state.Fence)
}

func unknownCallIsReadBackFirst(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	state, err := b.ExpireClose(b.ctx, 7, start().Add(time.Minute-time.Millisecond))
	require.NoError(t, err)
	require.Equal(t, ledger.CallOut, state.Call)
	state, err = b.ExpireClose(b.ctx, 7, start().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, ledger.CallUnknown, state.Call)
	_, may := b.claimClose(t, 7)
	require.False(t, may)
	b.clock.advance(time.Hour)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer)

	require.Equal(t, ledger.CallNotDone, b.finishClose(t, 7, 1, ledger.CallNotDone).Call)
	state, err = b.ExpireClose(b.ctx, 7, b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, ledger.CallNotDone, state.Call, "only a call that is out expires")
	_, may = b.claimClose(t, 7)
	require.True(t, may)
}

func oldCloseFenceChangesNothing(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.finishClose(t, 7, 1, ledger.CallNotDone)
	b.claimClose(t, 7)
	before := snapshotOf(t, b.Ledger, 7)
	for _, call := range []ledger.CloseCall{ledger.CallDone, ledger.CallNotDone, ledger.CallUnknown} {
		require.Equal(t, before.Record.Closing, b.finishClose(t, 7, 1, call))
	}
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func onlyWhatIsPaidIsClosed(t *testing.T, b *bundle) {
	b.approved(t, 1)
	b.reserved(t, 2)
	b.claimed(t, 3)
	b.finished(t, 4, payout.Outcome{})
	b.finished(t, 5, payout.Outcome{Class: payout.ClassAccepted, Reference: "s"})
	b.finished(t, 6, payout.Outcome{Class: payout.ClassRefused})
	b.clock.advance(24 * time.Hour)
	for id := range reward.ID(6) {
		before := b.record(t, id+1)
		state, may := b.claimClose(t, id+1)
		require.False(t, may)
		require.Equal(t, ledger.CloseState{}, state)
		require.False(t, b.accept(t, pending(id+1, 1)).ClosedByAnswer)
		_, err := b.FinishClose(b.ctx, id+1, 0, ledger.CallDone, "somebody says so")
		require.Equal(t, fault.Conflict, fault.KindOf(err))
		require.Equal(t, before, b.record(t, id+1))
	}
}

func answerWaitsForTheAPI(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.clock.advance(afterPaid - time.Millisecond)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
	b.clock.advance(time.Millisecond)
	require.True(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
	b.requireStatus(t, 7, reward.Closing)
	require.Equal(t, ledger.ClosedByAnswer, b.record(t, 7).Closing.By)

	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	answers := make([]int, 0, len(deliveries))
	for _, d := range deliveries {
		answers = append(answers, d.Answer)
	}
	require.Equal(t, []int{202, 202, 200}, answers)
}

func answerClosesForEver(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.clock.advance(afterPaid)
	require.True(t, b.accept(t, pending(7, 2)).ClosedByAnswer, "a newer event closes as well")
	state, may := b.claimClose(t, 7)
	require.False(t, may)
	require.Equal(t, ledger.ClosedByAnswer, state.By)
	require.Zero(t, state.Fence)
	require.True(t, b.accept(t, pending(7, 1)).ClosedByAnswer)

	b.finishClose(t, 7, 0, ledger.CallNotDone)
	_, may = b.claimClose(t, 7)
	require.False(t, may, "not even when it was read back as not done")
	state = b.finishClose(t, 7, 0, ledger.CallDone)
	require.Equal(t, ledger.ClosedByAnswer, state.By)
	require.Equal(t, b.clock.Now(), state.ClosedAt)
	b.requireStatus(t, 7, reward.Fulfilled)
	require.True(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
}

func answerNeedsACallReadBack(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.clock.advance(24 * time.Hour)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer, "a call is out")
	b.finishClose(t, 7, 1, ledger.CallUnknown)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer, "nobody knows what the call did")
	b.finishClose(t, 7, 1, ledger.CallNotDone)
	require.True(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
}

func answerTakesOverFromTheAPI(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.claimClose(t, 7)
	b.finishClose(t, 7, 1, ledger.CallNotDone)
	b.clock.advance(afterPaid)
	require.True(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
	state, may := b.claimClose(t, 7)
	require.False(t, may)
	require.Equal(t, ledger.ClosedByAnswer, state.By)
	require.EqualValues(t, 1, state.Fence)
	b.finishClose(t, 7, 1, ledger.CallDone)
	b.requireStatus(t, 7, reward.Fulfilled)
}

func answerNeverClosesAFinalReward(t *testing.T, b *bundle) {
	b.paid(t, 7)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "as it is"}))
	b.clock.advance(24 * time.Hour)
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
	_, may := b.claimClose(t, 7)
	require.False(t, may)
	b.requireStatus(t, 7, reward.Abandoned)
}

func returnedIsNotClosed(t *testing.T, b *bundle) {
	returned := func(id reward.ID) {
		p, err := b.Found(b.ctx, id, 1, payout.Finding{Answer: payout.FoundReturned}, b.clock.Now())
		require.NoError(t, err)
		require.Equal(t, payout.Returned, p.State)
	}
	b.paid(t, 7)
	b.paid(t, 8)
	b.claimClose(t, 8)
	b.paid(t, 9)
	b.clock.advance(afterPaid)
	require.True(t, b.accept(t, pending(9, 1)).ClosedByAnswer)
	for _, id := range []reward.ID{7, 8, 9} {
		returned(id)
	}
	require.False(t, b.accept(t, pending(7, 1)).ClosedByAnswer)
	_, may := b.claimClose(t, 7)
	require.False(t, may)
	require.False(t, b.accept(t, pending(9, 1)).ClosedByAnswer, "200 would say that it is paid")

	state := b.finishClose(t, 8, 1, ledger.CallDone)
	require.Equal(t, ledger.CallDone, state.Call)
	b.requireStatus(t, 8, reward.Attention)

	_, err := b.PayByHand(b.ctx, 9, "alice", "bank-9", b.clock.Now())
	require.NoError(t, err)
	b.requireStatus(t, 9, reward.Paid)
	require.True(t, b.accept(t, pending(9, 1)).ClosedByAnswer, "paid again, and still claimed for the answer")
}

func unusableCallIsInvalid(t *testing.T, b *bundle) {
	b.paid(t, 7)
	for _, call := range []ledger.CloseCall{ledger.CallNone, ledger.CallOut, "teapot"} {
		_, err := b.FinishClose(b.ctx, 7, 0, call, "")
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}
