package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

const leadEmail = "lead@example.org"

// channel is a notification channel with a memory. trouble is what each try
// comes to; the last one stays. answer and answerTo decide in its place.
type channel struct {
	name     string
	answer   func() error
	answerTo func(notify.Message) error

	mu      sync.Mutex
	trouble []error
	told    []notify.Message
	heard   []notify.Message
}

func (c *channel) Name() string { return c.name }

func (c *channel) Notify(_ context.Context, m notify.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, m)
	err := c.next(m)
	if err == nil {
		c.heard = append(c.heard, m)
	}
	return err
}

func (c *channel) next(m notify.Message) error {
	switch {
	case c.answer != nil:
		return c.answer()
	case c.answerTo != nil:
		return c.answerTo(m)
	case len(c.trouble) == 0:
		return nil
	}
	err := c.trouble[0]
	if len(c.trouble) > 1 {
		c.trouble = c.trouble[1:]
	}
	return err
}

// tries returns what the channel was told, tries that went wrong included.
func (c *channel) tries() []notify.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// said returns what the channel took.
func (c *channel) said() []notify.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heard)
}

// telling is an environment with the worker's own registrations, a real ledger
// and some channels.
type telling struct {
	*testsuite.TestWorkflowEnvironment
	ledger *sqlite.Ledger
	// late is by how much the activities' clock is ahead: the environment gives
	// an activity, with all its tries, 15 seconds of real time, so a test does not
	// wait a day in small steps.
	late time.Duration
}

func newTelling(t *testing.T, channels ...*channel) *telling {
	t.Helper()
	e := unregistered(t)
	e.register(t, e.ledger, channels...)
	return e
}

// unregistered returns an environment without a worker.
func unregistered(t *testing.T) *telling {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: env.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return &telling{TestWorkflowEnvironment: env, ledger: l}
}

func (e *telling) register(t *testing.T, record activities.NotificationLedger, channels ...*channel) {
	t.Helper()
	byName := map[string]activities.Channel{}
	for _, c := range channels {
		byName[c.name] = activities.Channel{Notifier: c, Events: []string{"lead_signup", "lead_cancelled"}, Fingerprint: "f-" + c.name}
	}
	notifications, err := activities.NewNotifications(activities.NotificationDeps{
		Ledger: record, Channels: byName, Linger: time.Millisecond, Now: func() time.Time { return e.Now().Add(e.late) },
	})
	require.NoError(t, err)
	worker.Register(e, nil, notifications)
}

// event accepts the nth event of a lead, which has an e-mail address, and
// notes that the channels are told.
func (e *telling) event(t *testing.T, lead, n int, channels ...string) workflows.NotificationInput {
	t.Helper()
	id := fmt.Sprintf("%d%04d", lead, n)
	receipt, err := e.ledger.Accept(t.Context(), ledger.Event{
		Type: "lead_signup", Dedupe: id, EventID: id, Subject: fmt.Sprintf("lead-%d", lead), Dispatch: true,
		Body: fmt.Appendf(nil, `{"event":{"id":"%s","type":"lead_signup"},"lead":{"id":%d,"email":"`+leadEmail+`"}}`, id, lead),
	}, time.Hour)
	require.NoError(t, err)
	require.NoError(t, e.ledger.MarkDispatched(t.Context(), []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "w", Channels: channels}}))
	return workflows.NotificationInput{Inbox: receipt.Inbox, Type: "lead_signup", Channels: channels}
}

// run runs one notification to its end.
func (e *telling) run(t *testing.T, in workflows.NotificationInput) map[string]string {
	t.Helper()
	e.ExecuteWorkflow(workflows.NotificationType, in)
	require.True(t, e.IsWorkflowCompleted())
	require.NoError(t, e.GetWorkflowError())
	var result workflows.NotificationResult
	require.NoError(t, e.GetWorkflowResult(&result))
	return result.Channels
}

// tell runs the notification of a new event.
func tell(t *testing.T, e *telling, channels ...string) map[string]string {
	t.Helper()
	return e.run(t, e.event(t, 3100, 500, channels...))
}

