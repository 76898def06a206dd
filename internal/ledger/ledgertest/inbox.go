package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func inboxChecks() []check {
	return []check{
		{"AcceptCreatesTheReward", acceptCreatesTheReward},
		{"AcceptAgainIsADuplicate", acceptAgainIsADuplicate},
		{"NewerEventIsTheNewestClaim", newerEventIsTheNewestClaim},
		{"VerifiedValuesAreNotReplaced", verifiedValuesAreNotReplaced},
		{"EventWithoutReward", eventWithoutReward},
		{"UnusableEventsAreInvalid", unusableEventsAreInvalid},
		{"StoredOnlyEventsAreNotDispatched", storedOnlyEventsAreNotDispatched},
		{"LeaseIsExclusiveAndOldestFirst", leaseIsExclusiveAndOldestFirst},
		{"LeaseExpires", leaseExpires},
		{"DispatchedIsNotLeasedAgain", dispatchedIsNotLeasedAgain},
		{"PostponedWaitsItsPause", postponedWaitsItsPause},
		{"AClockStepDelaysNoRow", aClockStepDelaysNoRow},
		{"FoldCommitsWhatAcceptWould", foldCommitsWhatAcceptWould},
		{"FoldedTwiceIsThereOnce", foldedTwiceIsThereOnce},
		{"FoldIsAllOrNothing", foldIsAllOrNothing},
		{"FoldNeverClosesAndNeverUndoes", foldNeverClosesAndNeverUndoes},
		{"DeliveryIsRecordedOnce", deliveryIsRecordedOnce},
		{"UnknownRowsAreNotFound", unknownInboxRowsAreNotFound},
		{"DepthCountsWhatWaits", depthCountsWhatWaits},
		{"PingLeavesNoTrace", pingLeavesNoTrace},
		{"EverythingOutlivesARestart", everythingOutlivesARestart},
	}
}

func acceptCreatesTheReward(t *testing.T, b *bundle) {
	receipt := b.accept(t, pending(7, 1))
	require.Positive(t, receipt.Inbox)
	require.False(t, receipt.Duplicate)
	require.False(t, receipt.ClosedByAnswer)

	r := b.record(t, 7)
	require.Equal(t, owed(7), r.Reward)
	require.Equal(t, reward.Received, r.Status)
	require.False(t, r.Verified)
	require.Empty(t, r.Defect)
	require.Equal(t, start(), r.ReceivedAt)
	require.Equal(t, start(), r.UpdatedAt)
	require.Equal(t, ledger.CloseState{}, r.Closing)

	changes, err := b.Changes(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Empty(t, changes[0].From)
	require.Equal(t, reward.Received, changes[0].To)

	stored, err := b.Event(b.ctx, receipt.Inbox)
	require.NoError(t, err)
	want := ledger.Pending{
		Inbox: receipt.Inbox, Type: "fulfilment_pending", EventID: "7001", RewardID: 7,
		Body: pending(7, 1).Body, Traceparent: pending(7, 1).Traceparent,
	}
	require.Equal(t, want, stored)
}

func acceptAgainIsADuplicate(t *testing.T, b *bundle) {
	first := b.accept(t, pending(7, 1))
	b.clock.advance(time.Second)
	again := b.accept(t, pending(7, 1))
	require.True(t, again.Duplicate)
	require.Equal(t, first.Inbox, again.Inbox)
	other := pending(7, 1)
	other.Type, other.Reward = "reward_created", nil
	require.False(t, b.accept(t, other).Duplicate, "the same value under another type is another event")

	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, deliveries, 2)
	want := ledger.Delivery{At: start(), Type: "fulfilment_pending", EventID: "7001", Answer: 202}
	require.Equal(t, want, deliveries[0])
	want.At, want.Duplicate = start().Add(time.Second), true
	require.Equal(t, want, deliveries[1])
	require.Equal(t, start(), b.record(t, 7).ReceivedAt)
}

func newerEventIsTheNewestClaim(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	newer := pending(7, 2)
	newer.Reward = &ledger.Claimed{Reward: owed(7), Defect: "the amount is a fraction"}
	newer.Reward.Reward.Quantity.Amount = 9
	b.accept(t, newer)
	b.accept(t, pending(7, 1)) // An old event again is not news.

	claim, err := b.LatestClaim(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, *newer.Reward, claim)
	r := b.record(t, 7)
	require.Equal(t, newer.Reward.Reward, r.Reward)
	require.Equal(t, "the amount is a fraction", r.Defect)
	require.Equal(t, reward.Received, r.Status)
}

func verifiedValuesAreNotReplaced(t *testing.T, b *bundle) {
	b.approved(t, 7)
	newer := pending(7, 2)
	newer.Reward = &ledger.Claimed{Reward: owed(7)}
	newer.Reward.Reward.Quantity.Amount = 9
	b.accept(t, newer)

	r := b.record(t, 7)
	require.True(t, r.Verified)
	require.EqualValues(t, 3, r.Reward.Quantity.Amount)
	require.Equal(t, reward.Approved, r.Status)
	claim, err := b.LatestClaim(b.ctx, 7)
	require.NoError(t, err)
	require.EqualValues(t, 9, claim.Reward.Quantity.Amount)
}

func eventWithoutReward(t *testing.T, b *bundle) {
	receipt := b.accept(t, ledger.Event{Type: "lead_signup", Dedupe: "1", EventID: "1", Dispatch: true})
	leased, err := b.Lease(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 1)
	require.Equal(t, receipt.Inbox, leased[0].Inbox)
	require.Zero(t, leased[0].RewardID)
	require.Empty(t, leased[0].Body)
	list, err := b.ListRewards(b.ctx, ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, list)
}

