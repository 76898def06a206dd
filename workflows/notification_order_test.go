package workflows_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/workflows"
)

// planned is a notification that starts a while after the first.
type planned struct {
	after time.Duration
	in    workflows.NotificationInput
}

// together runs several notifications on one clock and returns their results.
func (e *telling) together(t *testing.T, plan ...planned) []map[string]string {
	t.Helper()
	all := func(ctx workflow.Context) ([]workflows.NotificationResult, error) {
		var running []workflow.ChildWorkflowFuture
		began := workflow.Now(ctx)
		for _, p := range plan {
			if err := workflow.Sleep(ctx, began.Add(p.after).Sub(workflow.Now(ctx))); err != nil {
				return nil, err
			}
			running = append(running, workflow.ExecuteChildWorkflow(ctx, workflows.NotificationType, p.in))
		}
		results := make([]workflows.NotificationResult, len(running))
		for i, child := range running {
			if err := child.Get(ctx, &results[i]); err != nil {
				return nil, err
			}
		}
		return results, nil
	}
	e.RegisterWorkflowWithOptions(all, workflow.RegisterOptions{Name: "Together"})
	e.ExecuteWorkflow("Together")
	require.True(t, e.IsWorkflowCompleted())
	require.NoError(t, e.GetWorkflowError())
	var results []workflows.NotificationResult
	require.NoError(t, e.GetWorkflowResult(&results))
	var said []map[string]string
	for _, r := range results {
		said = append(said, r.Channels)
	}
	return said
}

// keys returns the keys of messages, in their order.
func keys(messages []notify.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Key)
	}
	return all
}

// TestChannelThatFailsForAnHour is the promise of issue 5: it is told once, and
// in order per subject, after it returns.
func TestChannelThatFailsForAnHour(t *testing.T) {
	t.Parallel()

	ops, team := &channel{name: "ops"}, &channel{name: "team"}
	e := newTelling(t, ops, team)
	back := e.Now().Add(time.Hour)
	team.answer = func() error {
		if e.Now().Before(back) {
			return fault.New(fault.Unavailable, "webhook.notify", "cannot connect: connection refused")
		}
		return nil
	}
	var plan []planned
	for i, lead := range []int{1, 2, 1, 1, 2} {
		plan = append(plan, planned{
			after: time.Duration(i*7) * time.Minute, in: e.event(t, lead, i, "ops", "team"),
		})
	}
	// The last one comes when the channel is back, and waits its turn.
	plan = append(plan, planned{after: time.Hour + time.Second, in: e.event(t, 1, 9, "ops", "team")})
	for i, result := range e.together(t, plan...) {
		require.Equal(t, map[string]string{"ops": "sent", "team": "sent"}, result, "message %d", i)
	}

	first := []string{"lead_signup-10000", "lead_signup-10002", "lead_signup-10003", "lead_signup-10009"}
	second := []string{"lead_signup-20001", "lead_signup-20004"}
	require.ElementsMatch(t, append(first, second...), keys(team.said()), "once each")
	require.Equal(t, first, of("lead_signup-1", team.said()), "in order per subject")
	require.Equal(t, second, of("lead_signup-2", team.said()), "in order per subject")
	require.Len(t, ops.tries(), 6, "the trouble of one channel repeats nothing on another")
	require.Equal(t, first, of("lead_signup-1", ops.said()))
	for _, m := range team.tries() {
		if m.Key != first[0] && m.Key != second[0] {
			require.Equal(t, 1, count(m.Key, team.tries()), "%s is not tried before its turn", m.Key)
		}
	}
}

// of returns the keys that begin with a prefix.
func of(prefix string, messages []notify.Message) []string {
	var some []string
	for _, key := range keys(messages) {
		if key[:len(prefix)] == prefix {
			some = append(some, key)
		}
	}
	return some
}

func count(key string, messages []notify.Message) int {
	n := 0
	for _, k := range keys(messages) {
		if k == key {
			n++
		}
	}
	return n
}