// stands returns how the telling of a message stands in the ledger.
func (e *telling) stands(t *testing.T, inbox int64, channel string) ledger.Notification {
	t.Helper()
	n, err := e.ledger.Notification(t.Context(), ledger.NotificationQuery{Inbox: inbox, Channel: channel})
	require.NoError(t, err)
	return n
}

func TestNotificationWireNamesNeverChange(t *testing.T) {
	t.Parallel()

	in, err := json.Marshal(workflows.NotificationInput{Inbox: 17, Type: "lead_signup", Channels: []string{"ops"}})
	require.NoError(t, err)
	require.JSONEq(t, `{"inbox":17,"type":"lead_signup","channels":["ops"]}`, string(in))
	out, err := json.Marshal(workflows.NotificationResult{Channels: map[string]string{"ops": workflows.Sent}})
	require.NoError(t, err)
	require.JSONEq(t, `{"channels":{"ops":"sent"}}`, string(out))
}

func TestOneBadChannelOfThree(t *testing.T) {
	t.Parallel()

	ops, audit := &channel{name: "ops"}, &channel{name: "audit"}
	team := &channel{name: "team", trouble: []error{fault.New(fault.NotFound, "webhook.notify", "the endpoint is gone (HTTP 410)")}}
	env := newTelling(t, ops, team, audit)
	require.Equal(t, map[string]string{
		"ops": "sent", "audit": "sent", "team": "webhook.notify: the endpoint is gone (HTTP 410)",
	}, tell(t, env, "ops", "team", "audit"))
	for _, c := range []*channel{ops, team, audit} {
		require.Len(t, c.tries(), 1, "%s: the trouble of one channel repeats nothing on another", c.name)
	}
	require.Equal(t, "A lead signed up", ops.tries()[0].Title)
}

func TestNotificationTriesAgainWhatMayPass(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{
		fault.New(fault.Unavailable, "webhook.notify", "cannot connect"),
		fault.New(fault.Ambiguous, "webhook.notify", "no answer: timed out"),
		&fault.Error{Kind: fault.Throttled, Op: "webhook.notify", Message: "later", RetryAfter: 30 * time.Minute},
		nil,
	}}
	env := newTelling(t, ops, team)
	began := env.Now()
	require.Equal(t, map[string]string{"ops": "sent", "team": "sent"}, tell(t, env, "ops", "team"))

	require.Len(t, ops.tries(), 1)
	tries := team.tries()
	require.Len(t, tries, 4)
	for _, m := range tries {
		require.Equal(t, "lead_signup-31000500", m.Key, "every try has the same key")
	}
	require.GreaterOrEqual(t, env.Now().Sub(began), 30*time.Minute, "the wait that was asked for is kept")
}

func TestNotificationGivesUpAfterADay(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{
		&fault.Error{Kind: fault.Throttled, Op: "webhook.notify", Message: "come back later", RetryAfter: 5 * time.Hour},
	}}
	env := newTelling(t, ops, team)
	began := env.Now()
	require.Equal(t, map[string]string{"ops": "sent", "team": "webhook.notify: come back later"}, tell(t, env, "team", "ops"))
	require.Len(t, team.tries(), 5)
	require.InDelta(t, 20*time.Hour, env.Now().Sub(began), float64(time.Minute))
}

func TestNotificationWaitsLongerEachTime(t *testing.T) {
	t.Parallel()

	trouble := make([]error, 13)
	for i := range 12 {
		trouble[i] = fault.New(fault.Unavailable, "webhook.notify", "cannot connect")
	}
	team := &channel{name: "team", trouble: trouble}
	env := newTelling(t, team)
	began := env.Now()
	tell(t, env, "team")
	require.Len(t, team.tries(), 13)
	// 2 seconds, doubled eight times, and then 10 minutes each.
	require.InDelta(t, 1022*time.Second+30*time.Minute, env.Now().Sub(began), float64(5*time.Second))
}

