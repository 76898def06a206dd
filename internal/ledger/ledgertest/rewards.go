package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func rewardChecks() []check {
	return []check{
		{"UnknownRewardIsNotFound", unknownRewardIsNotFound},
		{"AssessWritesEverything", assessWritesEverything},
		{"RecordTellsOfThePayout", recordTellsOfThePayout},
		{"UnverifiedAssessmentKeepsTheClaim", unverifiedAssessmentKeepsTheClaim},
		{"AssessIsRefusedOnceThereIsAPayout", assessIsRefusedOnceThereIsAPayout},
		{"FinalIsNeverLeft", finalIsNeverLeft},
		{"UnknownStatusIsInvalid", unknownStatusIsInvalid},
		{"ListIsNewestFirst", listIsNewestFirst},
		{"ListFilters", listFilters},
		{"ListLeavesOut", listLeavesOut},
		{"ListLimit", listLimit},
		{"Summary", summary},
	}
}

// snapshot is all that a ledger says about one reward.
type snapshot struct {
	Record      ledger.Record
	Changes     []ledger.Change
	Deliveries  []ledger.Delivery
	Decisions   []ledger.Recorded
	Resolutions []reward.Resolution
	Payout      ledger.Payout
	Attempts    []ledger.Attempt
}

func snapshotOf(t *testing.T, l ledger.Ledger, id reward.ID) snapshot {
	t.Helper()
	var s snapshot
	var err error
	s.Record, err = l.Reward(t.Context(), id)
	require.NoError(t, err)
	s.Changes, err = l.Changes(t.Context(), id)
	require.NoError(t, err)
	s.Deliveries, err = l.Deliveries(t.Context(), id)
	require.NoError(t, err)
	s.Decisions, err = l.DecisionsOf(t.Context(), id)
	require.NoError(t, err)
	s.Resolutions, err = l.ResolutionsOf(t.Context(), id)
	require.NoError(t, err)
	s.Attempts, err = l.Attempts(t.Context(), id)
	require.NoError(t, err)
	s.Payout, err = l.Payout(t.Context(), id)
	if !fault.Is(err, fault.NotFound) {
		require.NoError(t, err)
	}
	return s
}

func unknownRewardIsNotFound(t *testing.T, b *bundle) {
	calls := map[string]func() error{
		"Reward":        func() error { _, err := b.Reward(b.ctx, 9); return err },
		"LatestClaim":   func() error { _, err := b.LatestClaim(b.ctx, 9); return err },
		"Assess":        func() error { return b.Assess(b.ctx, assessment(9, reward.Approved), "policy") },
		"Move":          func() error { return b.Move(b.ctx, ledger.Transition{ID: 9, To: reward.Held}) },
		"Changes":       func() error { _, err := b.Changes(b.ctx, 9); return err },
		"Deliveries":    func() error { _, err := b.Deliveries(b.ctx, 9); return err },
		"Decide":        func() error { _, err := b.Decide(b.ctx, decision("d", 9), false); return err },
		"TallyOf":       func() error { _, err := b.TallyOf(b.ctx, 9); return err },
		"DecisionsOf":   func() error { _, err := b.DecisionsOf(b.ctx, 9); return err },
		"MarkDelivered": func() error { return b.MarkDelivered(b.ctx, "d") },
		"RecordResolution": func() error {
			return b.RecordResolution(b.ctx, reward.Resolution{ID: "r", RewardID: 9, Action: reward.ActionRetry})
		},
		"Resolution":    func() error { _, err := b.Resolution(b.ctx, "r"); return err },
		"ResolutionsOf": func() error { _, err := b.ResolutionsOf(b.ctx, 9); return err },
		"Reserve":       func() error { _, err := b.Reserve(b.ctx, reservation(9, 1)); return err },
		"Payout":        func() error { _, err := b.Payout(b.ctx, 9); return err },
		"Claim":         func() error { _, err := b.Claim(b.ctx, 9, ledger.Caps{}, start(), start().Add(1)); return err },
		"Finish": func() error {
			_, err := b.Finish(b.ctx, ledger.Attempt{RewardID: 9, Number: 1}, settled("r"))
			return err
		},
		"Expire":        func() error { _, err := b.Expire(b.ctx, 9, start()); return err },
		"Found":         func() error { _, err := b.Found(b.ctx, 9, 1, payout.Finding{}, start()); return err },
		"Rearm":         func() error { _, err := b.Rearm(b.ctx, 9, 1, "why"); return err },
		"NewGeneration": func() error { _, err := b.NewGeneration(b.ctx, reservation(9, 2), "alice"); return err },
		"PayByHand":     func() error { _, err := b.PayByHand(b.ctx, 9, "alice", "r", start()); return err },
		"Attempts":      func() error { _, err := b.Attempts(b.ctx, 9); return err },
		"ClaimClose":    func() error { _, _, err := b.ClaimClose(b.ctx, 9, start()); return err },
		"FinishClose":   func() error { _, err := b.FinishClose(b.ctx, 9, 0, ledger.CallDone, ""); return err },
		"ExpireClose":   func() error { _, err := b.ExpireClose(b.ctx, 9, start()); return err },
	}
	for name, call := range calls {
		require.Equal(t, fault.NotFound, fault.KindOf(call()), name)
	}
}

