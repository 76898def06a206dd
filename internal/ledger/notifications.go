package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// RewardSubject is the subject of every event about a reward.
func RewardSubject(id reward.ID) string { return "reward-" + id.String() }

// NotificationState says how the telling of one message to one channel ended.
// Its text is stored, so a value never changes.
type NotificationState string

// The states. Every message begins as open, and ends once, unless somebody has
// the event replayed.
const (
	// NotificationOpen has not ended: it is being tried, or will be.
	NotificationOpen NotificationState = ""
	// NotificationTold says that the channel has the message.
	NotificationTold NotificationState = "told"
	// NotificationGivenUp says that it is not tried any more.
	NotificationGivenUp NotificationState = "given_up"
)

// NotificationQuery asks about the message of one event to one channel.
type NotificationQuery struct {
	Inbox   int64
	Channel string
	// Events are the types of event that the channel is told of. An earlier
	// event that was not dispatched yet comes before this one if it is of one of
	// them; of those that were dispatched it is known who is told.
	Events []string
	// Fingerprint names the channel's configuration; see DisabledChannel.
	Fingerprint string
	// OpenSince is when the oldest message that may still be tried was
	// dispatched. What is older and still open was terminated, and is not waited
	// for.
	OpenSince time.Time
}

// Notification is where the message of one event to one channel stands.
type Notification struct {
	Event Pending
	State NotificationState
	// Reason says why it was given up; empty otherwise.
	Reason string
	// Before is the inbox row of the first message about the same subject that
	// the channel is told before this one; zero when none is open.
	Before int64
	// Disabled says since when, and why, the channel takes nothing; the zero
	// value when it takes messages.
	Disabled DisabledChannel
}

// NotificationEnd ends the telling of one message to one channel.
type NotificationEnd struct {
	Inbox   int64
	Channel string
	// State is NotificationTold or NotificationGivenUp.
	State NotificationState
	// Reason says why it was given up, without personal data.
	Reason string
}

// DisabledChannel is a channel whose other side wants no message any more. It
// stays disabled until its configuration changes.
type DisabledChannel struct {
	// Fingerprint is a digest of what leads to the other side, secrets included:
	// with another configuration it is another one, and nothing can be read from
	// it. It is the record's key.
	Fingerprint string
	// Channel is the name that the channel had.
	Channel string
	// Reason says in words what the other side answered.
	Reason string
	At     time.Time
}

// OpenNotification is an event of which some channels were not told yet.
type OpenNotification struct {
	Inbox       int64
	Type        string
	EventID     string
	Traceparent string
	// Channels are the names of those channels.
	Channels []string
}

// Notifications is the record of what notification channels were told.
type Notifications interface {
	// Notification returns where a message stands, or fault.NotFound when the
	// inbox has no such event.
	Notification(ctx context.Context, q NotificationQuery) (Notification, error)
	// EndNotification records how a message ended. What was recorded first
	// stays; fault.NotFound says that the inbox has no such event.
	EndNotification(ctx context.Context, end NotificationEnd) error
	// ReopenNotifications has channels told again that were told of an event, or
	// for which it was given up: somebody asked for it. Others stay as they are.
	ReopenNotifications(ctx context.Context, inbox int64, channels []string) error
	// OpenNotifications returns at most n events, oldest first and after an inbox
	// row, that were dispatched within a span of time, from a moment on and before
	// another, and have not ended on every channel.
	OpenNotifications(ctx context.Context, from, to time.Time, after int64, n int) ([]OpenNotification, error)
	// DisableChannel records that a channel takes nothing more. At is ignored.
	// What was recorded first stays.
	DisableChannel(ctx context.Context, d DisabledChannel) error
	// DisabledChannels returns every channel that was ever disabled, oldest
	// first. Whether one of them is still configured only its fingerprint tells.
	DisabledChannels(ctx context.Context) ([]DisabledChannel, error)
}
