package ledgertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func replayChecks() []check {
	return []check{
		{"IsQueuedOnceAndRecorded", replayIsQueuedOnce},
		{"SameWishAtOnceIsOne", replayAtOnceIsOne},
		{"LeavesWhatHasNothingToDo", replayLeavesTheRest},
		{"RangeCountsAndQueues", replayRange},
		{"RangeIsBounded", replayRangeIsBounded},
		{"LeaseAndPostpone", replayLeases},
		{"TouchesNeitherInboxNorDepth", replayTouchesNoInbox},
	}
}

// carried accepts an event and marks it as dispatched.
func (b *bundle) carried(t *testing.T, ev ledger.Event, workflowID string) int64 {
	t.Helper()
	receipt := b.accept(t, ev)
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: workflowID}}))
	return receipt.Inbox
}

func (b *bundle) replay(t *testing.T, inbox int64, o ledger.Order) ledger.ReplayState {
	t.Helper()
	state, err := b.Replay(b.ctx, inbox, o)
	require.NoError(t, err)
	return state
}

func replayIsQueuedOnce(t *testing.T, b *bundle) {
	inbox := b.carried(t, other("lead_signup", "5"), "notification-lead_signup-5")
	b.clock.advance(time.Hour)
	olga := ledger.Order{By: "olga", Verified: true}
	require.Equal(t, ledger.ReplayQueued, b.replay(t, inbox, olga))
	require.Equal(t, ledger.ReplayWaiting, b.replay(t, inbox, ledger.Order{By: "frank"}))

	leased, err := b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 1)
	require.Equal(t, inbox, leased[0].Event.Inbox)
	require.Equal(t, other("lead_signup", "5").Body, leased[0].Event.Body)
	require.Equal(t, "notification-lead_signup-5", leased[0].WorkflowBefore)
	require.False(t, leased[0].Again)
	require.Equal(t, ledger.ReplayWaiting, b.replay(t, inbox, olga), "it is still under way")

	b.clock.advance(time.Second)
	require.NoError(t, b.FinishReplay(b.ctx, leased[0].Replay, "notification-lead_signup-5", "started"))
	require.NoError(t, b.FinishReplay(b.ctx, leased[0].Replay, "other", "late"))
	require.NoError(t, b.PostponeReplay(b.ctx, leased[0].Replay, 0))
	file, err := b.EventFile(b.ctx, inbox)
	require.NoError(t, err)
	require.Equal(t, []ledger.Replay{{
		ID: leased[0].Replay, At: start().Add(time.Hour), By: "olga", Verified: true,
		DoneAt: start().Add(time.Hour + time.Second), Outcome: "started", WorkflowID: "notification-lead_signup-5",
	}}, file.Replays)

	require.Equal(t, ledger.ReplayQueued, b.replay(t, inbox, ledger.Order{By: "olga", Again: true}), "a later wish is a new one")
	leased, err = b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.True(t, leased[0].Again)
}

func replayAtOnceIsOne(t *testing.T, b *bundle) {
	inbox := b.carried(t, other("lead_signup", "5"), "")
	var wg sync.WaitGroup
	states := make([]ledger.ReplayState, 16)
	for i := range states {
		wg.Go(func() { states[i], _ = b.Replay(b.ctx, inbox, ledger.Order{By: fmt.Sprint(i)}) })
	}
	wg.Wait()
	queued := 0
	for _, s := range states {
		if s == ledger.ReplayQueued {
			queued++
		}
	}
	require.Equal(t, 1, queued, "%v", states)
}

func replayLeavesTheRest(t *testing.T, b *bundle) {
	waiting := b.accept(t, pending(1, 1))
	require.Equal(t, ledger.ReplayWaiting, b.replay(t, waiting.Inbox, ledger.Order{By: "olga"}))

	ended := b.carried(t, pending(2, 1), "fulfilment-2")
	require.Equal(t, ledger.ReplayQueued, b.replay(t, ended, ledger.Order{By: "olga"}))
	leased, err := b.LeaseReplays(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.NoError(t, b.FinishReplay(b.ctx, leased[0].Replay, "", "nothing new"))
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 2, To: reward.Rejected, Reason: "no", Actor: "olga"}))
	require.Equal(t, ledger.ReplayEnded, b.replay(t, ended, ledger.Order{By: "olga", Again: true}))

	unknown := other("something_new", "6")
	unknown.Dispatch = false
	require.Equal(t, ledger.ReplayStoredOnly, b.replay(t, b.accept(t, unknown).Inbox, ledger.Order{By: "olga"}))
	leased, err = b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
}

