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

func entryChecks() []check {
	return []check{
		{"EntryTellsTheWholeStory", entryTellsTheWholeStory},
		{"ReturnAndPaymentByHandAreShown", returnAndPaymentByHandAreShown},
		{"ByHandShowsWhoseWordItIs", byHandShowsWhoseWordItIs},
		{"OnlyApprovalsThatCountAreShown", onlyApprovalsThatCountAreShown},
	}
}

func entryTellsTheWholeStory(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 2, "finance")
	first := decision("d1", 7)
	first.Roles = []string{"finance"}
	b.decide(t, first)
	b.clock.advance(time.Second)
	second := decision("d2", 7)
	second.By, second.Roles, second.At = "bob", []string{"finance"}, b.clock.Now()
	require.True(t, b.decide(t, second).Approved)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Approved, Reason: "approved"}))
	reserved := b.clock.Now()
	_, err := b.Reserve(b.ctx, ledger.Reservation{
		RewardID: 7, Provider: "billing", Quantity: owed(7).Quantity, Request: reservation(7, 1).Request, At: reserved,
	})
	require.NoError(t, err)
	b.clock.advance(time.Second)
	sent := b.claim(t, 7)
	b.clock.advance(time.Second)
	p, err := b.Finish(b.ctx, sent.Attempt, settled("ref-7"))
	require.NoError(t, err)
	b.clock.advance(time.Second)
	state, _, err := b.ClaimClose(b.ctx, 7, b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	_, err = b.FinishClose(b.ctx, 7, state.Fence, ledger.CallDone, "done")
	require.NoError(t, err)

	record := b.record(t, 7)
	p.Request.Body = nil
	require.Equal(t, []ledger.Entry{{
		Payout: p, At: p.PaidAt, LastSentAt: sent.Attempt.StartedAt, ClosedAt: b.clock.Now(), Money: ledger.MoneyLeft,
		Status: reward.Fulfilled, Promoter: owed(7).Promoter, Campaign: owed(7).Campaign,
		PolicyVersion: record.PolicyVersion, Rule: record.Rule,
		Approvals: []ledger.Approval{{By: first.By, Verified: true, At: start()}, {By: "bob", Verified: true, At: second.At}},
	}}, b.statement(t, ledger.PayoutFilter{}))
}

func returnAndPaymentByHandAreShown(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.clock.advance(time.Hour)
	_, err := b.Found(b.ctx, 7, 1, payout.Finding{Answer: payout.FoundReturned}, b.clock.Now())
	require.NoError(t, err)
	e := b.entry(t, 7)
	require.Equal(t, ledger.MoneyCameBack, e.Money)
	require.Equal(t, start(), e.At, "it stands where it left")
	require.Equal(t, start().Add(time.Hour), e.ReturnedAt)
	require.Empty(t, e.OtherReferences)

	b.clock.advance(time.Hour)
	_, err = b.PayByHand(b.ctx, 7, "alice", "bank-7", b.clock.Now())
	require.NoError(t, err)
	e = b.entry(t, 7)
	require.Equal(t, ledger.MoneyLeft, e.Money)
	require.Equal(t, "bank-7", e.Payout.Reference)
	require.Equal(t, []string{"ref-7"}, e.OtherReferences)
	require.Equal(t, start().Add(time.Hour), e.ReturnedAt)
	require.Equal(t, start().Add(2*time.Hour), e.At)
	require.Equal(t, e.At, e.LastSentAt)

	b.finished(t, 8, payout.Outcome{Class: payout.ClassRefused, Reference: "refused-8"})
	_, err = b.NewGeneration(b.ctx, reservation(8, 2), "alice")
	require.NoError(t, err)
	_, err = b.Finish(b.ctx, b.claim(t, 8).Attempt, settled("ref-8"))
	require.NoError(t, err)
	e = b.entry(t, 8)
	require.Equal(t, 2, e.Payout.Generation)
	require.Equal(t, payout.Key(8, 2), e.Payout.Request.Key)
	require.Equal(t, []string{"refused-8"}, e.OtherReferences)
}

func byHandShowsWhoseWordItIs(t *testing.T, b *bundle) {
	instruct := func(id string, action reward.Action, reference, by string) {
		b.clock.advance(time.Second)
		require.NoError(t, b.RecordResolution(b.ctx, reward.Resolution{
			ID: id, RewardID: 7, Action: action, Reference: reference, Comment: "comment " + id, By: by, Verified: true, At: b.clock.Now(),
		}))
	}
	b.finished(t, 7, payout.Outcome{Class: payout.ClassUnknown})
	instruct("r1", reward.ActionRetry, "", "alice")
	require.Equal(t, "r1", b.entry(t, 7).Resolution.ID, "the newest")
	require.False(t, b.entry(t, 7).ByHand)
	b.paid(t, 8)
	instruct("r2", reward.ActionPaid, "ref-8", "bob")
	_, err := b.PayByHand(b.ctx, 7, "bob", "ref-8", b.clock.Now())
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	instruct("r3", reward.ActionPaid, "bank-7", "carol")
	_, err = b.PayByHand(b.ctx, 7, "carol", "bank-7", b.clock.Now())
	require.NoError(t, err)
	instruct("r4", reward.ActionPaid, "bank-7", "dave")
	instruct("r5", reward.ActionAbandon, "", "erin")

	e := b.entry(t, 7)
	require.True(t, e.ByHand)
	require.Equal(t, reward.Resolution{
		ID: "r3", RewardID: 7, Action: reward.ActionPaid, Reference: "bank-7", Comment: "comment r3", By: "carol", Verified: true, At: e.Payout.PaidAt,
	}, e.Resolution)
	require.False(t, b.entry(t, 8).ByHand)
	require.Zero(t, b.entry(t, 8).Resolution)
}

func onlyApprovalsThatCountAreShown(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 1, "finance")
	wrong := decision("d1", 7)
	wrong.Roles = []string{"approver"}
	b.decide(t, wrong)
	right := decision("d2", 7)
	right.By, right.Roles = "frank", []string{"finance"}
	require.True(t, b.decide(t, right).Approved)

	// The reward changed, and was asked about again.
	again := assessment(7, reward.AwaitingApproval)
	again.Digest, again.Approvals = "digest-2", 1
	require.NoError(t, b.Assess(b.ctx, again, "policy"))
	wrong.ID, wrong.By, wrong.Digest, wrong.Roles = "d4", "heidi", "digest-2", []string{"operator"}
	require.False(t, b.decide(t, wrong).Approved)
	anew := decision("d3", 7)
	anew.By, anew.Digest = "grace", "digest-2"
	require.True(t, b.decide(t, anew).Approved)

	_, err := b.PayByHand(b.ctx, 7, "alice", "bank-7", b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, []ledger.Approval{{By: "grace", Verified: true, At: anew.At}}, b.entry(t, 7).Approvals)
}
