package workflows_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// newQuestion is a house whose policy asks people.
func newQuestion(t *testing.T, approvals int) *house {
	t.Helper()
	h := newHouse(t)
	h.ruling.Verdict, h.ruling.Approvals, h.ruling.Reason = activities.VerdictAsk, approvals, "rule 1: ask"
	h.cfg.Ladder = activities.Ladder{RemindAfter: 24 * time.Hour, EscalateAfter: 72 * time.Hour, HoldAfter: 168 * time.Hour}
	return h
}

func TestSignalApproves(t *testing.T) {
	t.Parallel()

	payloads := map[string]any{
		"without a payload": nil,
		"with a name":       "alice",
		"with an object":    map[string]string{"by": "alice", "comment": "fine"},
	}
	for name, payload := range payloads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newQuestion(t, 1)
			h.after(time.Hour, func() {
				require.Equal(t, reward.AwaitingApproval, h.status().Status)
				require.Empty(t, h.provider.books())
				h.env.SignalWorkflow(workflows.SignalApprove, payload)
			})
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
			decisions, err := h.ledger.DecisionsOf(context.Background(), rewardID)
			require.NoError(t, err)
			require.Len(t, decisions, 1)
			require.False(t, decisions[0].Verified)
			require.True(t, decisions[0].Counted)
			require.Equal(t, reward.LaneTemporal, decisions[0].Lane)
		})
	}
}

func TestUnprovenDecisionsCountForNothingWithOperators(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.cfg.AcceptUnverified = false
	h.after(time.Hour, func() { h.env.SignalWorkflow(workflows.SignalApprove, "mallory") })
	h.after(2*time.Hour, func() {
		require.Equal(t, reward.AwaitingApproval, h.status().Status)
		h.update(workflows.UpdateResolve, workflows.Instruction{Action: reward.ActionPaid, Reference: "x", By: "mallory"}, func(result any, err error) {
			require.NoError(t, err)
			out, ok := result.(activities.ResolveResult)
			require.True(t, ok)
			require.NotEmpty(t, out.Refusal)
		})
		_, err := h.ledger.Decide(context.Background(), proven("1", "alice", reward.Reject, h), false)
		require.NoError(t, err)
		h.env.SignalWorkflow(workflows.SignalReject, workflows.Vote{ID: "1"})
	})
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
}

// proven is a decision as the API records it.
func proven(id, by string, verdict reward.Verdict, h *house) reward.Decision {
	return reward.Decision{
		ID: id, RewardID: rewardID, By: by, Verified: true, Roles: []string{"approver"}, Lane: reward.LaneAPI,
		Verdict: verdict, Digest: h.record().Digest, At: h.env.Now(),
	}
}

