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

func lookupChecks() []check {
	return []check{
		{"FoundMovesByFinding", foundMovesByFinding},
		{"FoundWithAnOldFenceIsOnlyRecorded", foundWithAnOldFence},
		{"SettlingIsPolledToItsEnd", settlingIsPolledToItsEnd},
		{"RearmNeedsALookup", rearmNeedsALookup},
		{"RearmNeedsTheFence", rearmNeedsTheFence},
		{"RearmOnlyFromUnknown", rearmOnlyFromUnknown},
		{"LookupsTakeNoSendsNumber", lookupsTakeNoSendsNumber},
	}
}

func byHandChecks() []check {
	return []check{
		{"WithoutAPayout", byHandWithoutAPayout},
		{"FromEveryState", byHandFromEveryState},
		{"ReferenceMustBeNew", byHandReferenceMustBeNew},
		{"SaidTwice", byHandSaidTwice},
		{"NeedsActorAndReference", byHandNeedsActorAndReference},
	}
}

func foundMovesByFinding(t *testing.T, b *bundle) {
	cases := []struct {
		answer payout.Answer
		state  payout.State
		status reward.Status
	}{
		{payout.FoundSettled, payout.Paid, reward.Paid},
		{payout.FoundPending, payout.Settling, reward.Settling},
		{payout.FoundFailed, payout.Refused, reward.Resolving},
		{payout.FoundReturned, payout.Returned, reward.Resolving},
		{payout.Absent, payout.Unknown, reward.Resolving},
		{payout.CannotTell, payout.Unknown, reward.Resolving},
		{"", payout.Unknown, reward.Resolving},
	}
	for i, c := range cases {
		t.Run("answer "+string(c.answer), func(t *testing.T) {
			t.Parallel()
			id := reward.ID(i + 1)
			p := b.finished(t, id, payout.Outcome{Class: payout.ClassUnknown})
			at := start().Add(time.Minute)
			f := payout.Finding{Answer: c.answer, Reference: "r-" + id.String(), Detail: "what was found"}
			p, err := b.Found(b.ctx, id, p.Fence, f, at)
			require.NoError(t, err)
			require.Equal(t, c.state, p.State)
			require.EqualValues(t, 1, p.Fence, "a look-up raises no fence")
			b.requireStatus(t, id, c.status)
			if c.state == payout.Paid {
				require.Equal(t, at, p.PaidAt)
				require.Equal(t, f.Reference, p.Reference)
			}
			attempts, err := b.Attempts(b.ctx, id)
			require.NoError(t, err)
			outcome := string(c.answer)
			if outcome == "" {
				outcome = string(payout.CannotTell)
			}
			require.Equal(t, ledger.Attempt{
				RewardID: id, Generation: 1, Number: 2, Kind: ledger.AttemptLookup, Provider: "billing", Key: payout.Key(id, 1),
				StartedAt: at, Deadline: at, FinishedAt: at, Outcome: outcome, Reference: f.Reference, Detail: f.Detail,
			}, attempts[1])
		})
	}
}

func foundWithAnOldFence(t *testing.T, b *bundle) {
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassNotSent})
	old := p.Fence
	require.True(t, b.claim(t, 7).Taken)
	before := snapshotOf(t, b.Ledger, 7)
	p, err := b.Found(b.ctx, 7, old, payout.Finding{Answer: payout.FoundSettled, Reference: "r"}, start())
	require.NoError(t, err)
	require.Equal(t, before.Payout, p)
	after := snapshotOf(t, b.Ledger, 7)
	require.Equal(t, before.Payout, after.Payout)
	require.Len(t, after.Attempts, len(before.Attempts)+1)
}

