package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
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
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// fakeTemporal starts workflows like the real one: one that is open, and one
// that has completed, refuses a second start.
type fakeTemporal struct {
	mu      sync.Mutex
	started map[string]int
	options map[string]client.StartWorkflowOptions
	inputs  map[string]any
	// completed are workflows that have ended well.
	completed map[string]bool
	// down makes the next starts fail; lost makes them start and fail all the same.
	down, lost int
	changed    chan struct{}
}

func newFakeTemporal() *fakeTemporal {
	return &fakeTemporal{
		started: map[string]int{}, options: map[string]client.StartWorkflowOptions{}, inputs: map[string]any{},
		completed: map[string]bool{}, changed: make(chan struct{}, 1),
	}
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() {
		select {
		case f.changed <- struct{}{}:
		default:
		}
	}()
	switch {
	case f.down > 0:
		f.down--
		return nil, errors.New("no answer")
	case f.completed[o.ID] && o.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE:
		f.completed[o.ID] = false
	case f.started[o.ID] > 0:
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "")
	}
	f.started[o.ID]++
	f.options[o.ID], f.inputs[o.ID] = o, args[0]
	if f.lost > 0 {
		f.lost--
		return nil, errors.New("no answer")
	}
	return nil, nil
}

func (f *fakeTemporal) starts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	copied := map[string]int{}
	for id, n := range f.started {
		copied[id] = n
	}
	return copied
}

// until waits for a condition on what was started.
func (f *fakeTemporal) until(t *testing.T, condition func(map[string]int) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !condition(f.starts()) {
		select {
		case <-f.changed:
		case <-deadline:
			t.Fatalf("waited in vain; started: %v", f.starts())
		}
	}
}

// bundle is an intake with a real ledger and its dispatcher.
type bundle struct {
	ledger     *sqlite.Ledger
	temporal   *fakeTemporal
	intake     *intake.Intake
	registry   *prometheus.Registry
	dispatcher *intake.Dispatcher
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	b := &bundle{ledger: l, temporal: newFakeTemporal(), registry: prometheus.NewRegistry()}
	b.dispatcher = b.newDispatcher("one")
	b.intake, err = intake.New(l, intake.Config{
		CloseByAnswerAfter: time.Hour, Wake: b.dispatcher.Wake, Registerer: b.registry, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return b
}

func (b *bundle) newDispatcher(owner string) *intake.Dispatcher {
	starter := intake.NewStarter(b.temporal, workflows.TaskQueue, false, func(kind string) []string {
		if kind == "lead_signup" {
			return []string{"log-1"}
		}
		return nil
	})
	return intake.NewDispatcher(intake.DispatcherConfig{Owner: owner, Poll: 10 * time.Millisecond}, b.ledger, starter, slog.New(slog.DiscardHandler))
}

// run runs a dispatcher until the test ends, or stop is called.
func run(t *testing.T, d *intake.Dispatcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func (b *bundle) accept(t *testing.T, body []byte) {
	t.Helper()
	taken, err := b.intake.Accept(t.Context(), body)
	require.NoError(t, err)
	require.False(t, taken.Fulfilled)
	require.Empty(t, taken.Reason)
}

func TestEventStartsOneWorkflow(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	run(t, b.dispatcher)
	run(t, b.newDispatcher("two"))
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { b.accept(t, event(1)) })
	}
	group.Wait()
	b.temporal.until(t, func(s map[string]int) bool { return s["fulfilment-2000001"] > 0 })
	require.Equal(t, map[string]int{"fulfilment-2000001": 1}, b.temporal.starts())

	o := b.temporal.options["fulfilment-2000001"]
	require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, o.WorkflowIDReusePolicy)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, o.WorkflowIDConflictPolicy)
	require.True(t, o.WorkflowExecutionErrorWhenAlreadyStarted)
	unit, ok := o.TypedSearchAttributes.GetKeyword(workflows.RewardUnitKey)
	require.True(t, ok)
	require.Equal(t, "free_months", unit)
	input, err := json.Marshal(b.temporal.inputs["fulfilment-2000001"])
	require.NoError(t, err)
	require.JSONEq(t, `{"reward_id":2000001,"plan":2}`, string(input), "no personal data enters a history")
	require.NotContains(t, o.StaticSummary, "@")
}

