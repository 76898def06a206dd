package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// execution is one run of a workflow.
type execution struct {
	options client.StartWorkflowOptions
	input   any
	status  enumspb.WorkflowExecutionStatus
	result  workflows.NotificationResult
}

// server is a Temporal that keeps runs, and heeds the policies of a start.
type server struct {
	mu   sync.Mutex
	runs map[string][]*execution
	down bool
}

func newServer() *server { return &server{runs: map[string][]*execution{}} }

func (s *server) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("no answer")
	}
	if last := s.last(o.ID); last != nil {
		completed := last.status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		open := last.status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		if open || (completed && o.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE) {
			return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "")
		}
	}
	s.runs[o.ID] = append(s.runs[o.ID], &execution{options: o, input: args[0], status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING})
	return nil, nil
}

func (s *server) last(id string) *execution {
	runs := s.runs[id]
	if len(runs) == 0 {
		return nil
	}
	return runs[len(runs)-1]
}

func (s *server) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last(id)
	switch {
	case s.down:
		return nil, errors.New("no answer")
	case last == nil:
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	memo := &commonpb.Memo{Fields: map[string]*commonpb.Payload{}}
	for name, value := range last.options.Memo {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		if err != nil {
			return nil, err
		}
		memo.Fields[name] = payload
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: strconv.Itoa(len(s.runs[id]) - 1)},
		Status:    last.status, Memo: memo,
	}}, nil
}

func (s *server) GetWorkflow(_ context.Context, id, run string) client.WorkflowRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(run)
	if err != nil {
		panic(err)
	}
	return closedRun{result: s.runs[id][n].result}
}

type closedRun struct {
	client.WorkflowRun

	result workflows.NotificationResult
}

func (r closedRun) Get(_ context.Context, into any) error {
	*into.(*workflows.NotificationResult) = r.result //nolint:forcetypeassert // A test.
	return nil
}

// finish ends the open run of a notification.
func (s *server) finish(t *testing.T, id string, status enumspb.WorkflowExecutionStatus, became map[string]string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last(id)
	require.NotNil(t, last, id)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, last.status)
	last.status, last.result.Channels = status, became
}

// told returns which channels each run of a notification was for.
func (s *server) told(t *testing.T, id string) [][]string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs [][]string
	for _, run := range s.runs[id] {
		in, ok := run.input.(workflows.NotificationInput)
		require.True(t, ok)
		runs = append(runs, in.Channels)
	}
	return runs
}

