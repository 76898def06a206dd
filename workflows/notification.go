package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// NotificationInput starts a notification. The event itself is in the inbox:
// personal data never enters a history.
type NotificationInput struct {
	Inbox int64  `json:"inbox"`
	Type  string `json:"type"`
	// Channels are the configured names of those to tell.
	Channels []string `json:"channels"`
}

// Sent is what a notification's result says of a channel that was told.
const Sent = "sent"

// NotificationResult says for each channel that it was told, by Sent, or why
// not, in words.
type NotificationResult struct {
	Channels map[string]string `json:"channels"`
}

// Notification tells every channel about one event: all at the same time, each
// with its own tries, so that the trouble of one repeats nothing on another.
// It completes even when a channel could not be told; nothing that matters
// waits for a notification.
func Notification(ctx workflow.Context, in NotificationInput) (NotificationResult, error) {
	n := &notification{
		in:     in,
		result: NotificationResult{Channels: map[string]string{}},
		log:    log.With(workflow.GetLogger(ctx), "inbox", in.Inbox, "event_type", in.Type),
	}
	n.tell(ctx)
	if err := ctx.Err(); err != nil {
		return n.result, fmt.Errorf("telling the channels: %w", err)
	}
	return n.result, nil
}

// notification is the state of one execution.
type notification struct {
	in     NotificationInput
	result NotificationResult
	log    log.Logger
}

// underWay stands for a channel that is being told.
const underWay = "under way"

func (n *notification) tell(ctx workflow.Context) {
	var notifications *activities.Notifications // Names methods for the compiler; never dereferenced.
	answers := workflow.NewSelector(ctx)
	for _, channel := range n.in.Channels {
		if n.result.Channels[channel] != "" {
			continue // It is routed to twice, and told once.
		}
		n.result.Channels[channel] = underWay
		told := workflow.ExecuteActivity(tell(ctx, channel), notifications.Notify, activities.NotifyInput{
			Inbox: n.in.Inbox, Channel: channel,
		})
		answers.AddFuture(told, func(f workflow.Future) { n.note(ctx, channel, f.Get(ctx, nil)) })
	}
	n.show(ctx)
	for range len(n.result.Channels) {
		answers.Select(ctx)
		n.show(ctx)
	}
}

// note keeps what became of one channel.
func (n *notification) note(ctx workflow.Context, channel string, err error) {
	switch {
	case err == nil:
		n.result.Channels[channel] = Sent
		return
	case temporal.IsCanceledError(err):
		n.result.Channels[channel] = "cancelled"
	default:
		n.result.Channels[channel] = message(err)
	}
	n.log.Warn("notification.not_sent", "channel", channel, "reason", n.result.Channels[channel])
	n.giveUp(ctx, channel)
}

// giveUp records that a channel is not told, so that later messages about the
// same subject do not wait. It costs something only where something went wrong.
// When it fails, they wait until the message is too old to be tried.
func (n *notification) giveUp(ctx workflow.Context, channel string) {
	if workflow.GetVersion(ctx, "give_up", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return // It began before the ledger kept this.
	}
	// What was cancelled is given up, too.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var notifications *activities.Notifications // Names methods for the compiler; never dereferenced.
	in := activities.GiveUpInput{Inbox: n.in.Inbox, Channel: channel, Reason: n.result.Channels[channel]}
	if err := workflow.ExecuteLocalActivity(quick(ctx), notifications.GiveUp, in).Get(ctx, nil); err != nil {
		n.log.Warn("notification.not_recorded", "channel", channel, "reason", message(err))
	}
}

// show writes where each channel stands, in Markdown, where people look in the
// Temporal UI.
func (n *notification) show(ctx workflow.Context) {
	var b strings.Builder
	b.WriteString("### Notification of " + n.in.Type + "\n\n")
	shown := map[string]bool{}
	for _, channel := range n.in.Channels {
		if !shown[channel] {
			b.WriteString("- **" + channel + "**: " + n.result.Channels[channel] + "\n")
		}
		shown[channel] = true
	}
	workflow.SetCurrentDetails(ctx, b.String())
}

// tell is for what people are told. It may be said again at will, and goes on
// for a day, because a channel that is down at night should be told in the
// morning. A channel that denies access is not asked again: only a person can
// change that, and an old notification is not what they would wait for.
func tell(ctx workflow.Context, channel string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    15 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		Summary:                channel,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        2 * time.Second,
			BackoffCoefficient:     2,
			MaximumInterval:        10 * time.Minute,
			MaximumAttempts:        10_000, // More than fit into a day.
			NonRetryableErrorTypes: append(hopeless(), string(fault.Denied)),
		},
	})
}
