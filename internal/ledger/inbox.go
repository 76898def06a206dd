package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Event is one accepted delivery, reduced to its allowed fields.
type Event struct {
	// Type is the event's type in its canonical spelling.
	Type string
	// Dedupe is unique among events of the type: the same event delivered
	// again has the same value.
	Dedupe string
	// EventID is what the workflow ID is made from; empty for internal use only.
	EventID string
	// Subject is what the event is about: notifications about one subject are
	// told in the order of the inbox. Empty for an event that waits for nothing.
	Subject string
	// Reward is set for a fulfilment_pending event.
	Reward *Claimed
	// Body is the JSON of the allowed fields.
	Body []byte
	// Traceparent is the W3C trace context of the delivery; may be empty.
	Traceparent string
	// Dispatch is false for an event that is stored and nothing else.
	Dispatch bool
	// Delivery names this delivery among all: it is recorded once, however
	// often it is committed. Empty names nothing.
	Delivery string
}

// Spooled is an event that was answered 202 while the inbox could not commit.
type Spooled struct {
	Event Event
	// At is when it was answered.
	At time.Time
}

// Claimed is what an event claims about a reward. It is a hint until it was
// compared with FirstPromoter.
type Claimed struct {
	Reward reward.Reward
	// Defect says why the claim cannot be a payable reward (a fractional
	// amount, say); empty if it can.
	Defect string
}

// Receipt is what Accept committed.
type Receipt struct {
	Inbox int64
	// Duplicate says that the same event had been accepted before.
	Duplicate bool
	// ClosedByAnswer says that the reward is paid and that its close is
	// claimed for the answer: the caller answers 200, and nobody else closes.
	ClosedByAnswer bool
}

// Taken is what became of a delivery, for whoever answers it. After an error it
// holds what the body said, as far as it could be read.
type Taken struct {
	// Type is the canonical event type, Known whether it is one of the known
	// ones; empty when the body could not be read.
	Type  string
	Known bool
	// RewardID is what a fulfilment_pending event asks for, else zero.
	RewardID reward.ID
	// Fulfilled says that the answer closes the reward: only then is it 200.
	Fulfilled  bool
	WorkflowID string
	// Reason is why nothing was stored; empty when the delivery was. Without an
	// error it is ReasonOurs.
	Reason UnstoredReason
}

// Pending is an inbox row that this process leased in order to dispatch it.
type Pending struct {
	Inbox       int64
	Type        string
	EventID     string
	RewardID    reward.ID // Zero for everything but fulfilment_pending.
	Body        []byte
	Traceparent string
	// Tries counts earlier leases of this row.
	Tries int
}

// Dispatched says which workflow carries an event. An empty WorkflowID says
// that nothing had to be started.
type Dispatched struct {
	Inbox      int64
	WorkflowID string
	// Channels are the names of the notification channels that are told.
	Channels []string
}

// MaxDepth is how far InboxDepth counts: the number itself says "or more".
const MaxDepth = 100_000

// LongestPause bounds how long a row that was postponed waits.
const LongestPause = time.Minute

// Inbox is the durable table of accepted events.
type Inbox interface {
	// Accept commits an event and its delivery. Concurrent calls share one
	// commit. For a reward that is new it creates the reward's row with status
	// received. closeByAnswerAfter is how long a paid reward must have waited
	// for the API before the answer may close it (see Closing).
	Accept(ctx context.Context, ev Event, closeByAnswerAfter time.Duration) (Receipt, error)
	// Fold commits spooled events with their own times, all of them or none. An
	// event or a delivery that was committed before changes nothing, so that
	// whoever does not know may fold again. It never claims a close, because
	// the answer was given; and an event of a reward that was delivered again
	// since claims nothing new.
	Fold(ctx context.Context, events []Spooled) error
	// Announce commits an event of our own, which nobody delivered, and reports
	// whether it was new: of all processes that announce the same, one does.
	Announce(ctx context.Context, ev Event) (bool, error)
	// Lease takes at most n undispatched rows, oldest first, that nobody holds
	// a lease on, and leases them to owner for ttl. A lease that ends later
	// than ttl and LongestPause from now was taken under a clock that was
	// stepped back since, and so was a pause that is longer than twice
	// LongestPause: they count as over.
	Lease(ctx context.Context, owner string, n int, ttl time.Duration) ([]Pending, error)
	// MarkDispatched records where leased rows went, and who is told of them.
	MarkDispatched(ctx context.Context, rows []Dispatched) error
	// Postpone gives a leased row back, to be leased again after the pause,
	// LongestPause at most, and keeps the words of what went wrong.
	Postpone(ctx context.Context, inbox int64, after time.Duration, reason string) error
	// Event returns an accepted event as it was stored, or fault.NotFound.
	Event(ctx context.Context, inbox int64) (Pending, error)
	// InboxDepth returns how many rows wait to be dispatched, and since when
	// the oldest does; the zero time when none waits. It counts no further than
	// MaxDepth, so that it stays quick however many wait.
	InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error)
}
