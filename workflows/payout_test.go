package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()

	unknown := payout.Outcome{Class: payout.ClassUnknown, Detail: "no answer"}
	window := payout.Traits{Window: 24 * time.Hour, Margin: time.Hour, SettleDelay: 10 * time.Second}
	tests := map[string]struct {
		traits   payout.Traits
		answers  []answer
		findings []payout.Finding
		sends    int
	}{
		"a lost answer is found": {
			traits: window, answers: []answer{{unknown, true}}, sends: 1,
		},
		"what is surely absent is sent again": {
			traits: window, answers: []answer{{unknown, false}}, sends: 2,
		},
		"an outcome that nobody classified is looked up": {
			traits: window, answers: []answer{{payout.Outcome{Class: "odd"}, true}}, sends: 1,
		},
		"a provider that cannot tell for a while is asked again": {
			traits: window, answers: []answer{{unknown, true}},
			findings: []payout.Finding{{Answer: payout.CannotTell}, {Answer: payout.CannotTell}, {Answer: payout.CannotTell}, {Answer: payout.CannotTell}},
			sends:    1,
		},
		"a provider that knows its keys gets the same key blind": {
			traits:   payout.Traits{Window: 24 * time.Hour, Margin: time.Hour, ResendBlind: true},
			answers:  []answer{{unknown, true}},
			findings: []payout.Finding{{Answer: payout.CannotTell}, {Answer: payout.CannotTell}, {Answer: payout.CannotTell}},
			sends:    2,
		},
		"one that refused to listen is asked again": {
			traits: window, answers: []answer{
				{payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Throttled, RetryAfter: time.Minute, Detail: "busy"}, false},
				{payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Unavailable, Detail: "no connection"}, false},
				{payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Denied, Detail: "wrong key"}, false},
			}, sends: 4,
		},
		"one that settles later is polled": {
			traits: window, answers: []answer{{payout.Outcome{Class: payout.ClassAccepted, Reference: "ref-rf_2429153_1"}, true}},
			findings: []payout.Finding{{Answer: payout.FoundPending, Reference: "ref-rf_2429153_1"}, {Answer: payout.CannotTell}},
			sends:    1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHouse(t)
			h.provider.traits, h.provider.next, h.provider.findings = tt.traits, tt.answers, tt.findings
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
			require.Equal(t, tt.sends, h.provider.sends)
			require.Empty(t, h.provider.findings, "every look-up was made before anything was sent again")
		})
	}
}

func TestClosedWindowNeedsAPerson(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits = payout.Traits{Window: time.Minute, Margin: time.Minute, ResendBlind: true}
	h.provider.next = []answer{{payout.Outcome{Class: payout.ClassUnknown}, false}}
	h.after(time.Hour, func() {
		require.Equal(t, reward.Attention, h.status().Status)
		require.Contains(t, h.status().Reason, "rf_2429153_1")
		p, err := h.ledger.Payout(context.Background(), rewardID)
		require.NoError(t, err)
		require.Equal(t, payout.Unknown, p.State, "nothing made it ready to be sent again")
		h.update(workflows.UpdateResolve, workflows.Instruction{Action: reward.ActionReject, By: "alice"}, func(result any, err error) {
			require.NoError(t, err)
			out, ok := result.(activities.ResolveResult)
			require.True(t, ok)
			require.Contains(t, out.Refusal, "may be paid")
		})
	})
	h.after(2*time.Hour, func() {
		h.resolve(workflows.Instruction{Action: reward.ActionPaid, By: "alice", Reference: "bank-17"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.Equal(t, 1, h.provider.sends)
	require.Empty(t, h.provider.books())
	require.Equal(t, 1, h.fp.completed(rewardID))
}

// TestBrakedResendDoesNotOutliveTheWindow holds a payout, which may be sent
// again after a look-up, under the brake until the provider has forgotten the
// key.
func TestBrakedResendDoesNotOutliveTheWindow(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits = payout.Traits{Window: 24 * time.Hour, Margin: time.Hour, SettleDelay: time.Minute}
	h.provider.next = []answer{{payout.Outcome{Class: payout.ClassUnknown}, false}}
	brake := func(paused bool) {
		require.NoError(t, h.ledger.SetBrake(context.Background(), ledger.BrakeState{
			Scope: ledger.AllProviders, Paused: paused, Reason: "audit", By: "alice", At: h.env.Now(),
		}))
	}
	h.after(30*time.Second, func() { brake(true) })
	h.after(20*time.Hour, func() { require.Equal(t, reward.Held, h.status().Status) })
	h.after(48*time.Hour, func() { brake(false) })
	h.after(49*time.Hour, func() {
		require.Equal(t, reward.Attention, h.status().Status)
		require.Equal(t, 1, h.provider.sends)
		h.update(workflows.UpdateResolve, workflows.Instruction{Action: reward.ActionReject, By: "alice"}, func(result any, err error) {
			require.NoError(t, err)
			out, ok := result.(activities.ResolveResult)
			require.True(t, ok)
			require.NotEmpty(t, out.Refusal, "it may have been paid")
		})
	})
	h.after(50*time.Hour, func() {
		h.resolve(workflows.Instruction{Action: reward.ActionPaid, By: "alice", Reference: "found-there"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.Equal(t, 1, h.provider.sends)
}

func TestRefusedPayoutIsPaidAgainOnlyByAPersonsWord(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.next = []answer{{payout.Outcome{Class: payout.ClassRefused, Detail: "no such account"}, false}}
	h.after(90*24*time.Hour, func() {
		require.Equal(t, reward.Attention, h.status().Status)
		require.Equal(t, 1, h.provider.sends)
		h.resolve(workflows.Instruction{Action: reward.ActionRetry, By: "alice"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.Equal(t, map[string]int{"rf_2429153_2": 1}, h.provider.books())
}

func TestPaymentByHand(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits.ByHand = true
	h.provider.next = []answer{{payout.Outcome{Class: payout.ClassAccepted, Reference: "manual-rf_2429153_1", Detail: "waiting for a person"}, false}}
	h.after(30*24*time.Hour, func() {
		require.Equal(t, reward.Settling, h.status().Status)
		h.resolve(workflows.Instruction{Action: reward.ActionPaid, By: "alice", Reference: "bank-17"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.Equal(t, 1, h.fp.completed(rewardID))
	p, err := h.ledger.Payout(context.Background(), rewardID)
	require.NoError(t, err)
	require.Equal(t, "bank-17", p.Reference)
}
