// Package notify tells people what happened. It declares the port of the
// channels and writes the words; the channels (notify/slack, notify/webhook,
// notify/log) are its adapters and run the suite in notify/notifytest.
//
// The activities import this package, so it reaches nothing outside: an
// adapter may import net/http or log/slog, and this package may not.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// ErrGone is the cause of an error that says that the other side wants no
// message any more: the channel is disabled until its configuration changes.
var ErrGone = errors.New("the other side wants no message any more")

// Notifier is one channel. It is safe for concurrent use.
type Notifier interface {
	// Name is the configured name of the channel.
	Name() string
	// Notify makes one try, with no retries of its own, and returns nil when the
	// other side has the message. Its errors are faults, and say what another
	// try is worth:
	//   - Invalid, NotFound, Conflict, Denied: none, until a person changed
	//     something;
	//   - Throttled: after RetryAfter;
	//   - Unavailable: the message certainly did not arrive;
	//   - Ambiguous: it may have arrived. Unlike a payout it may be said again
	//     all the same: a notification is delivered at least once, and its Key
	//     lets a receiver drop the second one.
	// An error that wraps ErrGone disables the channel. An error holds no URL, no
	// secret and no personal data.
	Notify(ctx context.Context, m Message) error
}

// Message is what people, or the team's own service, are told about one event.
type Message struct {
	// Key names the message and is the same on every try: "<type>-<event ID>".
	// It holds no full stop.
	Key string
	// Type is the type of the event.
	Type string
	// Title is one short line, Text a sentence or two, or what an operator's
	// template makes of the event, in several lines. Neither holds personal data
	// unless such a template puts it there.
	Title string
	Text  string
	// HTML is a whole document from an operator's template, for channels that
	// show HTML; empty for the channel's own.
	HTML string
	// Fields are the particulars, in the order in which people read them.
	Fields []Field
	// NeedsPerson says that nothing goes on before somebody does something.
	NeedsPerson bool
	// RewardID is the reward that it is about; zero when it is about none.
	RewardID reward.ID
	// Link leads to the reward in the console; empty for none.
	Link string
	// At is when it happened; zero when that is not known.
	At time.Time
	// Event is the stored event as a JSON object, for a receiver that is a
	// program; nil for none. It may hold personal data.
	Event json.RawMessage
}

// Field is one particular of a message, on one line.
type Field struct {
	Label string
	Value string
	// Personal marks personal data, an e-mail address for one, which channels
	// that keep what they are told leave out.
	Personal bool
}