func settlingIsPolledToItsEnd(t *testing.T, b *bundle) {
	ends := map[payout.Answer]payout.State{
		payout.FoundSettled: payout.Paid, payout.FoundFailed: payout.Refused, payout.FoundReturned: payout.Returned,
		payout.FoundPending: payout.Settling, payout.Absent: payout.Settling, payout.CannotTell: payout.Settling,
	}
	id := reward.ID(0)
	for answer, state := range ends {
		id++
		p := b.finished(t, id, payout.Outcome{Class: payout.ClassAccepted, Reference: "ref-" + id.String()})
		p, err := b.Found(b.ctx, id, p.Fence, payout.Finding{Answer: answer}, start())
		require.NoError(t, err)
		require.Equal(t, state, p.State, answer)
		require.Equal(t, "ref-"+id.String(), p.Reference, "a look-up without a reference keeps the known one")
	}
}

func rearmNeedsALookup(t *testing.T, b *bundle) {
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassUnknown})
	_, err := b.Rearm(b.ctx, 7, p.Fence, "in good faith")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	_, err = b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: payout.Absent}, start())
	require.NoError(t, err)
	p, err = b.Rearm(b.ctx, 7, p.Fence, "surely absent")
	require.NoError(t, err)
	require.Equal(t, payout.Reserved, p.State)
	require.Equal(t, "surely absent", p.Detail)
	require.Equal(t, start(), p.FirstSentAt, "the window still counts from the first send")

	c := b.claim(t, 7)
	require.True(t, c.Taken)
	require.Equal(t, payout.Key(7, 1), c.Attempt.Key)
	p, err = b.Finish(b.ctx, c.Attempt, payout.Outcome{Class: payout.ClassUnknown})
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 7, p.Fence, "the old look-up")
	require.Equal(t, fault.Conflict, fault.KindOf(err), "a look-up before the newest send proves nothing")
	_, err = b.Found(b.ctx, 7, 1, payout.Finding{Answer: payout.Absent}, start())
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 7, p.Fence, "a look-up from before the newest send, reported late")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
}

func rearmNeedsTheFence(t *testing.T, b *bundle) {
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassUnknown})
	_, err := b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: payout.Absent}, start())
	require.NoError(t, err)
	for _, fence := range []int64{p.Fence - 1, p.Fence + 1} {
		_, err = b.Rearm(b.ctx, 7, fence, "why")
		require.Equal(t, fault.Conflict, fault.KindOf(err))
	}
	require.False(t, b.claim(t, 7).Taken)
}

func rearmOnlyFromUnknown(t *testing.T, b *bundle) {
	a := b.claimed(t, 7)
	_, err := b.Found(b.ctx, 7, a.Number, payout.Finding{Answer: payout.Absent}, start())
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 7, a.Number, "while it is on the wire")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	p, err := b.Payout(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, payout.Submitting, p.State)

	_, err = b.Expire(b.ctx, 7, a.Deadline)
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 7, a.Number, "a look-up while it was on the wire")
	require.Equal(t, fault.Conflict, fault.KindOf(err), "it may have arrived after the look-up")
}

func lookupsTakeNoSendsNumber(t *testing.T, b *bundle) {
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassUnknown})
	for range 3 {
		_, err := b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: payout.Absent}, start())
		require.NoError(t, err)
	}
	_, err := b.Rearm(b.ctx, 7, p.Fence, "absent")
	require.NoError(t, err)
	c := b.claim(t, 7)
	require.EqualValues(t, 5, c.Attempt.Number)
	require.Equal(t, c.Attempt.Number, c.Payout.Fence, "the number of a send is the fence")
}

