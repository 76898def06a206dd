package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// openRuns are open workflows and where they rest. It lists two at a time.
type openRuns struct {
	t     *testing.T
	ids   []string
	rests map[string]reward.Status
	// troubles are what the next calls meet.
	troubles chan error

	mu     sync.Mutex
	nudged map[string]int
	query  string
}

func newOpenRuns(t *testing.T) *openRuns {
	t.Helper()
	return &openRuns{t: t, rests: map[string]reward.Status{}, troubles: make(chan error, 4), nudged: map[string]int{}}
}

func (o *openRuns) open(workflowID string, rests reward.Status) {
	o.ids = append(o.ids, workflowID)
	o.rests[workflowID] = rests
}

func (o *openRuns) trouble() error {
	select {
	case err := <-o.troubles:
		return err
	default:
		return nil
	}
}

// ListWorkflow implements intake.OpenRuns.
func (o *openRuns) ListWorkflow(
	_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if err := o.trouble(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.query = r.GetQuery()
	page, from := &workflowservice.ListWorkflowExecutionsResponse{}, len(r.GetNextPageToken())
	for i := from; i < min(from+2, len(o.ids)); i++ {
		rests, err := converter.GetDefaultDataConverter().ToPayload(o.rests[o.ids[i]])
		require.NoError(o.t, err)
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution:        &commonpb.WorkflowExecution{WorkflowId: o.ids[i], RunId: "run-" + o.ids[i]},
			SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"RewardStatus": rests}},
		})
	}
	if from+2 < len(o.ids) {
		page.NextPageToken = make([]byte, from+2)
	}
	return page, nil
}

// SignalWorkflow implements intake.OpenRuns.
func (o *openRuns) SignalWorkflow(_ context.Context, workflowID, _, signal string, _ any) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Equal(o.t, workflows.SignalNudge, signal)
	if o.rests[workflowID] == reward.Quarantined {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	o.nudged[workflowID]++
	return nil
}

func (o *openRuns) woken() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	woken := map[string]int{}
	for id, n := range o.nudged {
		woken[id] = n
	}
	return woken
}

// TestSweepWakesRunsThatRestElsewhere compares every open fulfilment with the
// ledger when a process starts. Temporal's first answers are no answers.
func TestSweepWakesRunsThatRestElsewhere(t *testing.T) {
	t.Parallel()

	b, runs := newBundle(t), newOpenRuns(t)
	stands := map[string]struct{ rests, ledger reward.Status }{
		"fulfilment-2000001": {reward.AwaitingApproval, reward.AwaitingApproval},
		"fulfilment-2000002": {reward.AwaitingApproval, reward.Resolving},
		"fulfilment-2000003": {reward.Attention, reward.Rejected},
		"fulfilment-2000004": {reward.Quarantined, reward.Fulfilled}, // Ended when the nudge comes.
		"fulfilment-2000005": {reward.Settling, reward.Paid},
		"fulfilment-2000006": {reward.Held, reward.Held},
	}
	for id, s := range stands {
		rewardID, ok := workflows.RewardOf(id)
		require.True(t, ok)
		b.accept(t, event(int64(rewardID-2000000)))
		require.NoError(t, b.ledger.Move(t.Context(), ledger.Transition{ID: rewardID, To: s.ledger, Reason: "test", Actor: "test"}))
		runs.open(id, s.rests)
	}
	runs.open("fulfilment-9", reward.Attention)           // Another ledger's.
	runs.open("fulfilment-of-somebody", reward.Attention) // No reward's.
	runs.troubles <- errors.New("no answer")

	starter := intake.NewStarter(b.temporal, workflows.TaskQueue, false, func(string) []string { return nil })
	run(t, intake.NewDispatcher(intake.DispatcherConfig{Owner: "one", Open: runs}, b.ledger, starter, slog.New(slog.DiscardHandler)))
	want := map[string]int{"fulfilment-2000002": 1, "fulfilment-2000003": 1, "fulfilment-2000005": 1}
	require.Eventually(t, func() bool { return len(runs.woken()) == len(want) }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, want, runs.woken())
	runs.mu.Lock()
	defer runs.mu.Unlock()
	require.Equal(t, "WorkflowType = 'Fulfilment' AND ExecutionStatus = 'Running' AND RewardStatus != 'received'", runs.query)
}

// TestSweepLeavesWhatIsCarried starts again only what no list of open workflows
// names, and everything where there is no list.
func TestSweepLeavesWhatIsCarried(t *testing.T) {
	t.Parallel()

	b, runs := newBundle(t), newOpenRuns(t)
	for n := range int64(4) {
		b.accept(t, event(n+1))
	}
	leased, err := b.ledger.Lease(t.Context(), "another", 4, time.Minute)
	require.NoError(t, err)
	for _, row := range leased {
		require.NoError(t, b.ledger.MarkDispatched(t.Context(), []ledger.Dispatched{{Inbox: row.Inbox, WorkflowID: workflows.FulfilmentID(row.RewardID)}}))
	}
	for _, id := range []string{"fulfilment-2000001", "fulfilment-9", "fulfilment-2000004"} { // On two pages.
		runs.open(id, reward.AwaitingApproval)
	}
	starter := intake.NewStarter(b.temporal, workflows.TaskQueue, false, func(string) []string { return nil })
	d := intake.NewDispatcher(intake.DispatcherConfig{Owner: "one", Open: runs}, b.ledger, starter, slog.New(slog.DiscardHandler))

	require.NoError(t, d.SweepAgain(t.Context()))
	require.Equal(t, map[string]int{"fulfilment-2000002": 1, "fulfilment-2000003": 1}, b.temporal.starts())
	require.Equal(t, "WorkflowType = 'Fulfilment' AND ExecutionStatus = 'Running'", runs.query)

	runs.troubles <- errors.New("no answer")
	require.NoError(t, d.SweepAgain(t.Context()))
	require.Len(t, b.temporal.starts(), 4)
}