func replayRange(t *testing.T, b *bundle) {
	before := b.carried(t, other("lead_signup", "1"), "")
	b.clock.advance(time.Hour)
	first := b.carried(t, other("lead_signup", "2"), "w")
	second := b.carried(t, pending(7, 1), "fulfilment-7")
	b.accept(t, pending(8, 1)) // It waits.
	b.carried(t, pending(9, 1), "fulfilment-9")
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 9, To: reward.Rejected, Reason: "no", Actor: "olga"}))
	unknown := other("something_new", "6")
	unknown.Dispatch = false
	b.accept(t, unknown)
	from := b.clock.Now()
	b.clock.advance(time.Hour)
	after := b.carried(t, other("lead_signup", "3"), "")

	day := ledger.ReplayRange{From: from, To: from.Add(time.Hour), Max: 100}
	want := map[ledger.ReplayState]int{
		ledger.ReplayQueued: 2, ledger.ReplayWaiting: 1, ledger.ReplayEnded: 1, ledger.ReplayStoredOnly: 1,
	}
	counts, err := b.ReplayRange(b.ctx, day, ledger.Order{By: "olga"}, true)
	require.NoError(t, err)
	require.Equal(t, want, counts)
	leased, err := b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased, "counting queues nothing")

	counts, err = b.ReplayRange(b.ctx, day, ledger.Order{By: "olga", Again: true}, false)
	require.NoError(t, err)
	require.Equal(t, want, counts)
	leased, err = b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 2)
	require.Equal(t, []int64{first, second}, []int64{leased[0].Event.Inbox, leased[1].Event.Inbox})
	require.True(t, leased[0].Again)
	require.NotContains(t, []int64{leased[0].Event.Inbox, leased[1].Event.Inbox}, before)
	require.NotContains(t, []int64{leased[0].Event.Inbox, leased[1].Event.Inbox}, after)

	counts, err = b.ReplayRange(b.ctx, day, ledger.Order{By: "olga"}, false)
	require.NoError(t, err)
	require.Equal(t, map[ledger.ReplayState]int{
		ledger.ReplayWaiting: 3, ledger.ReplayEnded: 1, ledger.ReplayStoredOnly: 1,
	}, counts, "the same range again gives nothing new while it is under way")

	day.Type = "lead_signup"
	counts, err = b.ReplayRange(b.ctx, day, ledger.Order{By: "olga"}, true)
	require.NoError(t, err)
	require.Equal(t, map[ledger.ReplayState]int{ledger.ReplayWaiting: 1}, counts)
}

func replayRangeIsBounded(t *testing.T, b *bundle) {
	for n := range 5 {
		b.carried(t, other("lead_signup", fmt.Sprint(n)), "")
	}
	r := ledger.ReplayRange{From: start(), To: start().Add(time.Hour), Max: 4}
	for _, dryRun := range []bool{true, false} {
		_, err := b.ReplayRange(b.ctx, r, ledger.Order{By: "olga"}, dryRun)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
	leased, err := b.LeaseReplays(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
	r.Max = 5
	counts, err := b.ReplayRange(b.ctx, r, ledger.Order{By: "olga"}, false)
	require.NoError(t, err)
	require.Equal(t, 5, counts[ledger.ReplayQueued])
}

func replayLeases(t *testing.T, b *bundle) {
	b.replay(t, b.carried(t, other("lead_signup", "1"), ""), ledger.Order{By: "olga"})
	first, err := b.LeaseReplays(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, first, 1)
	require.Zero(t, first[0].Tries)
	none, err := b.LeaseReplays(b.ctx, "b", 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)

	require.NoError(t, b.PostponeReplay(b.ctx, first[0].Replay, time.Minute))
	b.clock.advance(59 * time.Second)
	none, err = b.LeaseReplays(b.ctx, "b", 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)
	b.clock.advance(time.Second)
	again, err := b.LeaseReplays(b.ctx, "b", 1, time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, again[0].Tries)
	_, err = b.LeaseReplays(b.ctx, "", 1, time.Minute)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func replayTouchesNoInbox(t *testing.T, b *bundle) {
	inbox := b.carried(t, other("lead_signup", "1"), "w")
	b.replay(t, inbox, ledger.Order{By: "olga"})
	requireDepth(t, b, 0, time.Time{})
	leased, err := b.Lease(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
	file, err := b.EventFile(b.ctx, inbox)
	require.NoError(t, err)
	require.Equal(t, "w", file.WorkflowID)
	require.Equal(t, start(), file.DispatchedAt)
}
