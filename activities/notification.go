package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// NotificationLedger is the part of the record that notifications use.
type NotificationLedger interface {
	Notification(ctx context.Context, q ledger.NotificationQuery) (ledger.Notification, error)
	EndNotification(ctx context.Context, end ledger.NotificationEnd) error
	DisableChannel(ctx context.Context, d ledger.DisabledChannel) error
}

// Channel is one configured notification channel.
type Channel struct {
	Notifier notify.Notifier
	// Events are the types of event that it is told of.
	Events []string
	// Fingerprint names its configuration: with another one, a channel that was
	// disabled is tried again. Empty for a channel that cannot be disabled.
	Fingerprint string
}

// NotificationDeps are the ports that notifications act through.
type NotificationDeps struct {
	Ledger NotificationLedger
	// Channels are the configured channels by name; there may be none.
	Channels map[string]Channel
	// Write writes the message about an event, the same on every try; nil means
	// notify.Render.
	Write func(eventType, eventID string, body []byte) (notify.Message, error)
	// Link returns where people see a reward; nil for messages without a link.
	Link func(id reward.ID) string
	// Linger is how long the first try waits for a message that is just being
	// told: two events that come in together then cost no second try. Zero means
	// 2 seconds.
	Linger time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Notifications holds what the worker shares among the activities of
// notifications. Its exported methods are activities, and nothing else.
type Notifications struct {
	ledger   NotificationLedger
	channels map[string]Channel
	write    func(eventType, eventID string, body []byte) (notify.Message, error)
	link     func(id reward.ID) string
	linger   time.Duration
	now      func() time.Time
}

// NewNotifications returns the activities. It fails when a port is missing.
func NewNotifications(deps NotificationDeps) (*Notifications, error) {
	if deps.Ledger == nil {
		return nil, errors.New("activities: notifications need the ledger")
	}
	if deps.Write == nil {
		deps.Write = notify.Render
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Linger <= 0 {
		deps.Linger = 2 * time.Second
	}
	return &Notifications{
		ledger: deps.Ledger, channels: deps.Channels, write: deps.Write, link: deps.Link, linger: deps.Linger, now: deps.Now,
	}, nil
}

// NotifyInput names what to tell, and where. What is told is in the ledger:
// personal data never enters a history.
type NotifyInput struct {
	Inbox   int64  `json:"inbox"`
	Channel string `json:"channel"`
}

const opNotify = "notify"

// Notify tells one channel about one event, after the earlier events about the
// same subject. A channel that was told, by whichever workflow, is not told
// again.
//
// It may be told again all the same: a try whose answer was lost is repeated,
// with the same key. So a channel hears of an event at least once, where a
// payout would wait for a look-up.
func (n *Notifications) Notify(ctx context.Context, in NotifyInput) error {
	channel, ok := n.channels[in.Channel]
	if !ok {
		return asTemporal(fault.New(fault.Invalid, opNotify,
			fmt.Sprintf("no notification channel %q is configured any more", in.Channel)))
	}
	about, err := n.stands(ctx, in, channel)
	if err != nil {
		return asTemporal(err)
	}
	switch {
	case about.State == ledger.NotificationTold:
		return nil
	case about.State == ledger.NotificationGivenUp:
		return asTemporal(fault.New(fault.Conflict, opNotify, "it was given up: "+about.Reason))
	case activity.HasHeartbeatDetails(ctx):
		// An earlier try told the channel, and could not record it.
	case about.Disabled.Fingerprint != "":
		return asTemporal(fault.New(fault.Declined, opNotify, fmt.Sprintf(
			"the channel is disabled since %s, until its configuration changes: %s", about.Disabled.At.Format(time.DateTime), about.Disabled.Reason)))
	case about.Before != 0 && n.now().Sub(activity.GetInfo(ctx).ScheduledTime) < waitAtMost:
		return comesLater(ctx, about.Before)
	default:
		if err := n.tell(ctx, in, channel, about.Event); err != nil {
			return asTemporal(err)
		}
	}
	return n.told(ctx, in)
}

const (
	// tellFor is how long a message is tried. The workflow says it, too.
	tellFor = 24 * time.Hour
	// waitAtMost is how long a message waits for earlier ones. It leaves an hour
	// of its own tries: late and out of order is better than never.
	waitAtMost = 23 * time.Hour
	// openFor is how long after its dispatch a message may still be tried: its
	// workflow begins a little later. One that is open for longer was terminated.
	openFor = tellFor + time.Hour
	// lookAgain is how often a first try looks whether its turn has come.
	lookAgain = 50 * time.Millisecond
)

// stands returns where the message stands. On the first try it waits a moment
// for the message before.
func (n *Notifications) stands(ctx context.Context, in NotifyInput, channel Channel) (ledger.Notification, error) {
	query := ledger.NotificationQuery{
		Inbox: in.Inbox, Channel: in.Channel, Events: channel.Events, Fingerprint: channel.Fingerprint, OpenSince: n.now().Add(-openFor),
	}
	about, err := n.ledger.Notification(ctx, query)
	if err != nil || about.Before == 0 || activity.GetInfo(ctx).Attempt > 1 {
		return about, err
	}
	end := time.NewTimer(n.linger)
	defer end.Stop()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for err == nil && about.Before != 0 {
		select {
		case <-ctx.Done():
			return about, nil
		case <-end.C:
			return about, nil
		case <-ticker.C:
			about, err = n.ledger.Notification(ctx, query)
		}
	}
	return about, err
}

// comesLater asks to be run again when the message before may have ended. It is
// no trouble, so nothing alarms about it.
func comesLater(ctx context.Context, before int64) error {
	const shortest, longest = 2 * time.Second, 5 * time.Minute
	pause := min(shortest<<min(activity.GetInfo(ctx).Attempt-1, 10), longest)
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("%s: an earlier message about the same subject comes first (event %d of the inbox)", opNotify, before),
		string(fault.Unavailable),
		temporal.ApplicationErrorOptions{NextRetryDelay: pause, Category: temporal.ApplicationErrorCategoryBenign},
	)
}

// tell makes one try. A channel whose other side wants nothing more is not
// tried again.
func (n *Notifications) tell(ctx context.Context, in NotifyInput, channel Channel, event ledger.Pending) error {
	message, err := n.message(ctx, event)
	if err != nil {
		return err
	}
	err = channel.Notifier.Notify(ctx, message)
	if err == nil {
		activity.GetLogger(ctx).Info("notification.sent", "type", message.Type, "key", message.Key, "channel", in.Channel)
		return nil
	}
	if !errors.Is(err, notify.ErrGone) || channel.Fingerprint == "" {
		return err
	}
	reason := fault.Message(err)
	activity.GetLogger(ctx).Error("notification.channel_disabled", "channel", in.Channel, "reason", reason,
		"consequence", "nothing is sent to it any more, until its configuration changes")
	if failed := n.ledger.DisableChannel(ctx, ledger.DisabledChannel{
		Fingerprint: channel.Fingerprint, Channel: in.Channel, Reason: reason,
	}); failed != nil {
		return failed // The next try hears the same answer.
	}
	return fault.Wrap(fault.KindOf(err), opNotify, "the channel is disabled, until its configuration changes: "+reason, err)
}

// told records that the channel has the message. When that fails, the next try
// must not tell it again: a full disk would make it say the same for hours.
func (n *Notifications) told(ctx context.Context, in NotifyInput) error {
	err := n.ledger.EndNotification(ctx, ledger.NotificationEnd{Inbox: in.Inbox, Channel: in.Channel, State: ledger.NotificationTold})
	if err != nil {
		activity.RecordHeartbeat(ctx, ledger.NotificationTold)
		return asTemporal(err)
	}
	return nil
}

// GiveUpInput names what is not tried any more, and says why.
type GiveUpInput struct {
	Inbox   int64  `json:"inbox"`
	Channel string `json:"channel"`
	Reason  string `json:"reason"`
}

// GiveUp records that a channel is not told of an event any more, so that the
// later messages do not wait for it.
func (n *Notifications) GiveUp(ctx context.Context, in GiveUpInput) error {
	return asTemporal(n.ledger.EndNotification(ctx, ledger.NotificationEnd{
		Inbox: in.Inbox, Channel: in.Channel, State: ledger.NotificationGivenUp, Reason: in.Reason,
	}))
}

// message writes the same message on every try.
func (n *Notifications) message(ctx context.Context, event ledger.Pending) (notify.Message, error) {
	id := cmp.Or(event.EventID, "inbox-"+strconv.FormatInt(event.Inbox, 10))
	m, err := n.write(event.Type, id, event.Body)
	if err != nil {
		return notify.Message{}, err
	}
	if m.At.IsZero() {
		// When this was asked for first, which is a moment after the event and,
		// unlike the clock, the same on every try.
		m.At = activity.GetInfo(ctx).ScheduledTime
	}
	if n.link != nil && m.RewardID != 0 {
		m.Link = n.link(m.RewardID)
	}
	return m, nil
}