func TestNotificationDoesNotRepeatWhatOnlyAPersonCanMend(t *testing.T) {
	t.Parallel()

	var channels []*channel
	var names []string
	for _, kind := range []fault.Kind{
		fault.Invalid, fault.NotFound, fault.Conflict, fault.Denied, fault.Declined, fault.Internal,
	} {
		channels = append(channels, &channel{name: string(kind), trouble: []error{fault.New(kind, "x.notify", "no")}})
		names = append(names, string(kind))
	}
	result := tell(t, newTelling(t, channels...), names...)
	for _, c := range channels {
		require.Equal(t, "x.notify: no", result[c.name])
		require.Len(t, c.tries(), 1, c.name)
	}
}

func TestNotificationWithNothingToTell(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	require.Empty(t, tell(t, newTelling(t, ops)))
	require.Equal(t, map[string]string{"ops": "ledger.notification: the inbox has no row 18"},
		newTelling(t, ops).run(t, workflows.NotificationInput{Inbox: 18, Type: "lead_signup", Channels: []string{"ops"}}))
	require.Equal(t, map[string]string{"old": `notify: no notification channel "old" is configured any more`}, tell(t, newTelling(t, ops), "old"))
	require.Empty(t, ops.tries())
}

func TestChannelThatIsRoutedToTwiceIsToldOnce(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect"), nil}}
	require.Equal(t, map[string]string{"ops": "sent", "team": "sent"}, tell(t, newTelling(t, ops, team), "ops", "team", "ops"))
	require.Len(t, ops.tries(), 1)
	require.Len(t, team.tries(), 2)
}

func TestCancelledNotificationEnds(t *testing.T) {
	t.Parallel()

	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect")}}
	env := newTelling(t, team)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	in := env.event(t, 1, 1, "team")
	env.ExecuteWorkflow(workflows.NotificationType, in)
	require.True(t, env.IsWorkflowCompleted())
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()), env.GetWorkflowError())
	require.Equal(t, ledger.NotificationGivenUp, env.stands(t, in.Inbox, "team").State)
	require.Equal(t, "cancelled", env.stands(t, in.Inbox, "team").Reason)
}

func TestNotificationHistoryHoldsNothingPersonal(t *testing.T) {
	t.Parallel()

	cause := errors.New("dial https://hooks.example.com/SECRETPATH for " + leadEmail)
	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{
		fault.Wrap(fault.Unavailable, "webhook.notify", "cannot connect", cause),
		cause, // Nobody classified it.
	}}
	env := newTelling(t, ops, team)
	var mu sync.Mutex
	var history []string
	keep := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		history = append(history, text)
	}
	env.SetOnActivityStartedListener(func(_ *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in map[string]any
		require.NoError(t, args.Get(&in))
		require.ElementsMatch(t, []string{"inbox", "channel"}, slices.Collect(maps.Keys(in)))
		text, err := json.Marshal(in)
		require.NoError(t, err)
		keep(string(text))
	})
	env.SetOnActivityCompletedListener(func(_ *activity.Info, _ converter.EncodedValue, err error) {
		for ; err != nil; err = errors.Unwrap(err) {
			keep(err.Error())
		}
	})
	result := tell(t, env, "ops", "team")
	require.Equal(t, map[string]string{"ops": "sent", "team": "internal error"}, result)
	require.Len(t, team.tries(), 2)

	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, history)
	for _, text := range history {
		require.NotContains(t, text, "example")
		require.NotContains(t, text, "SECRETPATH")
	}
	told := ops.tries()[0]
	require.Contains(t, string(told.Event), leadEmail, "the channel itself hears it all")
}

func TestNotificationShowsWhereItStands(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect"), nil}}
	env := newTelling(t, ops, team)
	details := func() string {
		value, err := env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		var metadata sdkpb.WorkflowMetadata
		require.NoError(t, value.Get(&metadata))
		return metadata.GetCurrentDetails()
	}
	env.RegisterDelayedCallback(func() {
		require.Equal(t, "### Notification of lead_signup\n\n- **team**: under way\n- **ops**: sent\n", details())
	}, time.Second)
	tell(t, env, "team", "ops")
	require.Equal(t, "### Notification of lead_signup\n\n- **team**: sent\n- **ops**: sent\n", details())
}
