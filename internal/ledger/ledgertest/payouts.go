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

func payoutChecks() []check {
	return []check{
		{"ReserveFreezes", reserveFreezes},
		{"UnusableReservationsAreInvalid", unusableReservationsAreInvalid},
		{"KeyIsUsedOnce", keyIsUsedOnce},
		{"ClaimTakesTheFence", claimTakesTheFence},
		{"SecondClaimIsNotTaken", secondClaimIsNotTaken},
		{"ClaimNeedsItsTimes", claimNeedsItsTimes},
		{"FinalRewardIsNotClaimed", finalRewardIsNotClaimed},
		{"FinishMovesByOutcome", finishMovesByOutcome},
		{"FinishWithAnOldFenceChangesNothing", finishWithAnOldFenceChangesNothing},
		{"AttemptFinishesOnce", attemptFinishesOnce},
		{"UnclaimedAttemptIsNotFound", unclaimedAttemptIsNotFound},
		{"NotSentIsClaimedAgain", notSentIsClaimedAgain},
		{"TakenReferenceIsAConflict", takenReferenceIsAConflict},
		{"ExpireWaitsForTheDeadline", expireWaitsForTheDeadline},
		{"LateFinishAfterExpireIsOnlyRecorded", lateFinishAfterExpire},
		{"GenerationOnlyAfterRefused", generationOnlyAfterRefused},
		{"GenerationNeedsANewKey", generationNeedsANewKey},
		{"OldGenerationCannotFinishTheNewOne", oldGenerationCannotFinishTheNewOne},
		{"LateOutcomeLeavesAFinalStatus", lateOutcomeLeavesAFinalStatus},
	}
}

func reserveFreezes(t *testing.T, b *bundle) {
	b.approved(t, 7)
	b.clock.advance(time.Minute)
	r := reservation(7, 1)
	p, err := b.Reserve(b.ctx, r)
	require.NoError(t, err)
	require.Equal(t, ledger.Payout{
		RewardID: 7, Generation: 1, Provider: "billing", Quantity: r.Quantity, Request: r.Request, State: payout.Reserved,
		ReservedAt: start(), UpdatedAt: start().Add(time.Minute),
	}, p)

	other := reservation(7, 1)
	other.Provider, other.Request.Body, other.Request.Key = "another", []byte("other"), "other"
	other.Quantity.Amount = 999
	again, err := b.Reserve(b.ctx, other)
	require.NoError(t, err)
	require.Equal(t, p, again, "what is frozen stays frozen")
	stored, err := b.Payout(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, p, stored)
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Empty(t, attempts)
	b.requireStatus(t, 7, reward.Approved)
}

