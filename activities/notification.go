package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.temporal.io/sdk/activity"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Events is the part of the inbox that notifications are written from.
type Events interface {
	// Event returns an accepted event as it was stored, or fault.NotFound.
	Event(ctx context.Context, inbox int64) (ledger.Pending, error)
}

// NotificationDeps are the ports that notifications act through.
type NotificationDeps struct {
	Events Events
	// Channels are the configured channels by name; there may be none.
	Channels map[string]notify.Notifier
	// Link returns where people see a reward; nil for messages without a link.
	Link func(id reward.ID) string
}

// Notifications holds what the worker shares among the activities of
// notifications. Its exported methods are activities, and nothing else.
type Notifications struct {
	events   Events
	channels map[string]notify.Notifier
	link     func(id reward.ID) string
}

// NewNotifications returns the activities. It fails when a port is missing.
func NewNotifications(deps NotificationDeps) (*Notifications, error) {
	if deps.Events == nil {
		return nil, errors.New("activities: notifications need the inbox's events")
	}
	return &Notifications{events: deps.Events, channels: deps.Channels, link: deps.Link}, nil
}

// NotifyInput names what to tell, and where. What is told is in the ledger:
// personal data never enters a history.
type NotifyInput struct {
	Inbox   int64  `json:"inbox"`
	Channel string `json:"channel"`
}

// Notify tells one channel about one event.
//
// It may tell it again: a try whose answer was lost is repeated, with the same
// key and the same words. So a channel hears of an event at least once, where a
// payout would wait for a look-up.
func (n *Notifications) Notify(ctx context.Context, in NotifyInput) error {
	channel, ok := n.channels[in.Channel]
	if !ok {
		return asTemporal(fault.New(fault.Invalid, "notify",
			fmt.Sprintf("no notification channel %q is configured any more", in.Channel)))
	}
	event, err := n.events.Event(ctx, in.Inbox)
	if err != nil {
		return asTemporal(err)
	}
	message, err := n.message(ctx, event, in.Inbox)
	if err != nil {
		return asTemporal(err)
	}
	if err := channel.Notify(ctx, message); err != nil {
		return asTemporal(err)
	}
	activity.GetLogger(ctx).Info("notification.sent", "type", message.Type, "key", message.Key, "channel", in.Channel)
	return nil
}

// message writes the same message on every try.
func (n *Notifications) message(ctx context.Context, event ledger.Pending, inbox int64) (notify.Message, error) {
	id := cmp.Or(event.EventID, "inbox-"+strconv.FormatInt(inbox, 10))
	m, err := notify.Render(event.Type, id, event.Body)
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