const (
	signup   = "notification-lead_signup-6"
	complete = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// replaying is an intake whose channels a test changes.
type replaying struct {
	*bundle
	server   *server
	channels []string
	replayer *intake.Replayer
	starter  *intake.Starter
}

func newReplaying(t *testing.T, channels ...string) *replaying {
	t.Helper()
	r := &replaying{bundle: newBundle(t), server: newServer(), channels: channels}
	r.starter = intake.NewStarter(r.server, workflows.TaskQueue, false, func(string) []string { return r.channels })
	r.replayer = intake.NewReplayer("here", r.ledger, r.starter, intake.NewRuns(r.server, nil), slog.New(slog.DiscardHandler))
	return r
}

// dispatch does once what the dispatcher does.
func (r *replaying) dispatch(t *testing.T) {
	t.Helper()
	rows, err := r.ledger.Lease(t.Context(), "dispatcher", 10, time.Minute)
	require.NoError(t, err)
	for _, row := range rows {
		dispatched, err := r.starter.Start(t.Context(), row)
		require.NoError(t, err)
		require.NoError(t, r.ledger.MarkDispatched(t.Context(), []ledger.Dispatched{dispatched}))
	}
}

// replay has one event replayed, and returns what that did.
func (r *replaying) replay(t *testing.T, inbox int64, again bool) string {
	t.Helper()
	state, err := r.ledger.Replay(t.Context(), inbox, ledger.Order{By: "olga", Again: again})
	require.NoError(t, err)
	require.Equal(t, ledger.ReplayQueued, state)
	intake.ReplayBatch(t.Context(), r.replayer)
	file, err := r.ledger.EventFile(t.Context(), inbox)
	require.NoError(t, err)
	last := file.Replays[len(file.Replays)-1]
	require.False(t, last.DoneAt.IsZero())
	return last.Outcome
}

func (r *replaying) signup(t *testing.T) {
	t.Helper()
	r.accept(t, []byte(`{"event":{"id":6,"type":"lead_signup"},"data":{"id":9,"state":"signup"}}`))
	r.dispatch(t)
}

// A channel was misconfigured for a day: the replay tells it, and nobody twice.
func TestReplayTellsWhoWasNotTold(t *testing.T) {
	t.Parallel()

	r := newReplaying(t, "log-1", "slack-2")
	r.signup(t)
	require.Equal(t, "nothing new: its notification is under way, or was sent", r.replay(t, 1, false))
	r.server.finish(t, signup, complete, map[string]string{"log-1": workflows.Sent, "slack-2": "it refuses our credentials"})

	require.Equal(t, "started", r.replay(t, 1, false))
	require.Equal(t, "nothing new: its notification is under way, or was sent", r.replay(t, 1, false))
	r.server.finish(t, signup, complete, map[string]string{"slack-2": workflows.Sent})
	require.Equal(t, "nothing new: every channel was told", r.replay(t, 1, false))

	r.channels = append(r.channels, "webhook-3")
	require.Equal(t, "started", r.replay(t, 1, false), "a channel that is new is told as well")
	r.server.finish(t, signup, complete, map[string]string{"webhook-3": "no answer"})
	require.Equal(t, "started", r.replay(t, 1, false))
	require.Equal(t, [][]string{{"log-1", "slack-2"}, {"slack-2"}, {"webhook-3"}, {"webhook-3"}}, r.server.told(t, signup))
}

func TestReplayTellsAgainWhenAsked(t *testing.T) {
	t.Parallel()

	r := newReplaying(t, "log-1")
	r.signup(t)
	require.Equal(t, "nothing new: its notification is under way, or was sent", r.replay(t, 1, true), "not while it is under way")
	r.server.finish(t, signup, complete, map[string]string{"log-1": workflows.Sent})
	require.Equal(t, "nothing new: every channel was told", r.replay(t, 1, false))
	require.Equal(t, "started", r.replay(t, 1, true))
	require.Equal(t, [][]string{{"log-1"}, {"log-1"}}, r.server.told(t, signup))
}

func TestReplayTellsOfAnEventThatNobodyWanted(t *testing.T) {
	t.Parallel()

	r := newReplaying(t)
	r.signup(t)
	require.Equal(t, "nothing new: no channel is routed to it", r.replay(t, 1, false))
	require.Equal(t, "nothing new: no channel is routed to it", r.replay(t, 1, true))
	r.channels = []string{"log-1"}
	require.Equal(t, "started", r.replay(t, 1, false))
	r.server.finish(t, signup, complete, map[string]string{"log-1": workflows.Sent})
	require.Equal(t, "nothing new: every channel was told", r.replay(t, 1, false))
	require.Len(t, r.server.told(t, signup), 1)
}

// Temporal keeps runs for a while only, and a person may end one. Nobody is told
// twice because nobody knows.
func TestReplayDoesNotGuessWhoWasTold(t *testing.T) {
	t.Parallel()

	for name, forget := range map[string]func(t *testing.T, s *server){
		"lost":       func(_ *testing.T, s *server) { s.runs = map[string][]*execution{} },
		"terminated": func(t *testing.T, s *server) { s.finish(t, signup, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := newReplaying(t, "log-1")
			r.signup(t)
			forget(t, r.server)
			before := len(r.server.runs[signup])
			require.True(t, strings.HasPrefix(r.replay(t, 1, false), "nothing new: it is not known any more"))
			require.Len(t, r.server.runs[signup], before)
			require.Equal(t, "started", r.replay(t, 1, true))
		})
	}
}

// A run whose record was lost, because the process died, stays the only one.
func TestReplayWhoseRecordWasLostTellsNobodyTwice(t *testing.T) {
	t.Parallel()

	r := newReplaying(t)
	r.signup(t)
	r.channels = []string{"log-1"}
	// The first try started it, and died; it was told meanwhile.
	_, err := r.starter.Start(t.Context(), ledger.Pending{Inbox: 1, Type: "lead_signup", EventID: "6"})
	require.NoError(t, err)
	r.server.finish(t, signup, complete, map[string]string{"log-1": workflows.Sent})
	require.Equal(t, "nothing new: its notification is under way, or was sent", r.replay(t, 1, false))
	require.Len(t, r.server.told(t, signup), 1)
}

func TestReplayOfAFulfilmentStartsItOnlyWhereNoneIsOpen(t *testing.T) {
	t.Parallel()

	r := newReplaying(t, "log-1")
	r.accept(t, event(1))
	r.dispatch(t)
	const id = "fulfilment-2000001"
	require.Equal(t, "nothing new: its fulfilment is open, or has ended", r.replay(t, 1, false))
	require.Equal(t, "nothing new: its fulfilment is open, or has ended", r.replay(t, 1, true), "again is for people")
	r.server.finish(t, id, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	require.Equal(t, "started", r.replay(t, 1, false))
	r.server.finish(t, id, complete, nil)
	require.Equal(t, "nothing new: its fulfilment is open, or has ended", r.replay(t, 1, true))
	require.Len(t, r.server.runs[id], 2)

	require.NoError(t, r.ledger.Move(t.Context(), ledger.Transition{ID: 2000001, To: reward.Rejected, Reason: "no", Actor: "olga"}))
	state, err := r.ledger.Replay(t.Context(), 1, ledger.Order{By: "olga", Again: true})
	require.NoError(t, err)
	require.Equal(t, ledger.ReplayEnded, state)
}

func TestReplaysWaitWhileTemporalIsDown(t *testing.T) {
	t.Parallel()

	r := newReplaying(t, "log-1")
	r.signup(t)
	r.server.finish(t, signup, complete, map[string]string{"log-1": "no answer"})
	r.server.down = true
	_, err := r.ledger.Replay(t.Context(), 1, ledger.Order{By: "olga"})
	require.NoError(t, err)
	intake.ReplayBatch(t.Context(), r.replayer)
	file, err := r.ledger.EventFile(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, file.Replays[0].DoneAt.IsZero())

	r.server.mu.Lock()
	r.server.down = false
	r.server.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.replayer.Run(ctx) })
	require.Eventually(t, func() bool { r.replayer.Wake(); return len(r.server.told(t, signup)) == 2 }, 20*time.Second, 10*time.Millisecond)
	cancel()
	running.Wait()
}