func unusableReservationsAreInvalid(t *testing.T, b *bundle) {
	b.approved(t, 7)
	spoil := map[string]func(*ledger.Reservation){
		"no provider":      func(r *ledger.Reservation) { r.Provider = "" },
		"no key":           func(r *ledger.Reservation) { r.Request.Key = "" },
		"no time":          func(r *ledger.Reservation) { r.At = time.Time{} },
		"nothing":          func(r *ledger.Reservation) { r.Quantity.Amount = 0 },
		"no currency":      func(r *ledger.Reservation) { r.Quantity.Unit = reward.Cash },
		"surplus currency": func(r *ledger.Reservation) { r.Quantity.Currency = "USD" },
	}
	for name, change := range spoil {
		r := reservation(7, 1)
		change(&r)
		_, err := b.Reserve(b.ctx, r)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
	}
	_, err := b.Payout(b.ctx, 7)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func keyIsUsedOnce(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	b.approved(t, 8)
	r := reservation(8, 1)
	r.Request.Key = payout.Key(7, 1)
	_, err := b.Reserve(b.ctx, r)
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	_, err = b.Payout(b.ctx, 8)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func claimTakesTheFence(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	b.clock.advance(time.Second)
	c := b.claim(t, 7)
	now := start().Add(time.Second)
	want := ledger.Attempt{
		RewardID: 7, Generation: 1, Number: 1, Kind: ledger.AttemptSend, Provider: "billing", Key: payout.Key(7, 1),
		StartedAt: now, Deadline: now.Add(time.Minute),
	}
	require.True(t, c.Taken)
	require.False(t, c.Braked)
	require.Equal(t, want, c.Attempt)
	require.Equal(t, payout.Submitting, c.Payout.State)
	require.EqualValues(t, 1, c.Payout.Fence)
	require.Equal(t, now, c.Payout.FirstSentAt)
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, []ledger.Attempt{want}, attempts)
	b.requireStatus(t, 7, reward.Paying)
}

func secondClaimIsNotTaken(t *testing.T, b *bundle) {
	b.claimed(t, 7)
	before := snapshotOf(t, b.Ledger, 7)
	c := b.claim(t, 7)
	require.False(t, c.Taken)
	require.False(t, c.Braked)
	require.NotEmpty(t, c.Reason)
	require.Equal(t, before.Payout, c.Payout)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func claimNeedsItsTimes(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	before := snapshotOf(t, b.Ledger, 7)
	for _, times := range [][2]time.Time{{{}, start()}, {start(), start()}, {start(), {}}} {
		_, err := b.Claim(b.ctx, 7, ledger.Caps{}, times[0], times[1])
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func finalRewardIsNotClaimed(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "not owed after all"}))
	c := b.claim(t, 7)
	require.False(t, c.Taken)
	require.False(t, c.Braked)
	require.Contains(t, c.Reason, "abandoned")
	require.Equal(t, payout.Reserved, c.Payout.State)
	b.requireStatus(t, 7, reward.Abandoned)
}

func finishMovesByOutcome(t *testing.T, b *bundle) {
	cases := []struct {
		name    string
		out     payout.Outcome
		state   payout.State
		status  reward.Status
		outcome string
	}{
		{"settled", settled("r1"), payout.Paid, reward.Paid, "accepted"},
		{"accepted", payout.Outcome{Class: payout.ClassAccepted, Reference: "r2"}, payout.Settling, reward.Settling, "accepted"},
		{"refused", payout.Outcome{Class: payout.ClassRefused}, payout.Refused, reward.Paying, "refused"},
		{"not sent", payout.Outcome{Class: payout.ClassNotSent}, payout.Reserved, reward.Paying, "not_sent"},
		{"unknown", payout.Outcome{Class: payout.ClassUnknown}, payout.Unknown, reward.Resolving, "unknown"},
		{"conflict", payout.Outcome{Class: payout.ClassConflict}, payout.Conflicted, reward.Paying, "conflict"},
		{"nothing said", payout.Outcome{}, payout.Unknown, reward.Resolving, "unknown"},
		{"unheard of", payout.Outcome{Class: "teapot", Settled: true}, payout.Unknown, reward.Resolving, "unknown"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			id := reward.ID(i + 1)
			a := b.claimed(t, id)
			c.out.Detail = "words of " + c.name
			p, err := b.Finish(b.ctx, a, c.out)
			require.NoError(t, err)
			require.Equal(t, c.state, p.State)
			require.Equal(t, c.out.Reference, p.Reference)
			require.Equal(t, c.out.Detail, p.Detail)
			require.Equal(t, c.state == payout.Paid, !p.PaidAt.IsZero())
			b.requireStatus(t, id, c.status)
			require.Equal(t, p.PaidAt, b.record(t, id).Closing.PaidAt)

			attempts, err := b.Attempts(b.ctx, id)
			require.NoError(t, err)
			a.FinishedAt, a.Outcome, a.Reference, a.Detail = start(), c.outcome, c.out.Reference, c.out.Detail
			require.Equal(t, []ledger.Attempt{a}, attempts)
		})
	}
}