func TestEventsWaitWhileTemporalIsDown(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.temporal.lost = 2
	for n := range int64(5) {
		b.accept(t, event(n))
	}
	depth, oldest, err := b.ledger.InboxDepth(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, depth)
	require.False(t, oldest.IsZero())

	// An event that no sweep would bring back.
	b.accept(t, []byte(`{"event":{"id":6,"type":"lead_signup"},"data":{"id":9,"state":"signup"}}`))

	b.temporal.down = 12
	run(t, b.dispatcher)
	b.temporal.until(t, func(s map[string]int) bool { return len(s) == 6 })
	for id, n := range b.temporal.starts() {
		require.Equal(t, 1, n, id)
	}
}

func TestOtherEventsStartANotificationOnlyWhereSomebodyWantsIt(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	run(t, b.dispatcher)
	b.accept(t, []byte(`{"event":{"id":5,"type":"promoter_accepted"},"data":{"state":"accepted"}}`))
	b.accept(t, []byte(`{"event":{"id":7,"type":"something_new"},"data":{}}`))
	b.accept(t, []byte(`{"event":{"id":6,"type":"lead_signup"},"data":{"id":9,"state":"signup","email":"lead@example.com"}}`))
	b.temporal.until(t, func(s map[string]int) bool { return len(s) == 1 })
	require.Equal(t, map[string]int{"notification-lead_signup-6": 1}, b.temporal.starts())
	input, err := json.Marshal(b.temporal.inputs["notification-lead_signup-6"])
	require.NoError(t, err)
	require.NotContains(t, string(input), "@")

	require.Equal(t, map[string]float64{"promoter_accepted": 1, "lead_signup": 1, "unknown": 1}, b.counted(t))
}

// TestMessagesAboutOneSubjectKeepTheirOrder shows that what is told of a lead,
// or else of a promoter, waits for what was told before.
func TestMessagesAboutOneSubjectKeepTheirOrder(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	run(t, b.dispatcher)
	for _, data := range []string{
		`{"id":9,"state":"signup","promoter":{"id":5}}`, `{"id":10,"state":"signup","promoter":{"id":5}}`,
		`{"id":9,"state":"signup","promoter":{"id":6}}`, `{"promoter":{"id":5}}`, `{"promoter":{"id":5}}`, `{}`, `{}`,
	} {
		b.accept(t, fmt.Appendf(nil, `{"event":{"type":"lead_signup","id":"%d"},"data":%s}`, next.Add(1), data))
	}
	require.Eventually(t, func() bool {
		depth, _, err := b.ledger.InboxDepth(t.Context())
		return err == nil && depth == 0
	}, time.Minute, 10*time.Millisecond)
	var before []int64
	for inbox := int64(1); inbox <= 7; inbox++ {
		n, err := b.ledger.Notification(t.Context(), ledger.NotificationQuery{Inbox: inbox, Channel: "log-1"})
		require.NoError(t, err)
		before = append(before, n.Before)
	}
	require.Equal(t, []int64{0, 0, 1, 0, 4, 0, 0}, before)
}

// TestSweepStartsNotificationsThatNobodyCarries starts what was being told when
// Temporal's database was lost: the messages behind it wait for it.
func TestSweepStartsNotificationsThatNobodyCarries(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	stop := run(t, b.dispatcher)
	for id := range 3 {
		b.accept(t, fmt.Appendf(nil, `{"event":{"type":"lead_signup","id":%d},"data":{"id":9,"state":"signup"}}`, id+1))
	}
	require.Eventually(t, func() bool {
		open, err := b.ledger.OpenNotifications(t.Context(), time.Time{}, time.Now().Add(time.Hour), 0, 10)
		return err == nil && len(open) == 3
	}, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, b.ledger.EndNotification(t.Context(), ledger.NotificationEnd{Inbox: 2, Channel: "log-1", State: ledger.NotificationTold}))

	b.temporal.mu.Lock()
	b.temporal.started = map[string]int{}
	b.temporal.mu.Unlock()
	run(t, b.newDispatcher("after the loss"))
	b.temporal.until(t, func(s map[string]int) bool { return len(s) >= 2 })
	require.Equal(t, map[string]int{"notification-lead_signup-1": 1, "notification-lead_signup-3": 1}, b.temporal.starts())
	require.Equal(t, workflows.NotificationInput{Inbox: 3, Type: "lead_signup", Channels: []string{"log-1"}}, b.temporal.inputs["notification-lead_signup-3"])
}

