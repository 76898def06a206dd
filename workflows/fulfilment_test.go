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

func TestWireNamesNeverChange(t *testing.T) {
	t.Parallel()

	require.Equal(t, "fulfilment-2429153", workflows.FulfilmentID(rewardID))
	require.Equal(t, "notification-lead_signup-22736304", workflows.NotificationID("lead_signup", "22736304"))
	require.Equal(t, []string{"Fulfilment", "Notification", "decide", "resolve", "approve", "reject", "nudge", "status", "rewardflow"},
		[]string{
			workflows.FulfilmentType, workflows.NotificationType, workflows.UpdateDecide, workflows.UpdateResolve,
			workflows.SignalApprove, workflows.SignalReject, workflows.SignalNudge, workflows.QueryStatus, workflows.TaskQueue,
		})
	require.Equal(t, "rf_2429153_1", payout.Key(rewardID, 1))
}

func TestPolicyPaysAtOnce(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	require.Equal(t, []reward.Status{reward.Received, reward.Approved, reward.Paying, reward.Paid, reward.Closing, reward.Fulfilled}, h.path())
}

func TestForgedEventPaysNothing(t *testing.T) {
	t.Parallel()

	forge := map[string]func(*reward.Reward){
		"an unknown reward for the promoter": func(r *reward.Reward) { r.Promoter.ID++ },
		"another amount":                     func(r *reward.Reward) { r.Quantity.Amount = 300 },
		"another unit":                       func(r *reward.Reward) { r.Quantity.Unit = reward.Credits },
		"another campaign":                   func(r *reward.Reward) { r.Campaign.ID++ },
		"no promoter":                        func(r *reward.Reward) { r.Promoter.ID = 0 },
	}
	for name, change := range forge {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHouse(t)
			forged := earned()
			change(&forged)
			h.event("2", forged)
			h.after(time.Hour, func() {
				require.Equal(t, reward.Quarantined, h.status().Status)
				require.NotEmpty(t, h.status().Reason)
				h.resolve(workflows.Instruction{Action: reward.ActionAbandon, By: "alice", Comment: "forged"})
			})
			require.Equal(t, reward.Abandoned, h.run().Status)
			require.Empty(t, h.provider.books())
			require.Zero(t, h.fp.completed(rewardID))
		})
	}
}