func finishWithAnOldFenceChangesNothing(t *testing.T, b *bundle) {
	old := b.claimed(t, 7)
	b.clock.advance(2 * time.Minute)
	_, err := b.Expire(b.ctx, 7, b.clock.Now())
	require.NoError(t, err)
	_, err = b.Found(b.ctx, 7, old.Number, payout.Finding{Answer: payout.Absent}, b.clock.Now())
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 7, old.Number, "absent")
	require.NoError(t, err)
	newer := b.claim(t, 7)
	require.True(t, newer.Taken)
	require.Greater(t, newer.Attempt.Number, old.Number)

	before := snapshotOf(t, b.Ledger, 7)
	p, err := b.Finish(b.ctx, old, settled("late"))
	require.NoError(t, err)
	require.Equal(t, before.Payout, p)
	after := snapshotOf(t, b.Ledger, 7)
	require.Equal(t, before.Payout, after.Payout)
	require.Equal(t, before.Changes, after.Changes)
	require.Equal(t, "accepted", after.Attempts[0].Outcome, "but it is recorded")
	require.Equal(t, "late", after.Attempts[0].Reference)
	require.Empty(t, after.Attempts[2].Outcome)
}

func attemptFinishesOnce(t *testing.T, b *bundle) {
	a := b.claimed(t, 7)
	_, err := b.Finish(b.ctx, a, payout.Outcome{Class: payout.ClassNotSent})
	require.NoError(t, err)
	before := snapshotOf(t, b.Ledger, 7)
	p, err := b.Finish(b.ctx, a, settled("again"))
	require.NoError(t, err)
	require.Equal(t, payout.Reserved, p.State)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func unclaimedAttemptIsNotFound(t *testing.T, b *bundle) {
	a := b.claimed(t, 7)
	a.Number = 2
	_, err := b.Finish(b.ctx, a, settled("r"))
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func notSentIsClaimedAgain(t *testing.T, b *bundle) {
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassNotSent})
	require.Equal(t, payout.Reserved, p.State)
	b.clock.advance(time.Minute)
	c := b.claim(t, 7)
	require.True(t, c.Taken)
	require.EqualValues(t, 2, c.Attempt.Number)
	require.Equal(t, payout.Key(7, 1), c.Attempt.Key, "the same key")
	require.Equal(t, p.Request, c.Payout.Request, "and the same bytes")
	require.Equal(t, start(), c.Payout.FirstSentAt)
}

func takenReferenceIsAConflict(t *testing.T, b *bundle) {
	b.paid(t, 7)
	p := b.finished(t, 8, settled("ref-7"))
	require.Equal(t, payout.Conflicted, p.State)
	require.Empty(t, p.Reference)
	require.True(t, p.PaidAt.IsZero())
	require.Contains(t, p.Detail, "another reward")
	b.requireStatus(t, 8, reward.Paying)

	owner, err := b.Found(b.ctx, 7, 1, payout.Finding{Answer: payout.FoundReturned, Reference: "ref-7"}, start())
	require.NoError(t, err)
	require.Equal(t, payout.Returned, owner.State, "its owner still hears of it")

	b.reserved(t, 9)
	c := b.claim(t, 9)
	p, err = b.Finish(b.ctx, c.Attempt, payout.Outcome{Class: payout.ClassUnknown})
	require.NoError(t, err)
	p, err = b.Found(b.ctx, 9, p.Fence, payout.Finding{Answer: payout.FoundSettled, Reference: "ref-7"}, start())
	require.NoError(t, err)
	require.Equal(t, payout.Conflicted, p.State)
}