func TestTwoPeopleMustApprove(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	vote := func(by string) {
		h.update(workflows.UpdateDecide, workflows.Vote{Decision: reward.Approve, By: by, Digest: h.record().Digest},
			func(_ any, err error) { require.NoError(t, err) })
	}
	h.after(1*time.Hour, func() { vote("alice") })
	h.after(2*time.Hour, func() { vote("alice") })
	h.after(3*time.Hour, func() {
		require.Equal(t, 1, h.status().Approvals, "one vote per person")
		require.Empty(t, h.provider.books())
		vote("bob")
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	decisions, err := h.ledger.DecisionsOf(context.Background(), rewardID)
	require.NoError(t, err)
	require.Len(t, decisions, 3, "the refused one is in the ledger too")
}

func TestOneRejectEndsIt(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	h.after(1*time.Hour, func() { h.env.SignalWorkflow(workflows.SignalApprove, "alice") })
	h.after(2*time.Hour, func() { h.env.SignalWorkflow(workflows.SignalReject, "bob") })
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
}

func TestVoteOnWhatWasNotShownIsRefused(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	refused := false
	h.after(time.Hour, func() {
		h.update(workflows.UpdateDecide, workflows.Vote{Decision: reward.Approve, By: "alice", Digest: "something else"},
			func(result any, err error) {
				require.NoError(t, err)
				out, ok := result.(activities.DecideResult)
				require.True(t, ok, "%T", result)
				require.False(t, out.Counted)
				require.Contains(t, out.Refusal, "not what was shown")
				refused = true
			})
	})
	h.after(2*time.Hour, func() { h.env.SignalWorkflow(workflows.SignalApprove, nil) })
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.True(t, refused)
	decisions, err := h.ledger.DecisionsOf(context.Background(), rewardID)
	require.NoError(t, err)
	require.Len(t, decisions, 2, "what was refused is in the ledger too")
}

func TestChangedRewardAsksAgain(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.after(time.Hour, func() {
		changed := earned()
		changed.Promoter.Email = "somebody.else@example.com"
		h.owe(changed)
		h.env.SignalWorkflow(workflows.SignalApprove, "alice")
	})
	h.after(2*time.Hour, func() {
		require.Equal(t, reward.AwaitingApproval, h.status().Status, "the approval was for somebody else")
		require.Empty(t, h.provider.books())
		h.env.SignalWorkflow(workflows.SignalReject, "alice")
	})
	require.Equal(t, reward.Rejected, h.run().Status)
}

func TestSilenceNeverPays(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.after(25*time.Hour, func() { require.Equal(t, reward.AwaitingApproval, h.status().Status) })
	h.after(300*24*time.Hour, func() {
		require.Equal(t, reward.Held, h.status().Status)
		require.Empty(t, h.provider.books())
		h.env.SignalWorkflow(workflows.SignalApprove, "alice")
	})
	require.Equal(t, reward.Fulfilled, h.run().Status, "a late approval re-opens cleanly")
	h.requirePaidOnce()
}

func TestEarlyVoteIsSafe(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.after(0, func() { h.env.SignalWorkflow(workflows.SignalApprove, "too early") })
	h.env.RegisterDelayedCallback(func() {
		if !h.status().Status.Final() && h.status().Status == reward.AwaitingApproval {
			h.env.SignalWorkflow(workflows.SignalApprove, "alice")
		}
	}, time.Hour)
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

func TestVoteReadsWhatPeopleType(t *testing.T) {
	t.Parallel()

	tests := map[string]workflows.Vote{
		`"alice"`:                            {By: "alice"},
		`{"by":"alice","comment":"fine"}`:    {By: "alice", Comment: "fine"},
		`{"decision":"reject","digest":"d"}`: {Decision: reward.Reject, Digest: "d"},
		`null`:                               {},
	}
	for typed, want := range tests {
		var got workflows.Vote
		require.NoError(t, json.Unmarshal([]byte(typed), &got), typed)
		require.Equal(t, want, got, typed)
	}
}

func TestSecondLookThatFailsKeepsTheApproval(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.after(time.Hour, func() {
		h.fp.mu.Lock()
		for range 20 {
			h.fp.readFaults = append(h.fp.readFaults, fault.New(fault.Denied, "fake", "wrong key"))
		}
		h.fp.mu.Unlock()
		h.env.SignalWorkflow(workflows.SignalApprove, "alice")
	})
	require.Equal(t, reward.Fulfilled, h.run().Status, "nobody had to touch it again")
	h.requirePaidOnce()
}

// TestAnotherRuleAsksAnew: what one person approved does not answer the question
// that another rule asks once more was paid.
func TestAnotherRuleAsksAnew(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	calls := 0
	h.rule = func(activities.Case) activities.Ruling {
		ruling := h.ruling
		if calls++; calls > 1 {
			ruling.Rule, ruling.Approvals, ruling.Role, ruling.Reason = "rule 2", 2, "finance", "rule 2: ask"
		}
		return ruling
	}
	h.after(time.Hour, func() { h.env.SignalWorkflow(workflows.SignalApprove, "alice") })
	h.after(2*time.Hour, func() {
		s := h.status()
		require.Equal(t, reward.AwaitingApproval, s.Status)
		require.Equal(t, []any{0, 2, "finance"}, []any{s.Approvals, s.Needed, s.Role})
		require.Empty(t, h.provider.books())
		h.env.SignalWorkflow(workflows.SignalApprove, "alice")
	})
	h.after(3*time.Hour, func() {
		require.Equal(t, 1, h.status().Approvals)
		require.Empty(t, h.provider.books())
		h.env.SignalWorkflow(workflows.SignalApprove, "bob")
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

// TestARuleHasItsOwnTimes reminds and holds by the rule's times where it has
// some, and by the configuration's where it has none.
func TestARuleHasItsOwnTimes(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.ruling.Waits = ledger.Waits{RemindAfter: time.Hour, HoldAfter: 100 * time.Hour}
	h.after(time.Minute, func() {
		require.Equal(t, time.Hour, h.record().NextTimer.Sub(h.record().ReceivedAt).Round(time.Minute))
	})
	h.after(2*time.Hour, func() { require.Contains(t, h.record().Reason, "for 1h0m0s") })
	h.after(73*time.Hour, func() { require.Contains(t, h.record().Reason, "for 72h0m0s") })
	h.after(101*time.Hour, func() {
		require.Equal(t, reward.Held, h.record().Status)
		h.env.SignalWorkflow(workflows.SignalReject, "alice")
	})
	require.Equal(t, reward.Rejected, h.run().Status)
}

// TestNudgeDecidesAnew: a policy that changed is applied to what waits, and what
// was approved under the old one is void.
func TestNudgeDecidesAnew(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	var old reward.Digest
	h.after(time.Hour, func() {
		old = h.status().Digest
		h.env.SignalWorkflow(workflows.SignalApprove, "alice")
	})
	h.after(2*time.Hour, func() {
		require.Equal(t, 1, h.status().Approvals)
		h.ruling.PolicyVersion = "p-2"
		h.env.SignalWorkflow(workflows.SignalNudge, nil)
	})
	h.after(3*time.Hour, func() {
		require.NotEqual(t, old, h.status().Digest)
		require.Zero(t, h.status().Approvals)
		h.ruling = activities.Ruling{Provider: "team", Verdict: activities.VerdictPay, Rule: "rule 1", PolicyVersion: "p-3", Reason: "rule 1: pay"}
		h.env.SignalWorkflow(workflows.SignalNudge, nil)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}
