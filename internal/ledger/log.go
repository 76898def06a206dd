package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Logged is one event of the inbox, as the delivery log shows it.
type Logged struct {
	Inbox   int64
	Type    string
	EventID string
	// RewardID is the reward that a fulfilment_pending event asks for, else zero.
	RewardID reward.ID
	// Known is false for an event of an unknown type: it is stored and nothing
	// else.
	Known bool
	// Internal says that rewardflow made the event itself, to tell people of a
	// reward. Nobody delivered it, and nobody was answered.
	Internal   bool
	AcceptedAt time.Time
	// Deliveries is how often the event was delivered; Answer and AnsweredAt are
	// those of the last delivery, zero for an internal event.
	Deliveries int
	Answer     int
	AnsweredAt time.Time
	// DispatchedAt is when the event went to its workflow; zero while it waits,
	// and for an event of an unknown type. WorkflowID is empty when nothing had
	// to be started.
	DispatchedAt time.Time
	WorkflowID   string
	// Tries counts how often the event was taken up to be dispatched; Trouble is
	// what went wrong last, in words.
	Tries   int
	Trouble string
}

// LoggedFile is one event with everything that the log holds of it.
type LoggedFile struct {
	Logged

	// Body is the JSON of the event's allowed fields. It may hold personal data.
	Body    []byte
	Answers []Answered
	Replays []Replay
}

// Answered is one delivery of an event, and its answer.
type Answered struct {
	At        time.Time
	Answer    int
	Duplicate bool
}

// LogFilter selects events. Zero fields select everything.
type LogFilter struct {
	// Type is an event type in its canonical spelling.
	Type string
	// Answer selects events that were answered with this status at least once.
	Answer int
	// From and To bound when the event was accepted: from From on, before To.
	From, To time.Time
	// Before is a cursor: only events that are older than this one, in the log's
	// order (newest first by accepted time, then by inbox row).
	Before LogCursor
	// Limit is at most 500; zero means 50.
	Limit int
}

// LogCursor is a place in the log. The zero value is the start.
type LogCursor struct {
	AcceptedAt time.Time
	Inbox      int64
}

// Log reads the delivery log.
type Log interface {
	// ListEvents returns events, newest first.
	ListEvents(ctx context.Context, f LogFilter) ([]Logged, error)
	// EventFile returns one event with its answers and replays, oldest first, or
	// fault.NotFound.
	EventFile(ctx context.Context, inbox int64) (LoggedFile, error)
}

// Order is a person's wish to have events dispatched again.
type Order struct {
	// By is who asked; Verified says that the name is proven.
	By       string
	Verified bool
	// Again tells people even where they were told before.
	Again bool
}

// ReplayState says what became of the wish to replay one event.
type ReplayState string

// The states of a wish.
const (
	// ReplayQueued is going to be dispatched again.
	ReplayQueued ReplayState = "queued"
	// ReplayWaiting waits to be dispatched already, for the first time or again:
	// nothing was added.
	ReplayWaiting ReplayState = "waiting"
	// ReplayEnded asks for a reward that has ended: there is nothing to start.
	ReplayEnded ReplayState = "ended"
	// ReplayStoredOnly is of an unknown type: nothing acts on it.
	ReplayStoredOnly ReplayState = "stored_only"
)

// ReplayStates returns all states.
func ReplayStates() []ReplayState {
	return []ReplayState{ReplayQueued, ReplayWaiting, ReplayEnded, ReplayStoredOnly}
}

// ReplayRange selects the events of a replay: those that were accepted from
// From on and before To, of one type or, when it is empty, of all.
type ReplayRange struct {
	Type     string
	From, To time.Time
	// Max bounds how many events a range may hold.
	Max int
}

// Replay is one recorded wish and what became of it.
type Replay struct {
	ID       int64
	At       time.Time
	By       string
	Verified bool
	Again    bool
	// DoneAt is when it was dispatched; zero while it waits.
	DoneAt time.Time
	// Outcome says in words what the dispatch did; empty before.
	Outcome string
	// WorkflowID is what was started; empty when nothing was.
	WorkflowID string
}

// Replayable is a wish that this process leased in order to fulfil it.
type Replayable struct {
	Replay int64
	Event  Pending
	// Again tells people even where they were told before.
	Again bool
	// WorkflowBefore is the workflow that the event went to last; empty when it
	// never needed one.
	WorkflowBefore string
	// Tries counts earlier leases.
	Tries int
}

// Replays is the queue of events that people want to be dispatched again. It
// stands beside the inbox, so that what is new never waits for what is old.
type Replays interface {
	// Replay queues one event, and records who asked. An event that waits
	// already, for the first time or again, is left as it is, so the same wish
	// twice is one. It returns fault.NotFound when there is no such event.
	Replay(ctx context.Context, inbox int64, o Order) (ReplayState, error)
	// ReplayRange queues all events of a range in one commit, and counts them by
	// state. It returns fault.Invalid, and queues nothing, when the range holds
	// more than its maximum. With dryRun it only counts.
	ReplayRange(ctx context.Context, r ReplayRange, o Order, dryRun bool) (map[ReplayState]int, error)
	// LeaseReplays takes at most n queued replays, oldest first, that nobody
	// holds a lease on, and leases them to owner for ttl.
	LeaseReplays(ctx context.Context, owner string, n int, ttl time.Duration) ([]Replayable, error)
	// FinishReplay records what the dispatch did. What a replay says first stays.
	FinishReplay(ctx context.Context, replay int64, workflowID, outcome string) error
	// PostponeReplay gives a leased replay back, to be leased again after the pause.
	PostponeReplay(ctx context.Context, replay int64, after time.Duration) error
}
