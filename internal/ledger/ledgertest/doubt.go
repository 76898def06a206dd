package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
)

func doubtChecks() []check {
	return []check{
		{"IsWhatTheNewestLookupLeft", doubtIsWhatTheNewestLookupLeft},
		{"BlindResendProvesNothingOfTheFirst", blindResendProvesNothing},
		{"AbsentIsAsGoodAsNeverSent", absentIsAsGoodAsNeverSent},
		{"EndsWithTheGeneration", doubtEndsWithTheGeneration},
	}
}

// rearmed is a payout whose first send came to nothing known, and whose
// look-ups gave the answers.
func (b *bundle) rearmed(t *testing.T, answers ...payout.Answer) ledger.Payout {
	t.Helper()
	p := b.finished(t, 7, payout.Outcome{Class: payout.ClassUnknown})
	for _, answer := range answers {
		_, err := b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: answer}, start())
		require.NoError(t, err)
	}
	p, err := b.Rearm(b.ctx, 7, p.Fence, "again")
	require.NoError(t, err)
	return p
}

func doubtIsWhatTheNewestLookupLeft(t *testing.T, b *bundle) {
	p := b.finished(t, 8, payout.Outcome{Class: payout.ClassNotSent})
	require.Equal(t, ledger.DoubtNone, p.Doubt)
	p = b.rearmed(t, payout.Absent, payout.CannotTell)
	require.Equal(t, ledger.DoubtBlind, p.Doubt)

	p, err := b.Finish(b.ctx, b.claim(t, 7).Attempt, payout.Outcome{Class: payout.ClassUnknown})
	require.NoError(t, err)
	_, err = b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: payout.Absent}, start())
	require.NoError(t, err)
	p, err = b.Rearm(b.ctx, 7, p.Fence, "surely absent")
	require.NoError(t, err)
	require.Equal(t, ledger.DoubtAbsent, p.Doubt, "it covers every send before")
}

func blindResendProvesNothing(t *testing.T, b *bundle) {
	b.rearmed(t, payout.CannotTell)
	for _, class := range []payout.Class{payout.ClassNotSent, payout.ClassRefused} {
		p, err := b.Finish(b.ctx, b.claim(t, 7).Attempt, payout.Outcome{Class: class, Detail: "no"})
		require.NoError(t, err)
		require.Equal(t, payout.Unknown, p.State, class)
		require.Contains(t, p.Detail, "an earlier attempt may have been done")
		_, err = b.NewGeneration(b.ctx, reservation(7, 2), "alice")
		require.Equal(t, fault.Conflict, fault.KindOf(err), "nothing is proven, so nothing new is made")

		_, err = b.Found(b.ctx, 7, p.Fence, payout.Finding{Answer: payout.CannotTell}, start())
		require.NoError(t, err)
		_, err = b.Rearm(b.ctx, 7, p.Fence, "again")
		require.NoError(t, err)
	}
	p, err := b.Finish(b.ctx, b.claim(t, 7).Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"})
	require.NoError(t, err)
	require.Equal(t, payout.Paid, p.State)
}

func absentIsAsGoodAsNeverSent(t *testing.T, b *bundle) {
	b.rearmed(t, payout.Absent)
	p, err := b.Finish(b.ctx, b.claim(t, 7).Attempt, payout.Outcome{Class: payout.ClassRefused, Detail: "no"})
	require.NoError(t, err)
	require.Equal(t, payout.Refused, p.State)
}

func doubtEndsWithTheGeneration(t *testing.T, b *bundle) {
	b.rearmed(t, payout.Absent)
	_, err := b.Finish(b.ctx, b.claim(t, 7).Attempt, payout.Outcome{Class: payout.ClassRefused})
	require.NoError(t, err)
	p, err := b.NewGeneration(b.ctx, reservation(7, 2), "alice")
	require.NoError(t, err)
	require.Equal(t, ledger.DoubtNone, p.Doubt)
}