func expireWaitsForTheDeadline(t *testing.T, b *bundle) {
	b.claimed(t, 7)
	p, err := b.Expire(b.ctx, 7, start().Add(time.Minute-time.Millisecond))
	require.NoError(t, err)
	require.Equal(t, payout.Submitting, p.State)
	p, err = b.Expire(b.ctx, 7, start().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, payout.Unknown, p.State)
	b.requireStatus(t, 7, reward.Resolving)
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.True(t, attempts[0].FinishedAt.IsZero(), "nobody knows what it came to")

	before := snapshotOf(t, b.Ledger, 7)
	_, err = b.Expire(b.ctx, 7, start().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func lateFinishAfterExpire(t *testing.T, b *bundle) {
	a := b.claimed(t, 7)
	_, err := b.Expire(b.ctx, 7, a.Deadline)
	require.NoError(t, err)
	p, err := b.Finish(b.ctx, a, settled("late"))
	require.NoError(t, err)
	require.Equal(t, payout.Unknown, p.State, "only a look-up or a person leads out")
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, "accepted", attempts[0].Outcome)
}

func generationOnlyAfterRefused(t *testing.T, b *bundle) {
	outcomes := []payout.Outcome{
		settled("r1"),
		{Class: payout.ClassAccepted, Reference: "r2"},
		{Class: payout.ClassNotSent},
		{Class: payout.ClassUnknown},
		{Class: payout.ClassConflict},
	}
	for i, out := range outcomes {
		id := reward.ID(i + 1)
		b.finished(t, id, out)
		before := snapshotOf(t, b.Ledger, id)
		_, err := b.NewGeneration(b.ctx, reservation(id, 2), "alice")
		require.Equal(t, fault.Conflict, fault.KindOf(err), out.Class)
		require.Equal(t, before, snapshotOf(t, b.Ledger, id))
	}
	b.claimed(t, 20)
	_, err := b.NewGeneration(b.ctx, reservation(20, 2), "alice")
	require.Equal(t, fault.Conflict, fault.KindOf(err))

	b.finished(t, 7, payout.Outcome{Class: payout.ClassRefused, Reference: "refused-7", Detail: "no such account"})
	b.clock.advance(time.Minute)
	r := reservation(7, 2)
	r.Provider, r.At = "payouts", b.clock.Now()
	p, err := b.NewGeneration(b.ctx, r, "alice")
	require.NoError(t, err)
	require.Equal(t, 2, p.Generation)
	require.Equal(t, payout.Reserved, p.State)
	require.Equal(t, r.Request, p.Request)
	require.Equal(t, "payouts", p.Provider)
	require.Equal(t, b.clock.Now(), p.ReservedAt)
	require.Empty(t, p.Reference)
	require.True(t, p.FirstSentAt.IsZero())
	require.EqualValues(t, 1, p.Fence)
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, payout.Key(7, 1), attempts[0].Key, "the old generation stays readable")
	c := b.claim(t, 7)
	require.True(t, c.Taken)
	require.Equal(t, payout.Key(7, 2), c.Attempt.Key)
	require.Equal(t, 2, c.Attempt.Generation)
	require.EqualValues(t, 2, c.Attempt.Number)
}

func generationNeedsANewKey(t *testing.T, b *bundle) {
	b.finished(t, 7, payout.Outcome{Class: payout.ClassRefused})
	_, err := b.NewGeneration(b.ctx, reservation(7, 1), "alice")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	_, err = b.NewGeneration(b.ctx, reservation(7, 2), "alice")
	require.NoError(t, err)
	_, err = b.NewGeneration(b.ctx, reservation(7, 3), "alice")
	require.Equal(t, fault.Conflict, fault.KindOf(err), "the new one was not refused")
}

func oldGenerationCannotFinishTheNewOne(t *testing.T, b *bundle) {
	old := b.claimed(t, 7)
	_, err := b.Expire(b.ctx, 7, old.Deadline)
	require.NoError(t, err)
	_, err = b.Found(b.ctx, 7, old.Number, payout.Finding{Answer: payout.FoundFailed}, start())
	require.NoError(t, err)
	_, err = b.NewGeneration(b.ctx, reservation(7, 2), "alice")
	require.NoError(t, err)
	p, err := b.Finish(b.ctx, old, settled("late"))
	require.NoError(t, err)
	require.Equal(t, payout.Reserved, p.State)
	require.Empty(t, p.Reference)
}

func lateOutcomeLeavesAFinalStatus(t *testing.T, b *bundle) {
	a := b.claimed(t, 7)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Abandoned, Reason: "gone"}))
	p, err := b.Finish(b.ctx, a, settled("r"))
	require.NoError(t, err)
	require.Equal(t, payout.Paid, p.State)
	b.requireStatus(t, 7, reward.Abandoned)
}
