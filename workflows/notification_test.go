package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
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
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

const leadEmail = "lead@example.org"

// inbox holds one event of a lead with an e-mail address.
type inbox struct{}

func (inbox) Event(_ context.Context, row int64) (ledger.Pending, error) {
	if row != 17 {
		return ledger.Pending{}, fault.New(fault.NotFound, "inbox.event", "there is no such event")
	}
	return ledger.Pending{
		Inbox: 17, Type: "lead_signup", EventID: "31000500",
		Body: []byte(`{"event":{"id":"31000500","type":"lead_signup"},"lead":{"id":24000815,"email":"` + leadEmail + `"}}`),
	}, nil
}

// channel is a notification channel with a memory. trouble is what each try
// comes to; the last one stays.
type channel struct {
	name string

	mu      sync.Mutex
	trouble []error
	told    []notify.Message
}

func (c *channel) Name() string { return c.name }

func (c *channel) Notify(_ context.Context, m notify.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, m)
	if len(c.trouble) == 0 {
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

// newTelling returns an environment with the worker's own registrations and
// these channels.
func newTelling(t *testing.T, channels ...*channel) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	byName := map[string]notify.Notifier{}
	for _, c := range channels {
		byName[c.name] = c
	}
	notifications, err := activities.NewNotifications(activities.NotificationDeps{Events: inbox{}, Channels: byName})
	require.NoError(t, err)
	worker.Register(env, nil, notifications)
	return env
}

func tell(t *testing.T, env *testsuite.TestWorkflowEnvironment, inbox int64, channels ...string) map[string]string {
	t.Helper()
	env.ExecuteWorkflow(workflows.NotificationType, workflows.NotificationInput{Inbox: inbox, Type: "lead_signup", Channels: channels})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var result workflows.NotificationResult
	require.NoError(t, env.GetWorkflowResult(&result))
	return result.Channels
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
	}, tell(t, env, 17, "ops", "team", "audit"))
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
	require.Equal(t, map[string]string{"ops": "sent", "team": "sent"}, tell(t, env, 17, "ops", "team"))

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
	// The test environment tries ten times at most, so the day is filled by long waits.
	team := &channel{name: "team", trouble: []error{
		&fault.Error{Kind: fault.Throttled, Op: "webhook.notify", Message: "come back later", RetryAfter: 5 * time.Hour},
	}}
	env := newTelling(t, ops, team)
	began := env.Now()
	require.Equal(t, map[string]string{"ops": "sent", "team": "webhook.notify: come back later"}, tell(t, env, 17, "team", "ops"))
	require.Len(t, team.tries(), 5)
	require.InDelta(t, 20*time.Hour, env.Now().Sub(began), float64(time.Minute))
}

func TestNotificationWaitsLongerEachTime(t *testing.T) {
	t.Parallel()

	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect")}}
	env := newTelling(t, team)
	began := env.Now()
	tell(t, env, 17, "team")
	require.Len(t, team.tries(), 10, "the test environment's own limit")
	// 2 seconds, doubled eight times.
	require.InDelta(t, 1022*time.Second, env.Now().Sub(began), float64(5*time.Second))
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
	result := tell(t, newTelling(t, channels...), 17, names...)
	for _, c := range channels {
		require.Equal(t, "x.notify: no", result[c.name])
		require.Len(t, c.tries(), 1, c.name)
	}
}

func TestNotificationWithNothingToTell(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	require.Empty(t, tell(t, newTelling(t, ops), 17))
	require.Equal(t, map[string]string{"ops": "inbox.event: there is no such event"}, tell(t, newTelling(t, ops), 18, "ops"))
	require.Equal(t, map[string]string{"old": `notify: no notification channel "old" is configured any more`}, tell(t, newTelling(t, ops), 17, "old"))
	require.Empty(t, ops.tries())
}

func TestChannelThatIsRoutedToTwiceIsToldOnce(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect"), nil}}
	require.Equal(t, map[string]string{"ops": "sent", "team": "sent"}, tell(t, newTelling(t, ops, team), 17, "ops", "team", "ops"))
	require.Len(t, ops.tries(), 1)
	require.Len(t, team.tries(), 2)
}

func TestCancelledNotificationEnds(t *testing.T) {
	t.Parallel()

	team := &channel{name: "team", trouble: []error{fault.New(fault.Unavailable, "webhook.notify", "cannot connect")}}
	env := newTelling(t, team)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	env.ExecuteWorkflow(workflows.NotificationType, workflows.NotificationInput{Inbox: 17, Type: "lead_signup", Channels: []string{"team"}})
	require.True(t, env.IsWorkflowCompleted())
	require.True(t, temporal.IsCanceledError(env.GetWorkflowError()), env.GetWorkflowError())
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
	result := tell(t, env, 17, "ops", "team")
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
	tell(t, env, 17, "team", "ops")
	require.Equal(t, "### Notification of lead_signup\n\n- **team**: sent\n- **ops**: sent\n", details())
}