func TestGivenUpMessageDoesNotBlock(t *testing.T) {
	t.Parallel()

	team := &channel{name: "team"}
	team.answerTo = func(m notify.Message) error {
		if m.Key == "lead_signup-10001" {
			return &fault.Error{Kind: fault.Throttled, Op: "webhook.notify", Message: "come back later", RetryAfter: 5 * time.Hour}
		}
		return nil
	}
	e := newTelling(t, team)
	began := e.Now()
	first, second := e.event(t, 1, 1, "team"), e.event(t, 1, 2, "team")
	results := e.together(t, planned{0, first}, planned{19*time.Hour + 50*time.Minute, second})
	require.Equal(t, "webhook.notify: come back later", results[0]["team"])
	require.Equal(t, "sent", results[1]["team"])
	require.Equal(t, []string{"lead_signup-10002"}, keys(team.said()))
	require.InDelta(t, 20*time.Hour, e.Now().Sub(began), float64(10*time.Minute))
	require.Equal(t, ledger.NotificationGivenUp, e.stands(t, first.Inbox, "team").State)
	require.Equal(t, "webhook.notify: come back later", e.stands(t, first.Inbox, "team").Reason)
}

// A workflow that was terminated never ends its message. The next ones wait for
// it, and are told all the same before they would be given up.
func TestTerminatedMessageDoesNotBlockForEver(t *testing.T) {
	t.Parallel()

	team := &channel{name: "team"}
	e := newTelling(t, team)
	e.late = 22 * time.Hour
	began := e.Now()
	e.event(t, 1, 1, "team") // Nobody carries it.
	require.Equal(t, "sent", e.run(t, e.event(t, 1, 2, "team"))["team"])
	require.Len(t, team.tries(), 1)
	require.InDelta(t, time.Hour, e.Now().Sub(began), float64(6*time.Minute))
}

func TestChannelThatWasToldIsNotToldByAnotherRun(t *testing.T) {
	t.Parallel()

	ops, team := &channel{name: "ops"}, &channel{name: "team", trouble: []error{fault.New(fault.Denied, "webhook.notify", "no")}}
	e := newTelling(t, ops, team)
	in := e.event(t, 1, 1, "ops", "team")
	results := e.together(t, planned{0, in}, planned{time.Minute, in}, planned{time.Hour, in})
	require.Equal(t, map[string]string{"ops": "sent", "team": "webhook.notify: no"}, results[0])
	for _, again := range results[1:] {
		require.Equal(t, map[string]string{"ops": "sent", "team": "notify: it was given up: webhook.notify: no"}, again)
	}
	require.Len(t, ops.tries(), 1)
	require.Len(t, team.tries(), 1)
}

func TestGoneEndpointDisablesItsChannelForGood(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	team := &channel{name: "team", trouble: []error{
		fault.Wrap(fault.NotFound, "webhook.notify", "the endpoint is gone (HTTP 410)", notify.ErrGone), nil,
	}}
	e := newTelling(t, ops, team)
	results := e.together(t, planned{0, e.event(t, 1, 1, "ops", "team")}, planned{time.Hour, e.event(t, 2, 1, "ops", "team")})
	require.Equal(t, map[string]string{
		"ops": "sent", "team": "notify: the channel is disabled, until its configuration changes: the endpoint is gone (HTTP 410)",
	}, results[0])
	require.Equal(t, "sent", results[1]["ops"])
	require.Regexp(t, `^notify: the channel is disabled since \S+ \S+, until its configuration changes: the endpoint is gone \(HTTP 410\)$`, results[1]["team"])
	require.Len(t, team.tries(), 1, "no more tries")

	all, err := e.ledger.DisabledChannels(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "team", all[0].Channel)
	require.Equal(t, "f-team", all[0].Fingerprint)
}

// unwritable is a ledger that cannot record what was told for a while.
type unwritable struct {
	ledger.Ledger
	failures atomic.Int64
}

func (u *unwritable) EndNotification(ctx context.Context, end ledger.NotificationEnd) error {
	if u.failures.Add(-1) >= 0 {
		return fault.New(fault.Unavailable, "ledger.end_notification", "the disk is full")
	}
	return u.Ledger.EndNotification(ctx, end)
}

func TestFullDiskDoesNotRepeatMessages(t *testing.T) {
	t.Parallel()

	ops := &channel{name: "ops"}
	e := unregistered(t)
	disk := &unwritable{Ledger: e.ledger}
	disk.failures.Store(5)
	e.register(t, disk, ops)
	in := e.event(t, 1, 1, "ops")
	require.Equal(t, "sent", e.run(t, in)["ops"])
	require.Len(t, ops.tries(), 1)
	require.Equal(t, ledger.NotificationTold, e.stands(t, in.Inbox, "ops").State)
}