func assessWritesEverything(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	b.clock.advance(time.Minute)
	a := ledger.Assessment{
		Reward: owed(7), Verified: true, Status: reward.Held, Reason: "new promoters wait", Provider: "payouts",
		Digest: "d1", PolicyVersion: "v1", Rule: "rule 2", Approvals: 2, Role: "finance", HoldUntil: start().Add(time.Hour),
	}
	a.Reward.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	a.Reward.Promoter.Email = "verified@example.com"
	before := b.record(t, 7)
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	r := b.record(t, 7)
	foretold := before.With(a)
	foretold.UpdatedAt = r.UpdatedAt
	require.Equal(t, foretold, r)
	want := ledger.Record{
		Reward: a.Reward, Verified: true, Status: reward.Held, Reason: a.Reason, Provider: "payouts", Digest: "d1",
		PolicyVersion: "v1", Rule: "rule 2", Approvals: 2, Role: "finance", HoldUntil: a.HoldUntil,
		ReceivedAt: start(), UpdatedAt: start().Add(time.Minute),
	}
	require.Equal(t, want, r)
	change := b.lastChange(t, 7)
	require.Equal(t, ledger.Change{
		At: start().Add(time.Minute), From: reward.Received, To: reward.Held, Reason: a.Reason, Actor: "policy",
	}, change)

	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	changes, err := b.Changes(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, changes, 2, "the same assessment again is no change")

	a.Excluded, a.Facts, a.Waits = []string{"bob"}, `{"n":1}`, ledger.Waits{HoldAfter: time.Hour}
	a.HoldUntil, a.NextTimer = time.Time{}, start().Add(time.Hour+time.Microsecond)
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, r.With(a), b.record(t, 7))
}

func recordTellsOfThePayout(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	none := b.record(t, 7)
	require.Empty(t, none.Payout)
	require.Empty(t, none.PaidBy)
	b.reserved(t, 8)
	listed, err := b.ListRewards(b.ctx, ledger.Filter{Limit: 1, Statuses: []reward.Status{reward.Approved}})
	require.NoError(t, err)
	require.Equal(t, []ledger.Record{b.record(t, 8)}, listed)
	require.Equal(t, payout.Reserved, listed[0].Payout)
	require.Equal(t, reservation(8, 1).Provider, listed[0].PaidBy)
	require.True(t, b.claim(t, 8).Taken)
	require.Equal(t, payout.Submitting, b.record(t, 8).Payout)
}

func unverifiedAssessmentKeepsTheClaim(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	a := assessment(7, reward.Quarantined)
	a.Verified, a.Reward.Quantity.Amount = false, 99
	require.NoError(t, b.Assess(b.ctx, a, "verify"))
	r := b.record(t, 7)
	require.False(t, r.Verified)
	require.Equal(t, owed(7), r.Reward)
}

func assessIsRefusedOnceThereIsAPayout(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	err := b.Assess(b.ctx, assessment(7, reward.AwaitingApproval), "policy")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	b.requireStatus(t, 7, reward.Approved)
}

func finalIsNeverLeft(t *testing.T, b *bundle) {
	finals := []reward.Status{reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned}
	for i, final := range finals {
		id := reward.ID(i + 1)
		b.accept(t, pending(id, 1))
		end := ledger.Transition{ID: id, To: final, Reason: "the end", Actor: "alice"}
		require.NoError(t, b.Move(b.ctx, end))
		require.NoError(t, b.Move(b.ctx, end), "saying the same again is no conflict")
		before := snapshotOf(t, b.Ledger, id)

		require.Equal(t, fault.Conflict, fault.KindOf(b.Move(b.ctx, ledger.Transition{ID: id, To: reward.Paying})))
		end.Reason = "another end"
		require.Equal(t, fault.Conflict, fault.KindOf(b.Move(b.ctx, end)))
		require.Equal(t, fault.Conflict, fault.KindOf(b.Assess(b.ctx, assessment(id, reward.Approved), "policy")))
		_, err := b.Reserve(b.ctx, reservation(id, 1))
		require.Equal(t, fault.Conflict, fault.KindOf(err))
		_, err = b.PayByHand(b.ctx, id, "alice", "r", start())
		require.Equal(t, fault.Conflict, fault.KindOf(err))
		require.Equal(t, before, snapshotOf(t, b.Ledger, id))
	}
}

func unknownStatusIsInvalid(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	require.Equal(t, fault.Invalid, fault.KindOf(b.Move(b.ctx, ledger.Transition{ID: 7, To: "done"})))
	require.Equal(t, fault.Invalid, fault.KindOf(b.Assess(b.ctx, assessment(7, "done"), "policy")))
}

