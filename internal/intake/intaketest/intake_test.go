package intaketest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// faultyInbox fails every commit.
type faultyInbox struct{ err error }

func (b faultyInbox) Accept(context.Context, ledger.Event, time.Duration) (ledger.Receipt, error) {
	return ledger.Receipt{ClosedByAnswer: true}, b.err
}

func (b faultyInbox) Fold(context.Context, []ledger.Spooled) error { return b.err }

func (b faultyInbox) Ping(context.Context) error { return b.err }

func (b faultyInbox) Reward(context.Context, reward.ID) (ledger.Record, error) {
	return ledger.Record{}, fault.New(fault.NotFound, "ledger.reward", "there is none")
}

// What the inbox did not commit is not ours: nobody is told that it is, and
// nothing is dispatched.
func TestNothingIsAcceptedThatTheInboxDidNotCommit(t *testing.T) {
	t.Parallel()

	body := []byte(`{"event":{"id":9,"type":"fulfilment_pending"},"data":{"id":71,"amount":3,"unit":"points","promoter":{"id":5}}}`)
	for _, kind := range []fault.Kind{fault.Unavailable, fault.Throttled, fault.Ambiguous, fault.Internal} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()

			woken := false
			in, err := intake.New(faultyInbox{fault.New(kind, "ledger.accept", "no")}, intake.Config{
				Wake: func() { woken = true }, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			taken, err := in.Accept(t.Context(), body)
			require.Equal(t, kind, fault.KindOf(err))
			require.False(t, taken.Fulfilled)
			require.False(t, woken)
		})
	}
}

// openWorkflows refuses a second start of a workflow that is open, as Temporal
// does.
type openWorkflows map[string]client.StartWorkflowOptions

func (w openWorkflows) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	if _, open := w[o.ID]; open {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "")
	}
	w[o.ID] = o
	return nil, nil
}

func TestAFulfilmentIsStartedUnderItsRewardsID(t *testing.T) {
	t.Parallel()

	temporal := openWorkflows{}
	starter := intake.NewStarter(temporal, workflows.TaskQueue, false, nil)
	r := reward.Reward{ID: 2000001, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths}, Promoter: reward.Promoter{ID: 5}}
	for range 2 {
		require.NoError(t, starter.Fulfil(t.Context(), r), "one that was started already is started")
		r.Quantity.Amount, r.Promoter.ID, r.Campaign.ID = 4, 6, 7
	}
	require.Len(t, temporal, 1)
	o := temporal["fulfilment-2000001"]
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, o.WorkflowIDReusePolicy)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, o.WorkflowIDConflictPolicy)
}