func byHandWithoutAPayout(t *testing.T, b *bundle) {
	b.approved(t, 7)
	at := start().Add(time.Minute)
	p, err := b.PayByHand(b.ctx, 7, "alice", "bank-1", at)
	require.NoError(t, err)
	require.Equal(t, "by_hand", p.Provider)
	require.Equal(t, payout.Paid, p.State)
	require.Equal(t, owed(7).Quantity, p.Quantity)
	require.Equal(t, "bank-1", p.Reference)
	require.Equal(t, at, p.PaidAt)
	require.True(t, p.FirstSentAt.IsZero())
	b.requireStatus(t, 7, reward.Paid)
	require.Equal(t, "alice", b.lastChange(t, 7).Actor)
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, attempts, 1)
	require.Equal(t, ledger.AttemptByHand, attempts[0].Kind)
	require.Equal(t, "bank-1", attempts[0].Reference)
	require.Equal(t, at, attempts[0].FinishedAt)
	require.False(t, b.claim(t, 7).Taken)
}

func byHandFromEveryState(t *testing.T, b *bundle) {
	reach := map[payout.State]func(id reward.ID){
		payout.Reserved:   func(id reward.ID) { b.reserved(t, id) },
		payout.Submitting: func(id reward.ID) { b.claimed(t, id) },
		payout.Unknown:    func(id reward.ID) { b.finished(t, id, payout.Outcome{}) },
		payout.Settling:   func(id reward.ID) { b.finished(t, id, payout.Outcome{Class: payout.ClassAccepted, Reference: "s"}) },
		payout.Paid:       func(id reward.ID) { b.paid(t, id) },
		payout.Refused:    func(id reward.ID) { b.finished(t, id, payout.Outcome{Class: payout.ClassRefused}) },
		payout.Conflicted: func(id reward.ID) { b.finished(t, id, payout.Outcome{Class: payout.ClassConflict}) },
		payout.Returned: func(id reward.ID) {
			_, err := b.Found(b.ctx, id, b.paid(t, id).Fence, payout.Finding{Answer: payout.FoundReturned}, start())
			require.NoError(t, err)
		},
	}
	for i, state := range payout.States() {
		id := reward.ID(i + 1)
		reach[state](id)
		before := snapshotOf(t, b.Ledger, id)
		require.Equal(t, state, before.Payout.State)
		p, err := b.PayByHand(b.ctx, id, "alice", "bank-"+id.String(), start())
		if _, allowed := payout.Next(state, payout.MoveByHand); !allowed {
			require.Equal(t, fault.Conflict, fault.KindOf(err), state)
			require.Equal(t, before, snapshotOf(t, b.Ledger, id))
			continue
		}
		require.NoError(t, err, state)
		require.Equal(t, payout.Paid, p.State)
		require.Equal(t, "billing", p.Provider)
		b.requireStatus(t, id, reward.Paid)
	}
}

func byHandReferenceMustBeNew(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.reserved(t, 8)
	before := snapshotOf(t, b.Ledger, 8)
	_, err := b.PayByHand(b.ctx, 8, "alice", "ref-7", start())
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	require.Equal(t, before, snapshotOf(t, b.Ledger, 8))

	b.approved(t, 9)
	_, err = b.PayByHand(b.ctx, 9, "alice", "ref-7", start())
	require.NoError(t, err, "another provider's references are its own")

	p, err := b.Found(b.ctx, 7, 1, payout.Finding{Answer: payout.FoundReturned}, start())
	require.NoError(t, err)
	require.Equal(t, payout.Returned, p.State)
	_, err = b.PayByHand(b.ctx, 7, "alice", "ref-7", start())
	require.Equal(t, fault.Conflict, fault.KindOf(err), "what came back proves nothing")
}

func byHandSaidTwice(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	_, err := b.PayByHand(b.ctx, 7, "alice", "bank-1", start())
	require.NoError(t, err)
	before := snapshotOf(t, b.Ledger, 7)
	p, err := b.PayByHand(b.ctx, 7, "alice", "bank-1", start().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, before.Payout, p)
	_, err = b.PayByHand(b.ctx, 7, "alice", "bank-2", start())
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
}

func byHandNeedsActorAndReference(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	_, err := b.PayByHand(b.ctx, 7, "", "bank-1", start())
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	_, err = b.PayByHand(b.ctx, 7, "alice", "", start())
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}