func listIsNewestFirst(t *testing.T, b *bundle) {
	// 3 and 4 arrive in one millisecond: the higher ID comes first.
	for _, id := range []reward.ID{5, 2, 3, 4, 1} {
		if id != 4 {
			b.clock.advance(time.Second)
		}
		b.accept(t, pending(id, 1))
	}
	want := []reward.ID{1, 4, 3, 2, 5}
	require.Equal(t, want, listed(t, b, ledger.Filter{}))

	var paged []reward.ID
	f := ledger.Filter{Limit: 2}
	for {
		page, err := b.ListRewards(b.ctx, f)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			paged = append(paged, r.Reward.ID)
		}
		last := page[len(page)-1]
		f.Before = ledger.Cursor{ReceivedAt: last.ReceivedAt, ID: last.Reward.ID}
	}
	require.Equal(t, want, paged)
}

func listed(t *testing.T, b *bundle, f ledger.Filter) []reward.ID {
	t.Helper()
	records, err := b.ListRewards(b.ctx, f)
	require.NoError(t, err)
	ids := make([]reward.ID, 0, len(records))
	for _, r := range records {
		ids = append(ids, r.Reward.ID)
	}
	return ids
}

func listFilters(t *testing.T, b *bundle) {
	for id := range reward.ID(4) {
		ev := pending(id+1, 1)
		if id+1 == 2 {
			ev.Reward.Reward.Quantity.Unit = reward.Credits
		}
		b.accept(t, ev)
	}
	b.clock.advance(time.Minute)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 3, To: reward.Held, Reason: "wait"}))
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 4, To: reward.Attention, Reason: "look"}))

	require.Equal(t, []reward.ID{4, 3}, listed(t, b, ledger.Filter{Statuses: []reward.Status{reward.Held, reward.Attention}}))
	require.Equal(t, []reward.ID{2}, listed(t, b, ledger.Filter{Unit: reward.Credits}))
	require.Equal(t, []reward.ID{1}, listed(t, b, ledger.Filter{Promoter: 701}))
	require.Equal(t, []reward.ID{2, 1}, listed(t, b, ledger.Filter{UpdatedBefore: start().Add(time.Minute)}))
	require.Empty(t, listed(t, b, ledger.Filter{Promoter: 701, Unit: reward.Credits}))
}

func listLeavesOut(t *testing.T, b *bundle) {
	for id := range reward.ID(4) {
		b.accept(t, pending(id+1, 1))
	}
	b.clock.advance(time.Minute)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 4, To: reward.Attention, Reason: "look"}))
	leftTo := func(name string) ledger.Filter {
		return ledger.Filter{Statuses: []reward.Status{reward.Received, reward.Attention}, LeftTo: name}
	}
	require.Equal(t, []reward.ID{4}, listed(t, b, leftTo("a")), "a lost workflow is missed wherever its reward is but here")

	leased, err := b.Lease(b.ctx, "a", 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 2)
	require.Equal(t, []reward.ID{4}, listed(t, b, leftTo("a")), "it is about to dispatch them")
	require.Equal(t, []reward.ID{4, 2, 1}, listed(t, b, leftTo("b")), "a may have died")
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: leased[0].Inbox, WorkflowID: "fulfilment-1"}}))
	require.NoError(t, b.Postpone(b.ctx, leased[1].Inbox, time.Minute, "Temporal is down"))
	require.Equal(t, []reward.ID{4, 1}, listed(t, b, leftTo("b")))
	require.Equal(t, []reward.ID{4, 3, 2, 1}, listed(t, b, leftTo("")))
}

func listLimit(t *testing.T, b *bundle) {
	errs := make([]error, 501)
	race(len(errs), func(i int) {
		_, errs[i] = b.Accept(b.ctx, pending(reward.ID(i+1), 1), afterPaid)
	})
	require.NoError(t, errors.Join(errs...))
	require.Len(t, listed(t, b, ledger.Filter{}), 50)
	require.Len(t, listed(t, b, ledger.Filter{Limit: 51}), 51)
	require.Len(t, listed(t, b, ledger.Filter{Limit: 100000}), 500)
}

func summary(t *testing.T, b *bundle) {
	b.accept(t, pending(1, 1))
	b.clock.advance(time.Minute)
	b.accept(t, pending(2, 1))
	b.paid(t, 3)
	b.paid(t, 4)
	b.accept(t, pending(5, 1))
	cash := assessment(5, reward.Approved)
	cash.Reward.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	require.NoError(t, b.Assess(b.ctx, cash, "policy"))
	_, err := b.PayByHand(b.ctx, 5, "alice", "bank-1", b.clock.Now())
	require.NoError(t, err)

	totals, paid, err := b.Summary(b.ctx)
	require.NoError(t, err)
	require.Equal(t, []ledger.Total{
		{Status: reward.Received, Count: 2, Oldest: start()},
		{Status: reward.Paid, Count: 3, Oldest: start().Add(time.Minute)},
	}, totals)
	require.Equal(t, []ledger.PaidTotal{
		{Unit: reward.Cash, Currency: "USD", Count: 1, Amount: 1250},
		{Unit: reward.FreeMonths, Count: 2, Amount: 6},
	}, paid)
}