func TestQuarantinedRewardIsPaidWhenTheRealEventCame(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	forged := earned()
	forged.Quantity.Amount = 300
	h.event("2", forged)
	h.after(time.Hour, func() {
		h.event("3", earned())
		h.resolve(workflows.Instruction{Action: reward.ActionRetry, By: "alice"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

func TestFulfilledElsewherePaysNothing(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.fp.owed[rewardID] = activities.Owed{Reward: earned(), Status: "completed"}
	require.Equal(t, reward.FulfilledElsewhere, h.run().Status)
	require.Empty(t, h.provider.books())
}

func TestPolicyRefuses(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.ruling.Verdict, h.ruling.Reason = activities.VerdictRefuse, "rule 1: refuse"
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
}

func TestNoRouteNeedsAPerson(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.ruling.Provider = ""
	h.after(time.Hour, func() {
		require.Equal(t, reward.Attention, h.status().Status)
		h.ruling.Provider = "team"
		h.resolve(workflows.Instruction{Action: reward.ActionRetry, By: "alice"})
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

func TestHoldEndsByItself(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.ruling.Verdict, h.ruling.HoldUntil = activities.VerdictHold, h.env.Now().Add(48*time.Hour)
	h.after(47*time.Hour, func() {
		require.Equal(t, reward.Held, h.status().Status)
		require.Empty(t, h.provider.books())
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

func TestFirstPromoterHasBadDays(t *testing.T) {
	t.Parallel()

	down := fault.New(fault.Unavailable, "fake", "cannot connect")
	many := func(err error, n int) (errs []error) {
		for range n {
			errs = append(errs, err)
		}
		return errs
	}
	tests := map[string]struct {
		reads  []error
		writes []writeFault
	}{
		"down while verifying":            {reads: many(down, 30)},
		"the wrong key while verifying":   {reads: many(fault.New(fault.Denied, "fake", "wrong key"), 30)},
		"the answer to the close is lost": {writes: []writeFault{{fault.New(fault.Ambiguous, "fake", "no answer"), true}}},
		"the close fails without an effect": {writes: []writeFault{
			{fault.New(fault.Ambiguous, "fake", "no answer"), false}, {fault.New(fault.Ambiguous, "fake", "no answer"), false},
		}},
		"down while closing":          {writes: []writeFault{{down, false}, {down, false}, {down, false}}},
		"the wrong key while closing": {writes: []writeFault{{fault.New(fault.Denied, "fake", "wrong key"), false}, {fault.New(fault.Denied, "fake", "wrong key"), false}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHouse(t)
			h.fp.readFaults, h.fp.writeFaults = tt.reads, tt.writes
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
		})
	}
}

// TestCloseCallThatTakesEffectLate makes FirstPromoter record a call seconds
// after its answer was lost.
func TestCloseCallThatTakesEffectLate(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.fp.writeFaults = []writeFault{{err: fault.New(fault.Ambiguous, "fake", "no answer")}}
	h.after(9*time.Second, func() {
		require.Equal(t, reward.Closing, h.status().Status)
		h.fp.mu.Lock()
		defer h.fp.mu.Unlock()
		h.fp.complete(rewardID)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

func TestAnswerClosesWhenTheAPICannot(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	down := writeFault{err: fault.New(fault.Unavailable, "fake", "cannot connect")}
	for range 1000 {
		h.fp.writeFaults = append(h.fp.writeFaults, down)
	}
	h.after(9*time.Minute, func() { require.False(t, h.event("2", earned()), "the API still has the first word") })
	h.after(20*time.Minute, func() {
		require.True(t, h.event("3", earned()), "now the answer is 200")
		h.fp.mu.Lock()
		defer h.fp.mu.Unlock()
		h.fp.complete(rewardID)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
	require.Equal(t, ledger.ClosedByAnswer, h.record().Closing.By)
	require.True(t, h.event("4", earned()), "the same answer for ever")
}

func TestBrakeHoldsAndReleases(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	brake := func(paused bool) {
		require.NoError(t, h.ledger.SetBrake(context.Background(), ledger.BrakeState{
			Scope: ledger.AllProviders, Paused: paused, Reason: "audit", By: "alice", At: h.env.Now(),
		}))
	}
	brake(true)
	h.after(24*time.Hour, func() {
		require.Equal(t, reward.Held, h.status().Status)
		require.Zero(t, h.provider.sends)
		brake(false)
		h.env.SignalWorkflow(workflows.SignalNudge, nil)
	})
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.requirePaidOnce()
}

// TestNudgeReadsTheLedger wakes a run of an older copy of Temporal's database: it
// waits for what people have said since, and the ledger knows.
func TestNudgeReadsTheLedger(t *testing.T) {
	t.Parallel()

	ended := func(h *house) {
		h.after(time.Hour, func() {
			require.NoError(t, h.ledger.Move(context.Background(), ledger.Transition{
				ID: rewardID, To: reward.Abandoned, Reason: "an earlier run heard it", Actor: "test",
			}))
		})
		h.after(2*time.Hour, func() { h.env.SignalWorkflow(workflows.SignalNudge, nil) })
		require.Equal(t, reward.Abandoned, h.run().Status)
		require.Empty(t, h.provider.books())
	}
	t.Run("WhileItWaitsForApproval", func(t *testing.T) {
		t.Parallel()

		ended(newQuestion(t, 1))
	})
	t.Run("WhileItWaitsForAnInstruction", func(t *testing.T) {
		t.Parallel()

		h := newHouse(t)
		h.provider.next = []answer{{out: payout.Outcome{Class: payout.ClassRefused, Detail: "no such customer"}}}
		ended(h)
	})
}

func TestNewRunTakesUpWhereTheLedgerStands(t *testing.T) {
	t.Parallel()

	ctx := context.Background()
	assess := func(t *testing.T, h *house, status reward.Status) {
		require.NoError(t, h.ledger.Assess(ctx, ledger.Assessment{
			Reward: earned(), Verified: true, Status: status, Provider: "team", Digest: "d", PolicyVersion: "p-1",
		}, "test"))
	}
	reserve := func(t *testing.T, h *house) {
		assess(t, h, reward.Approved)
		_, err := h.ledger.Reserve(ctx, ledger.Reservation{
			RewardID: rewardID, Provider: "team", Quantity: earned().Quantity, At: h.env.Now(),
			Request: payout.Request{Key: payout.Key(rewardID, 1), Destination: "team", Body: []byte("x")},
		})
		require.NoError(t, err)
	}
	claim := func(t *testing.T, h *house) ledger.Attempt {
		reserve(t, h)
		c, err := h.ledger.Claim(ctx, rewardID, ledger.Caps{}, h.env.Now(), h.env.Now().Add(15*time.Second))
		require.NoError(t, err)
		require.True(t, c.Taken)
		return c.Attempt
	}
	tests := map[string]struct {
		before func(t *testing.T, h *house)
		sends  int
	}{
		"approved": {func(t *testing.T, h *house) { assess(t, h, reward.Approved) }, 1},
		"reserved": {func(t *testing.T, h *house) { reserve(t, h) }, 1},
		"claimed by a worker that died before it sent": {func(t *testing.T, h *house) { claim(t, h) }, 1},
		"claimed by a worker that died after it sent": {func(t *testing.T, h *house) {
			claim(t, h)
			h.provider.effects[payout.Key(rewardID, 1)] = 1
		}, 0},
		"unknown": {func(t *testing.T, h *house) {
			_, err := h.ledger.Finish(ctx, claim(t, h), payout.Outcome{Class: payout.ClassUnknown})
			require.NoError(t, err)
			h.provider.effects[payout.Key(rewardID, 1)] = 1
		}, 0},
		"paid": {func(t *testing.T, h *house) {
			_, err := h.ledger.Finish(ctx, claim(t, h), payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"})
			require.NoError(t, err)
			h.provider.effects[payout.Key(rewardID, 1)] = 1
		}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHouse(t)
			h.provider.traits = payout.Traits{Window: 24 * time.Hour}
			tt.before(t, h)
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
			require.Equal(t, tt.sends, h.provider.sends)
		})
	}
}

func TestEndedRewardIsNotTakenUp(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	require.NoError(t, h.ledger.Move(context.Background(), ledger.Transition{ID: rewardID, To: reward.Rejected, Reason: "no", Actor: "alice"}))
	require.Equal(t, reward.Rejected, h.run().Status)
	require.Empty(t, h.provider.books())
}

// TestAbandonedRewardIsNotTakenUp: nobody looks any more for what became of a
// payout that a person gave up.
func TestAbandonedRewardIsNotTakenUp(t *testing.T) {
	t.Parallel()

	ctx := context.Background()
	h := newHouse(t)
	require.NoError(t, h.ledger.Assess(ctx, ledger.Assessment{
		Reward: earned(), Verified: true, Status: reward.Approved, Provider: "team", Digest: "d", PolicyVersion: "p-1",
	}, "test"))
	_, err := h.ledger.Reserve(ctx, ledger.Reservation{
		RewardID: rewardID, Provider: "team", Quantity: earned().Quantity, At: h.env.Now(),
		Request: payout.Request{Key: payout.Key(rewardID, 1), Destination: "team", Body: []byte("x")},
	})
	require.NoError(t, err)
	claim, err := h.ledger.Claim(ctx, rewardID, ledger.Caps{}, h.env.Now(), h.env.Now().Add(15*time.Second))
	require.NoError(t, err)
	_, err = h.ledger.Finish(ctx, claim.Attempt, payout.Outcome{Class: payout.ClassUnknown})
	require.NoError(t, err)
	require.NoError(t, h.ledger.Move(ctx, ledger.Transition{ID: rewardID, To: reward.Abandoned, Reason: "given up", Actor: "alice"}))
	started := h.attempts()
	require.Equal(t, reward.Abandoned, h.run().Status)
	require.Equal(t, []string{"local Pay 1"}, started())
	require.Empty(t, h.provider.books())
}
