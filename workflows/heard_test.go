package workflows_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// say records a decision as the API does, and tells the workflow by the update.
func (h *house) say(id, by string, verdict reward.Verdict) {
	h.t.Helper()
	_, err := h.ledger.Decide(context.Background(), proven(id, by, verdict, h), false)
	require.NoError(h.t, err)
	h.tell(id, verdict)
}

// tell tells the workflow of a decision by its ID.
func (h *house) tell(id string, verdict reward.Verdict) {
	h.update(workflows.UpdateDecide, workflows.Vote{ID: id, Decision: verdict}, func(_ any, err error) { require.NoError(h.t, err) })
}

// requireHeard checks that the workflow has taken in what people said: nothing
// is left to be delivered.
func (h *house) requireHeard() {
	h.t.Helper()
	waiting, err := h.ledger.Undelivered(context.Background(), h.env.Now().Add(time.Hour), 10)
	require.NoError(h.t, err)
	require.Empty(h.t, waiting)
}

// listen returns the activities that the house runs, local ones left out.
func (h *house) listen() func() []string {
	var mu sync.Mutex
	var names []string
	h.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, info.ActivityType.Name)
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return names
	}
}

func TestAnApprovalIsPaidAndClosedByOneActivity(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.cfg.AcceptUnverified = false
	started := h.listen()
	h.after(time.Hour, func() {
		require.Equal(t, 24*time.Hour, h.record().NextTimer.Sub(h.record().ReceivedAt).Round(time.Minute), "the next reminder is known")
		_, err := h.ledger.Decide(context.Background(), proven("1", "alice", reward.Approve, h), false)
		require.NoError(t, err)
		h.update(workflows.UpdateDecide, workflows.Vote{ID: "1", Decision: reward.Approve}, func(result any, err error) {
			require.NoError(t, err)
			require.Equal(t, activities.DecideResult{Noted: true}, result, "the answer does not wait for the payout")
			require.Empty(t, h.provider.books())
		})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	h.requireHeard()
	require.Equal(t, []string{"Pay"}, started())
	require.Equal(t, []reward.Status{
		reward.Received, reward.AwaitingApproval, reward.Approved, reward.Paying, reward.Paid, reward.Closing, reward.Fulfilled,
	}, h.path())
}

func TestTheFirstOfTwoApprovalsPaysNothing(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	h.after(time.Hour, func() { h.say("1", "alice", reward.Approve) })
	h.after(2*time.Hour, func() {
		s := h.status()
		require.Equal(t, []any{reward.AwaitingApproval, 1, 2}, []any{s.Status, s.Approvals, s.Needed})
		require.False(t, s.NextTimer.IsZero())
		require.Empty(t, h.provider.books())
		h.requireHeard()
		h.say("2", "bob", reward.Approve)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	h.requireHeard()
}

func TestTwoDecisionsAtOnceAreBothHeard(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	h.after(time.Hour, func() {
		h.say("1", "alice", reward.Approve)
		h.say("2", "bob", reward.Approve)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	h.requireHeard()
}

func TestARejectionIsHeard(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 2)
	h.after(time.Hour, func() { h.say("1", "alice", reward.Approve) })
	h.after(2*time.Hour, func() { h.say("2", "bob", reward.Reject) })
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
}

// TestWhatChangedAfterTheViewIsNotPaid swaps a part of the reward at
// FirstPromoter after a person saw it, and before the workflow hears of the
// approval.
func TestWhatChangedAfterTheViewIsNotPaid(t *testing.T) {
	t.Parallel()

	swaps := map[string]func(*house){
		"the destination": func(h *house) {
			changed := earned()
			changed.Promoter.Email = "somebody.else@example.com"
			h.owe(changed)
		},
		"the route": func(h *house) { h.ruling.PolicyVersion, h.ruling.Rule = "p-2", "rule 2" },
	}
	for what, swap := range swaps {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			h := newQuestion(t, 1)
			h.after(time.Hour, func() {
				swap(h)
				h.say("1", "alice", reward.Approve)
			})
			h.after(2*time.Hour, func() {
				require.Equal(t, reward.AwaitingApproval, h.status().Status, "the approval was for something else")
				require.Zero(t, h.status().Approvals)
				require.Empty(t, h.provider.books())
				h.say("2", "alice", reward.Reject)
			})
			require.Equal(t, reward.Rejected, h.run().Status)
		})
	}
	for what, swap := range map[string]func(*reward.Reward){
		"the amount":   func(r *reward.Reward) { r.Quantity.Amount = 300 },
		"the promoter": func(r *reward.Reward) { r.Promoter.ID++ },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			h := newQuestion(t, 1)
			h.after(time.Hour, func() {
				changed := earned()
				swap(&changed)
				h.owe(changed)
				h.say("1", "alice", reward.Approve)
			})
			h.after(2*time.Hour, func() {
				require.Equal(t, reward.Quarantined, h.status().Status)
				require.Empty(t, h.provider.books())
				h.resolve(workflows.Instruction{Action: reward.ActionAbandon, By: "alice"})
			})
			require.Equal(t, reward.Abandoned, h.run().Status)
		})
	}
}

// TestAnApprovalOutlivesFirstPromotersBadDay: a second look that cannot be
// taken in the short time before the payout is taken with patience.
func TestAnApprovalOutlivesFirstPromotersBadDay(t *testing.T) {
	t.Parallel()

	for _, kind := range []fault.Kind{fault.Unavailable, fault.Denied} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			h := newQuestion(t, 1)
			h.after(time.Hour, func() {
				h.fp.mu.Lock()
				for range 20 {
					h.fp.readFaults = append(h.fp.readFaults, fault.New(kind, "fake", "not now"))
				}
				h.fp.mu.Unlock()
				h.say("1", "alice", reward.Approve)
			})
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
			h.requireHeard()
		})
	}
}

