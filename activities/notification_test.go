package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// record is a ledger of notifications that never ends.
type record map[int64]ledger.Pending

func (r record) Notification(_ context.Context, q ledger.NotificationQuery) (ledger.Notification, error) {
	event, ok := r[q.Inbox]
	if !ok {
		return ledger.Notification{}, fault.New(fault.NotFound, "inbox.event", "there is no such event")
	}
	return ledger.Notification{Event: event}, nil
}

func (record) EndNotification(context.Context, ledger.NotificationEnd) error { return nil }

func (record) DisableChannel(context.Context, ledger.DisabledChannel) error { return nil }

// ear is a channel that remembers what it was told last.
type ear struct {
	heard notify.Message
	err   error
}

func (e *ear) Name() string { return "ops" }

func (e *ear) Notify(_ context.Context, m notify.Message) error {
	e.heard = m
	return e.err
}

// notifyOnce runs the activity over an inbox with three rows.
func notifyOnce(t *testing.T, e *ear, in activities.NotifyInput) error {
	t.Helper()
	notifications, err := activities.NewNotifications(activities.NotificationDeps{
		Ledger: record{
			1: {Inbox: 1, Type: "reward_held", EventID: "88", Body: []byte(`{"reward_id":2429153,"status":"held","reason":"the brake is on"}`)},
			2: {Inbox: 2, Type: "promoter_accepted", Body: []byte(`{"event":{"created_at":"2025-03-02T08:00:00Z"},"promoter":{"id":5}}`)},
			3: {Inbox: 3, Type: "lead_signup", EventID: "9", Body: []byte(`{"email":"ines@example.net"`)},
		},
		Channels: map[string]activities.Channel{"ops": {Notifier: e}},
		Link:     func(id reward.ID) string { return "https://rewards.example.com/#/rewards/" + id.String() },
	})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(notifications)
	_, err = env.ExecuteActivity(notifications.Notify, in)
	return err
}

func TestNotifyTellsTheChannel(t *testing.T) {
	t.Parallel()

	var e ear
	before := time.Now().Add(-time.Minute)
	require.NoError(t, notifyOnce(t, &e, activities.NotifyInput{Inbox: 1, Channel: "ops"}))
	require.Equal(t, "reward_held-88", e.heard.Key)
	require.Equal(t, "Reward 2429153 is held", e.heard.Title)
	require.Equal(t, "https://rewards.example.com/#/rewards/2429153", e.heard.Link)
	require.WithinRange(t, e.heard.At, before, time.Now().Add(time.Minute))

	require.NoError(t, notifyOnce(t, &e, activities.NotifyInput{Inbox: 2, Channel: "ops"}))
	require.Equal(t, "promoter_accepted-inbox-2", e.heard.Key, "an event without an ID has a key of its own")
	require.Empty(t, e.heard.Link)
	require.Equal(t, time.Date(2025, 3, 2, 8, 0, 0, 0, time.UTC), e.heard.At)
}

func TestNotifyProjectsFaults(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in       activities.NotifyInput
		err      error
		kind     fault.Kind
		final    bool
		retryIn  time.Duration
		contains string
	}{
		"UnknownChannel":  {in: activities.NotifyInput{Inbox: 1, Channel: "old"}, kind: fault.Invalid, final: true, contains: `"old"`},
		"UnknownEvent":    {in: activities.NotifyInput{Inbox: 4, Channel: "ops"}, kind: fault.NotFound, final: true, contains: "no such event"},
		"UnreadableEvent": {in: activities.NotifyInput{Inbox: 3, Channel: "ops"}, kind: fault.Invalid, final: true, contains: "not JSON"},
		"Gone": {
			in: activities.NotifyInput{Inbox: 1, Channel: "ops"}, err: fault.New(fault.NotFound, "webhook.notify", "the endpoint is gone"),
			kind: fault.NotFound, final: true, contains: "the endpoint is gone",
		},
		"Lost": {
			in: activities.NotifyInput{Inbox: 1, Channel: "ops"}, err: fault.New(fault.Ambiguous, "webhook.notify", "no answer"),
			kind: fault.Ambiguous, contains: "no answer",
		},
		"Throttled": {
			in: activities.NotifyInput{Inbox: 1, Channel: "ops"}, err: &fault.Error{Kind: fault.Throttled, Message: "later", RetryAfter: 7 * time.Second},
			kind: fault.Throttled, retryIn: 7 * time.Second, contains: "later",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := notifyOnce(t, &ear{err: c.err}, c.in)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, string(c.kind), app.Type())
			require.Equal(t, c.final, app.NonRetryable())
			require.Equal(t, c.retryIn, app.NextRetryDelay())
			require.ErrorContains(t, err, c.contains)
			require.NotContains(t, err.Error(), "ines")
		})
	}
}

func TestNewNotificationsNeedsTheLedger(t *testing.T) {
	t.Parallel()

	_, err := activities.NewNotifications(activities.NotificationDeps{})
	require.ErrorContains(t, err, "ledger")
}