func unusableEventsAreInvalid(t *testing.T, b *bundle) {
	_, err := b.Accept(b.ctx, ledger.Event{Dedupe: "1"}, afterPaid)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	_, err = b.Accept(b.ctx, ledger.Event{Type: "fulfilment_pending", Reward: &ledger.Claimed{}}, afterPaid)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func storedOnlyEventsAreNotDispatched(t *testing.T, b *bundle) {
	receipt := b.accept(t, ledger.Event{Type: "unheard_of", Dedupe: "1"})
	leased, err := b.Lease(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
	depth, oldest, err := b.InboxDepth(b.ctx)
	require.NoError(t, err)
	require.Zero(t, depth)
	require.True(t, oldest.IsZero())
	_, err = b.Event(b.ctx, receipt.Inbox)
	require.NoError(t, err)
}

func leaseIsExclusiveAndOldestFirst(t *testing.T, b *bundle) {
	for id := range reward.ID(5) {
		b.accept(t, pending(id+1, 1))
	}
	second := b.reopen(t)
	first, err := b.Lease(b.ctx, "a", 2, time.Minute)
	require.NoError(t, err)
	rest, err := second.Lease(b.ctx, "b", 10, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []reward.ID{1, 2}, rewardIDs(first))
	require.Equal(t, []reward.ID{3, 4, 5}, rewardIDs(rest))
	none, err := b.Lease(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)
	none, err = b.Lease(b.ctx, "a", 0, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)
}

func rewardIDs(rows []ledger.Pending) []reward.ID {
	ids := make([]reward.ID, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, row.RewardID)
	}
	return ids
}

func leaseExpires(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	first, err := b.Lease(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, first, 1)
	require.Zero(t, first[0].Tries)
	require.Equal(t, pending(7, 1).Body, first[0].Body)
	require.Equal(t, pending(7, 1).Traceparent, first[0].Traceparent)

	b.clock.advance(59 * time.Second)
	early, err := b.Lease(b.ctx, "b", 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, early)
	b.clock.advance(time.Second)
	again, err := b.Lease(b.ctx, "b", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, again, 1)
	require.Equal(t, 1, again[0].Tries)
}

func dispatchedIsNotLeasedAgain(t *testing.T, b *bundle) {
	receipt := b.accept(t, pending(7, 1))
	_, err := b.Lease(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	b.clock.advance(time.Second)
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "fulfilment-7"}}))
	b.clock.advance(time.Hour)
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "other"}}))
	require.NoError(t, b.Postpone(b.ctx, receipt.Inbox, 0, "late"))

	leased, err := b.Lease(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, "fulfilment-7", deliveries[0].WorkflowID)
	require.Equal(t, start().Add(time.Second), deliveries[0].DispatchedAt)
}

func postponedWaitsItsPause(t *testing.T, b *bundle) {
	receipt := b.accept(t, pending(7, 1))
	_, err := b.Lease(b.ctx, "a", 1, time.Hour)
	require.NoError(t, err)
	require.NoError(t, b.Postpone(b.ctx, receipt.Inbox, time.Minute, "Temporal is down"))
	b.clock.advance(59 * time.Second)
	leased, err := b.Lease(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.Empty(t, leased)
	b.clock.advance(time.Second)
	leased, err = b.Lease(b.ctx, "a", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 1)
	require.Equal(t, 1, leased[0].Tries)
}

func unknownInboxRowsAreNotFound(t *testing.T, b *bundle) {
	_, err := b.Event(b.ctx, 12)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.Equal(t, fault.NotFound, fault.KindOf(b.Postpone(b.ctx, 12, 0, "")))

	receipt := b.accept(t, pending(7, 1))
	err = b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: receipt.Inbox}, {Inbox: receipt.Inbox + 1}})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	depth, _, err := b.InboxDepth(b.ctx)
	require.NoError(t, err)
	require.Equal(t, 1, depth, "an error changes nothing, not even the row that is there")
}

func depthCountsWhatWaits(t *testing.T, b *bundle) {
	first := b.accept(t, pending(1, 1))
	b.clock.advance(time.Minute)
	second := b.accept(t, pending(2, 1))
	_, err := b.Lease(b.ctx, "a", 10, time.Hour)
	require.NoError(t, err)
	requireDepth(t, b, 2, start())
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: first.Inbox}}))
	requireDepth(t, b, 1, start().Add(time.Minute))
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: second.Inbox}}))
	requireDepth(t, b, 0, time.Time{})
}

func requireDepth(t *testing.T, b *bundle, want int, since time.Time) {
	t.Helper()
	depth, oldest, err := b.InboxDepth(b.ctx)
	require.NoError(t, err)
	require.Equal(t, want, depth)
	require.Equal(t, since, oldest)
}

func pingLeavesNoTrace(t *testing.T, b *bundle) {
	require.NoError(t, b.Ping(b.ctx))
	requireDepth(t, b, 0, time.Time{})
	require.NoError(t, b.Close())
	require.Error(t, b.Ping(b.ctx))
	require.NoError(t, b.Close(), "closing twice is safe")
}

func everythingOutlivesARestart(t *testing.T, b *bundle) {
	b.paid(t, 7)
	before := snapshotOf(t, b.Ledger, 7)
	require.NoError(t, b.Close())
	b.Ledger = b.reopen(t)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
	require.False(t, b.claim(t, 7).Taken, "a restart opens no fence")
	require.True(t, b.accept(t, pending(7, 1)).Duplicate)
}