var next atomic.Int64

// counted returns the counters of accepted events that are not zero, by type.
func (b *bundle) counted(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	counts := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		for _, label := range metric.GetLabel() {
			if n := metric.GetCounter().GetValue(); label.GetName() == "event_type" && n > 0 {
				counts[label.GetValue()] += n
			}
		}
	}
	return counts
}

func TestUnusableEventsAreNotAccepted(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	for _, body := range []string{``, `[]`, `{"event":{}}`, `{"event":{"type":"fulfilment_pending"},"data":{"id":0}}`} {
		_, err := b.intake.Accept(t.Context(), []byte(body))
		require.Equal(t, fault.Invalid, fault.KindOf(err), body)
	}
	depth, _, err := b.ledger.InboxDepth(t.Context())
	require.NoError(t, err)
	require.Zero(t, depth)
}

// TestSweepStartsWhatNobodyCarries starts a reward again whose workflow was
// lost together with Temporal's database.
func TestSweepStartsWhatNobodyCarries(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	stop := run(t, b.dispatcher)
	b.accept(t, event(1))
	b.temporal.until(t, func(s map[string]int) bool { return len(s) == 1 })
	require.Eventually(t, func() bool {
		depth, _, err := b.ledger.InboxDepth(t.Context())
		return err == nil && depth == 0
	}, time.Minute, 10*time.Millisecond)
	stop()

	b.temporal.mu.Lock()
	b.temporal.started = map[string]int{}
	b.temporal.mu.Unlock()
	run(t, b.newDispatcher("after the loss"))
	b.temporal.until(t, func(s map[string]int) bool { return s["fulfilment-2000001"] == 1 })
}

// TestSweepLeavesWhatIsAboutToBeDispatched keeps a start below the trace of its
// delivery: whoever is first to start a workflow gives it its trace.
func TestSweepLeavesWhatIsAboutToBeDispatched(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.accept(t, event(1))
	require.NoError(t, b.dispatcher.Sweep(t.Context()))
	require.Empty(t, b.temporal.starts())

	leased, err := b.ledger.Lease(t.Context(), "another", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 1)
	require.NoError(t, b.dispatcher.Sweep(t.Context()))
	require.Equal(t, map[string]int{"fulfilment-2000001": 1}, b.temporal.starts(), "the other process may have died")
}

// TestSweepTakesUpWhatCameBack starts a fulfilment again that has completed,
// because the ledger holds its reward in attention. Neither an event does, nor a
// sweep whose list is older than the end of the fulfilment.
func TestSweepTakesUpWhatCameBack(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.accept(t, event(1))
	b.temporal.started["fulfilment-2000001"] = 1
	b.temporal.completed["fulfilment-2000001"] = true
	starter := intake.NewStarter(b.temporal, workflows.TaskQueue, false, func(string) []string { return nil })
	rows, err := b.ledger.Lease(t.Context(), "a test", 1, time.Minute)
	require.NoError(t, err)
	_, err = starter.Start(t.Context(), rows[0])
	require.NoError(t, err)
	stale, err := b.ledger.Reward(t.Context(), 2000001)
	require.NoError(t, err)
	started, err := starter.TakeUp(t.Context(), stale)
	require.NoError(t, err)
	require.False(t, started)
	require.Equal(t, 1, b.temporal.starts()["fulfilment-2000001"])

	require.NoError(t, b.ledger.Move(t.Context(), ledger.Transition{ID: 2000001, To: reward.Attention, Reason: "it came back", Actor: "test"}))
	run(t, b.newDispatcher("two"))
	b.temporal.until(t, func(s map[string]int) bool { return s["fulfilment-2000001"] == 2 })
}
