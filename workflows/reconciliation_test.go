package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// reconcile runs a reconciliation at the given time, on the house's ledger.
func (h *house) reconcile(at time.Time, id reward.ID) workflows.ReconciliationResult {
	h.t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(at)
	acts, err := activities.New(h.cfg, activities.Deps{
		Ledger: h.ledger, FirstPromoter: h.fp, Judge: h, Now: env.Now,
		Providers: map[string]payout.Provider{"team": h.provider},
	})
	require.NoError(h.t, err)
	worker.Register(env, acts, nil)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.ReconciliationID(id), TaskQueue: workflows.TaskQueue})
	env.ExecuteWorkflow(workflows.ReconciliationType, workflows.ReconciliationInput{RewardID: id})
	require.True(h.t, env.IsWorkflowCompleted())
	require.NoError(h.t, env.GetWorkflowError())
	var result workflows.ReconciliationResult
	require.NoError(h.t, env.GetWorkflowResult(&result))
	return result
}

func (h *house) payout() ledger.Payout {
	h.t.Helper()
	p, err := h.ledger.Payout(context.Background(), rewardID)
	require.NoError(h.t, err)
	return p
}

const day = 24 * time.Hour

func TestWhatWasPaidIsLookedAtLessAndLessOften(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits.WatchFor = 20 * day
	require.Equal(t, reward.Fulfilled, h.run().Status)
	paid := h.payout().PaidAt

	var looks []time.Duration
	for hour := time.Duration(0); hour < 60*day; hour += 6 * time.Hour {
		if h.reconcile(paid.Add(hour), 0).Looked == 1 {
			looks = append(looks, hour)
		}
	}
	require.Equal(t, []time.Duration{1 * day, 2 * day, 4 * day, 8 * day, 16 * day}, looks)
	h.requirePaidOnce()
	require.Equal(t, reward.Fulfilled, h.record().Status)
}

func TestReturnAfterPaidWaitsForAPerson(t *testing.T) {
	t.Parallel()

	tests := map[string]payout.Answer{
		"the provider says that it came back":                       payout.FoundReturned,
		"the provider says that what it delivered has failed since": payout.FoundFailed,
	}
	for name, says := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHouse(t)
			h.provider.traits.WatchFor = 30 * day
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.provider.findings = []payout.Finding{{Answer: says, Detail: "the receiver has refunded it"}}
			found := h.reconcile(h.payout().PaidAt.Add(day), 0)
			require.Equal(t, workflows.ReconciliationResult{Looked: 1, Returned: 1}, found)

			require.Equal(t, payout.Returned, h.payout().State)
			require.Equal(t, reward.Attention, h.record().Status)
			require.Contains(t, h.record().Reason, "the receiver has refunded it", "in the provider's words")
			h.requirePaidOnce()

			// The sweep takes it up again. Nothing but a person leads on.
			h = h.again()
			h.after(time.Minute, func() {
				require.Equal(t, reward.Attention, h.status().Status)
				h.update(workflows.UpdateResolve, workflows.Instruction{Action: reward.ActionRetry, By: "alice"}, func(result any, err error) {
					require.NoError(t, err)
					require.Contains(t, result.(activities.ResolveResult).Refusal, "came back")
				})
			})
			h.after(2*time.Minute, func() {
				h.resolve(workflows.Instruction{Action: reward.ActionPaid, By: "alice", Reference: "transfer 8831"})
			})
			require.Equal(t, reward.Fulfilled, h.run().Status)
			require.Equal(t, "transfer 8831", h.payout().Reference)
			h.requirePaidOnce()
			require.Equal(t, 1, h.fp.completed(rewardID), "FirstPromoter is told once")
		})
	}
}

func TestReturnBeforeTheClose(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits.WatchFor = 30 * day
	h.fp.writeFaults = denied(40)
	h.after(time.Hour, func() {
		require.Equal(t, payout.Paid, h.payout().State)
		h.provider.findings = []payout.Finding{{Answer: payout.FoundReturned, Detail: "nobody claimed it"}}
		require.Equal(t, 1, h.reconcile(h.env.Now(), rewardID).Returned)
	})
	h.after(5*time.Hour, func() {
		require.Equal(t, reward.Attention, h.status().Status)
		require.Contains(t, h.status().Reason, "nobody claimed it")
		h.resolve(workflows.Instruction{Action: reward.ActionAbandon, By: "alice"})
	})
	require.Equal(t, reward.Abandoned, h.run().Status)
	require.Zero(t, h.fp.completed(rewardID), "what came back is not fulfilled")
	require.Equal(t, map[string]int{"rf_2429153_1": 1}, h.provider.books())
}

func TestWatchOfAProviderThatCannotTell(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	h.provider.traits.WatchFor = 30 * day
	require.Equal(t, reward.Fulfilled, h.run().Status)
	due := h.payout().PaidAt.Add(day)
	h.provider.findings = []payout.Finding{{Answer: payout.CannotTell}, {Answer: payout.Absent}}
	require.Equal(t, 1, h.reconcile(due, 0).Looked)
	require.Zero(t, h.reconcile(due.Add(time.Hour-time.Second), 0).Looked)
	require.Equal(t, 1, h.reconcile(due.Add(time.Hour), 0).Looked, "asked again after an hour")
	require.Equal(t, payout.Paid, h.payout().State, "a provider that forgets has not taken it back")
	require.Equal(t, reward.Fulfilled, h.record().Status)
}

func TestWhatDoesNotComeBackIsNotAskedAbout(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	require.Equal(t, reward.Fulfilled, h.run().Status)
	h.provider.findings = []payout.Finding{{Answer: payout.FoundReturned}}
	require.Equal(t, workflows.ReconciliationResult{Looked: 1}, h.reconcile(h.payout().PaidAt.Add(day), 0))
	require.Len(t, h.provider.findings, 1, "the provider was not asked")
	require.Zero(t, h.payout().NextLook)

	require.Equal(t, 1, h.reconcile(h.payout().PaidAt.Add(2*day), rewardID).Returned, "but it is asked when it called")
}

// again is the house with a new workflow on the same ledger, a day later.
func (h *house) again() *house {
	var suite testsuite.WorkflowTestSuite
	later := &house{t: h.t, env: suite.NewTestWorkflowEnvironment(), ledger: h.ledger, fp: h.fp, provider: h.provider, ruling: h.ruling, cfg: h.cfg, wrap: h.wrap}
	later.env.SetTestTimeout(time.Minute)
	later.env.SetStartTime(h.env.Now().Add(day))
	return later
}

func denied(n int) []writeFault {
	return slices.Repeat([]writeFault{{fault.New(fault.Denied, "fake", "wrong key"), false}}, n)
}