// TestADecisionThatNobodyRecordedCountsForNothing tells the workflow of a
// decision that the ledger does not know.
func TestADecisionThatNobodyRecordedCountsForNothing(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.cfg.AcceptUnverified = false
	h.after(time.Hour, func() { h.tell("made up", reward.Approve) })
	h.after(2*time.Hour, func() {
		require.Equal(t, reward.AwaitingApproval, h.status().Status)
		require.Empty(t, h.provider.books())
		decisions, err := h.ledger.DecisionsOf(context.Background(), rewardID)
		require.NoError(t, err)
		require.Len(t, decisions, 1)
		require.False(t, decisions[0].Counted)
		require.NotEmpty(t, decisions[0].Refusal)
		h.say("1", "alice", reward.Reject)
	})
	require.Equal(t, reward.Rejected, h.run().Status)
}

// TestADecisionAfterTheHoldIsHeard decides when the ladder has come to its end.
func TestADecisionAfterTheHoldIsHeard(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	h.after(300*24*time.Hour, func() {
		require.Equal(t, reward.Held, h.status().Status)
		require.True(t, h.record().NextTimer.IsZero())
		h.say("1", "alice", reward.Approve)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	h.requireHeard()
}

// TestASignalThatComesWithTheEndLeavesATrace has somebody send a signal while
// the payout looks at a rejection.
func TestASignalThatComesWithTheEndLeavesATrace(t *testing.T) {
	t.Parallel()

	h := newQuestion(t, 1)
	looks := 0
	h.rule = func(activities.Case) activities.Ruling {
		if looks++; looks == 2 {
			h.env.SignalWorkflow(workflows.SignalApprove, "bob")
		}
		return h.ruling
	}
	h.after(time.Hour, func() { h.say("1", "alice", reward.Reject) })
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
	decisions, err := h.ledger.DecisionsOf(context.Background(), rewardID)
	require.NoError(t, err)
	require.Len(t, decisions, 2)
	require.False(t, decisions[1].Counted)
	require.Contains(t, decisions[1].Refusal, "rejected")
}
