// Package ledger is the durable record of every event, reward, decision,
// payout attempt and outcome, and it holds the fences that keep a reward from
// being paid or closed twice.
//
// The record outlives Temporal's retention, and Temporal's database can be
// rebuilt from it. This package declares the record and its contract; the
// adapters (ledger/sqlite) implement it and run the suite in ledger/ledgertest.
//
// Every method is safe for concurrent use, by several processes on one
// database. A method either commits everything that it says, before it
// returns, or returns an error and has changed nothing; an error of kind
// fault.Ambiguous says that the commit itself may or may not have happened.
// All times are stored in UTC with millisecond precision.
package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Ledger is everything that an adapter provides. Consumers declare the small
// part that they use.
type Ledger interface {
	Inbox
	Rewards
	Decisions
	Payouts
	Closing
	Brake
	// Ping reports whether the inbox can commit, by a write that leaves no trace.
	Ping(ctx context.Context) error
	Close() error
}

// ---------------------------------------------------------------- inbox

// Event is one accepted delivery, reduced to its allowed fields.
type Event struct {
	// Type is the event's type in its canonical spelling.
	Type string
	// Dedupe is unique among events of the type: the same event delivered
	// again has the same value.
	Dedupe string
	// EventID is what the workflow ID is made from; empty for internal use only.
	EventID string
	// Reward is set for a fulfilment_pending event.
	Reward *Claimed
	// Body is the JSON of the allowed fields.
	Body []byte
	// Traceparent is the W3C trace context of the delivery; may be empty.
	Traceparent string
	// Dispatch is false for an event that is stored and nothing else.
	Dispatch bool
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
}

// Inbox is the durable table of accepted events.
type Inbox interface {
	// Accept commits an event and its delivery. Concurrent calls share one
	// commit. For a reward that is new it creates the reward's row with status
	// received. closeByAnswerAfter is how long a paid reward must have waited
	// for the API before the answer may close it (see Closing).
	Accept(ctx context.Context, ev Event, closeByAnswerAfter time.Duration) (Receipt, error)
	// Lease takes at most n undispatched rows, oldest first, that nobody holds
	// a lease on, and leases them to owner for ttl.
	Lease(ctx context.Context, owner string, n int, ttl time.Duration) ([]Pending, error)
	// MarkDispatched records where leased rows went.
	MarkDispatched(ctx context.Context, rows []Dispatched) error
	// Postpone gives a leased row back, to be leased again after the pause,
	// and keeps the words of what went wrong.
	Postpone(ctx context.Context, inbox int64, after time.Duration, reason string) error
	// Event returns an accepted event as it was stored, or fault.NotFound.
	Event(ctx context.Context, inbox int64) (Pending, error)
	// InboxDepth returns how many rows wait to be dispatched, and since when
	// the oldest does; the zero time when none waits.
	InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error)
}

// ---------------------------------------------------------------- rewards

// Record is the row of one reward.
type Record struct {
	Reward reward.Reward
	// Defect is the newest claim's defect; empty when it has none.
	Defect string
	// Verified says that Reward was compared with FirstPromoter and holds
	// FirstPromoter's own values. Before that it holds the newest event's claim.
	Verified bool
	Status   reward.Status
	// Reason says in words why the reward has its status.
	Reason string
	// Provider is the configured provider that the route chose; empty before.
	Provider string
	Digest   reward.Digest
	// PolicyVersion and Rule name the rule that decided; empty before.
	PolicyVersion string
	Rule          string
	// Approvals is how many approvals the policy asked for, of people who hold
	// Role (any role when empty).
	Approvals int
	Role      string
	// HoldUntil is when a policy's hold ends; zero when it does not by itself.
	HoldUntil time.Time
	// NextTimer is when the workflow does something by itself; zero if never.
	NextTimer  time.Time
	ReceivedAt time.Time
	UpdatedAt  time.Time
	Closing    CloseState
}

// Assessment is what verify and decide found. Record writes all of it at once.
type Assessment struct {
	// Reward holds FirstPromoter's own values when Verified, with the currency
	// of the route.
	Reward        reward.Reward
	Verified      bool
	Status        reward.Status
	Reason        string
	Provider      string
	Digest        reward.Digest
	PolicyVersion string
	Rule          string
	Approvals     int
	Role          string
	HoldUntil     time.Time
}

// Change is one entry of a reward's append-only history.
type Change struct {
	At     time.Time
	From   reward.Status
	To     reward.Status
	Reason string
	// Actor is who or what did it: "verify", "policy", "provider billing", a person.
	Actor string
}

// Transition asks for a new status.
type Transition struct {
	ID     reward.ID
	To     reward.Status
	Reason string
	Actor  string
	// NextTimer is when the workflow does something by itself; zero if never.
	NextTimer time.Time
	// Notify is the type of the internal event to put into the inbox in the
	// same transaction, "reward_attention" for one; empty for none.
	Notify string
}

// Filter selects rewards. Zero fields select everything.
type Filter struct {
	Statuses []reward.Status
	Promoter int64
	Unit     reward.Unit
	// Before is a cursor: only rewards that are older than this one, in the
	// list's order (newest first by received time, then by ID).
	Before Cursor
	// UpdatedBefore selects rewards that did not change since; zero selects all.
	UpdatedBefore time.Time
	// Limit is at most 500; zero means 50.
	Limit int
}

// Cursor is a place in the list of rewards. The zero value is the start.
type Cursor struct {
	ReceivedAt time.Time
	ID         reward.ID
}

// Delivery is one event as it came in, and what was answered.
type Delivery struct {
	At           time.Time
	Type         string
	EventID      string
	Answer       int
	Duplicate    bool
	WorkflowID   string
	DispatchedAt time.Time // Zero while it waits.
}

// Total counts the rewards with one status.
type Total struct {
	Status reward.Status
	Count  int
	// Oldest is when the oldest of them got this status.
	Oldest time.Time
}

// PaidTotal sums what was paid in one unit and currency.
type PaidTotal struct {
	Unit     reward.Unit
	Currency string
	Count    int
	Amount   int64
}

// Rewards reads and moves the rows of rewards.
//
// A method that names a reward that is not there returns fault.NotFound.
type Rewards interface {
	Reward(ctx context.Context, id reward.ID) (Record, error)
	ListRewards(ctx context.Context, f Filter) ([]Record, error)
	// LatestClaim returns what the newest event said about the reward.
	LatestClaim(ctx context.Context, id reward.ID) (Claimed, error)
	// Assess writes the result of verify and decide. A reward whose payout row
	// exists, or whose status is final, is not assessed again: fault.Conflict.
	Assess(ctx context.Context, a Assessment, actor string) error
	// Move writes a new status and its reason, and appends to the history. A
	// final status is never left: fault.Conflict. Moving to the same status
	// with the same reason changes nothing but NextTimer.
	Move(ctx context.Context, t Transition) error
	// Changes returns the reward's history, oldest first.
	Changes(ctx context.Context, id reward.ID) ([]Change, error)
	// Deliveries returns the reward's deliveries, oldest first.
	Deliveries(ctx context.Context, id reward.ID) ([]Delivery, error)
	Summary(ctx context.Context) ([]Total, []PaidTotal, error)
}

// ---------------------------------------------------------------- decisions

// Recorded is a decision as the ledger holds it.
type Recorded struct {
	reward.Decision
	// Counted says that it was accepted when it came in. It counts for as long
	// as its digest is the reward's current one.
	Counted bool
	// Refusal says in words why it was not accepted; empty when it was.
	Refusal string
}

// Tally is where the approval of a reward stands.
type Tally struct {
	// Decision is the decision that was recorded, as the ledger holds it.
	Decision Recorded
	// Repeated says that it had been recorded before.
	Repeated bool
	// Approvals counts approvals under the current digest.
	Approvals int
	Needed    int
	// Approved and Rejected say that the decisions settle the matter.
	Approved bool
	Rejected bool
}

// Decisions records what people decided.
type Decisions interface {
	// Decide records a decision, refused ones too, and is the one authoriser of
	// every lane. In one transaction it checks, in this order, that
	//   - the ID is new (else the recorded decision is returned, Repeated),
	//   - the reward waits for approval or is held by time (else refused:
	//     the refusal names the status, or who decided and when),
	//   - an unverified decision is accepted only with acceptUnverified,
	//   - a verified one holds the role that the policy asked for ("admin" is
	//     not a substitute), or any of approver and finance when it asked for none,
	//   - the digest is the current one (an unverified decision may leave it out),
	//   - the person has not decided under this digest before.
	// A refused decision is committed and returned with Counted false; it is
	// not an error.
	Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (Tally, error)
	// TallyOf returns where the approval stands now, without a new decision.
	TallyOf(ctx context.Context, id reward.ID) (Tally, error)
	// DecisionsOf returns the reward's decisions, oldest first.
	DecisionsOf(ctx context.Context, id reward.ID) ([]Recorded, error)
	// Undelivered returns counted decisions that the workflow has not heard of,
	// made before the given time, oldest first, at most n.
	Undelivered(ctx context.Context, before time.Time, n int) ([]Recorded, error)
	// MarkDelivered records that the workflow heard of a decision.
	MarkDelivered(ctx context.Context, decisionID string) error
	// RecordResolution commits a person's instruction before the workflow hears
	// of it. A repeated ID changes nothing.
	RecordResolution(ctx context.Context, r reward.Resolution) error
	// Resolution returns a recorded instruction, or fault.NotFound.
	Resolution(ctx context.Context, id string) (reward.Resolution, error)
	// ResolutionsOf returns the reward's instructions, oldest first.
	ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error)
}

// ---------------------------------------------------------------- payouts

// Payout is the row of one payout, unique by reward ID.
type Payout struct {
	RewardID   reward.ID
	Generation int
	Provider   string
	Quantity   reward.Quantity
	Request    payout.Request
	State      payout.State
	// Fence rises with every claim. Whoever holds an older one changes nothing.
	Fence     int64
	Reference string
	// Detail is the words of the newest outcome.
	Detail     string
	ReservedAt time.Time
	// FirstSentAt is when the first attempt of this generation was claimed;
	// zero while it never was.
	FirstSentAt time.Time
	UpdatedAt   time.Time
	PaidAt      time.Time
	// Doubt says whether this generation was sent before with an outcome that
	// nobody learned.
	Doubt Doubt
}

// Doubt is what is known about earlier sends of a payout that may be sent again.
type Doubt string

// The doubts.
const (
	// DoubtNone: every earlier send was proven not to have been done.
	DoubtNone Doubt = ""
	// DoubtAbsent: the outcome of an earlier send was not learned, and a
	// look-up said with authority that it was not done.
	DoubtAbsent Doubt = "absent"
	// DoubtBlind: the outcome of an earlier send was not learned, and no
	// look-up could tell. Only the provider's memory of the key keeps a send
	// from paying again.
	DoubtBlind Doubt = "blind"
)

// Attempt is one submission of one payout to a provider.
type Attempt struct {
	RewardID   reward.ID
	Generation int
	// Number counts the attempts of all generations from 1. It is the fence.
	Number    int64
	Kind      AttemptKind
	Provider  string
	Key       string
	StartedAt time.Time
	// Deadline is when the attempt's client has surely given up.
	Deadline   time.Time
	FinishedAt time.Time // Zero while it is on the wire, or when its worker died.
	Outcome    string    // A payout.Class of a send, a payout.Answer of a look-up.
	Reference  string
	Detail     string
}

// AttemptKind tells a send from a look-up.
type AttemptKind string

// The kinds of attempt.
const (
	AttemptSend   AttemptKind = "send"
	AttemptLookup AttemptKind = "lookup"
	AttemptByHand AttemptKind = "by_hand"
)

// Reservation is what reserve freezes.
type Reservation struct {
	RewardID reward.ID
	Provider string
	Quantity reward.Quantity
	Request  payout.Request
	// At is the time of reserve, the same that the request was made with.
	At time.Time
}

// Claim is the answer to an attempt to take the fence.
type Claim struct {
	// Taken says that the caller may send, once, as Attempt.
	Taken   bool
	Attempt Attempt
	// Braked says that the brake is on; Reason has its words.
	Braked bool
	Reason string
	// Payout is the row as it stands after the claim.
	Payout Payout
}

// Caps are the limits that the brake enforces. A unit without an entry has no
// cap. Cash is capped under its currency ("USD"), in minor units.
type Caps struct {
	MaxSingle            map[string]int64
	MaxPerDay            map[string]int64
	MaxPerPromoterPerDay map[string]int64
	MaxPerCampaignPerDay map[string]int64
}

// Payouts holds the fence of DESIGN section 5. Its moves obey payout.Next.
//
// A method that names a payout that is not there returns fault.NotFound.
type Payouts interface {
	// Reserve inserts the payout of generation 1, or returns the row that is
	// already there, whatever it holds: what is frozen stays frozen.
	Reserve(ctx context.Context, r Reservation) (Payout, error)
	Payout(ctx context.Context, id reward.ID) (Payout, error)
	// Claim moves reserved to submitting by one fenced statement, in the
	// transaction that checks that the reward's status is not final, the brake
	// and the caps, and commits the attempt's
	// row. A cap counts every payout of the UTC day of now that is or may be
	// paid (all states but reserved-and-never-claimed and refused), this one
	// included. The reward's status becomes paying when the claim is taken.
	// deadline is when the caller's client will surely have given up.
	Claim(ctx context.Context, id reward.ID, caps Caps, now, deadline time.Time) (Claim, error)
	// Finish records what the attempt came to and moves the payout by
	// outcome.Move. It changes the payout only while the attempt's number is
	// the payout's fence and the state is submitting; else it records the
	// attempt and returns the row as it stands. The reward's status follows:
	// paid -> paid, settling -> settling, unknown -> resolving, others stay.
	// While the payout is in blind doubt, an outcome that proves only that this
	// attempt was not done (not sent, refused) proves nothing about the earlier
	// one: the payout becomes unknown.
	Finish(ctx context.Context, a Attempt, out payout.Outcome) (Payout, error)
	// Expire moves submitting to unknown when the newest attempt's deadline has
	// passed at now (its worker died), and returns the row as it stands.
	Expire(ctx context.Context, id reward.ID, now time.Time) (Payout, error)
	// Found records a look-up as an attempt of kind lookup, and moves the payout
	// by finding.Move when it makes one and the table allows it. The fence
	// given is the one that the caller read before looking: if it has moved on,
	// the look-up is recorded and the row is returned as it stands.
	Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (Payout, error)
	// Rearm moves unknown to reserved, so that the same key and the same bytes
	// may be claimed again. The caller has proven that this is allowed: a
	// look-up was recorded under this fence, and the provider's window is open.
	// Without a recorded look-up since the newest send: fault.Conflict. What the
	// newest look-up said becomes the payout's doubt.
	Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (Payout, error)
	// NewGeneration replaces a refused payout by a new reservation with the
	// next generation. Any other state: fault.Conflict. The old generation's
	// frozen request stays readable through its attempts.
	NewGeneration(ctx context.Context, r Reservation, actor string) (Payout, error)
	// PayByHand records a person's word that the reward is paid, with the
	// reference, and moves the payout to paid; a reward without a payout row
	// gets one with provider "by_hand". The reference must be new within the
	// provider: fault.Conflict.
	PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (Payout, error)
	// Attempts returns all attempts of the reward, oldest first.
	Attempts(ctx context.Context, id reward.ID) ([]Attempt, error)
}

// ---------------------------------------------------------------- closing

// Closer is what closes a reward at FirstPromoter. A reward uses one.
type Closer string

// The closers.
const (
	ClosedByNobody Closer = ""
	ClosedByAPI    Closer = "api"
	ClosedByAnswer Closer = "answer"
)

// CloseCall is where the API call that closes a reward stands.
type CloseCall string

// The states of the close call.
const (
	// CallNone: no call was ever made.
	CallNone CloseCall = ""
	// CallOut: a call is on the wire, or its worker died.
	CallOut CloseCall = "calling"
	// CallUnknown: the call may have been done; read back before anything else.
	CallUnknown CloseCall = "unknown"
	// CallNotDone: read back as not done.
	CallNotDone CloseCall = "not_done"
	// CallDone: read back as completed.
	CallDone CloseCall = "done"
)

// CloseState is the close of one reward.
type CloseState struct {
	By   Closer
	Call CloseCall
	// Fence rises with every claim for the API.
	Fence    int64
	Deadline time.Time // When the newest call's client has surely given up.
	PaidAt   time.Time
	ClosedAt time.Time // When it was read back as completed; zero before.
}

// Closing holds the fence of DESIGN section 6. A reward is closed by the API
// or by an answer, never by both.
//
// The answer may claim (inside Inbox.Accept) when the payout is paid, the
// reward's status is not final, closing is not claimed by the answer yet, at
// least closeByAnswerAfter has passed since it was paid, and the call is none
// or not_done. Once the answer has claimed, every later Accept of the reward
// reports ClosedByAnswer again, and the API never claims.
type Closing interface {
	// ClaimClose claims the close for one API call, by one fenced statement:
	// the payout is paid, closing is not claimed by the answer, and the call is
	// none or not_done. It returns the state as it stands and whether the
	// caller may call. The reward's status becomes closing.
	ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (CloseState, bool, error)
	// FinishClose records what the call or its read-back came to. It changes
	// nothing when the fence has moved on. CallDone also ends the reward as
	// fulfilled; with call done after the answer claimed, too.
	FinishClose(ctx context.Context, id reward.ID, fence int64, call CloseCall, detail string) (CloseState, error)
	// ExpireClose moves a call that is out, and whose deadline has passed at
	// now, to unknown.
	ExpireClose(ctx context.Context, id reward.ID, now time.Time) (CloseState, error)
}

// ---------------------------------------------------------------- brake

// AllProviders is the brake's scope that covers every provider.
const AllProviders = "all"

// BrakeState is one switch of the brake.
type BrakeState struct {
	// Scope is AllProviders or the configured name of one provider.
	Scope  string
	Paused bool
	Reason string
	By     string
	At     time.Time
}

// Brake is the switch that stops money from leaving. Claim obeys it.
type Brake interface {
	SetBrake(ctx context.Context, s BrakeState) error
	// Brakes returns every switch that was ever set, AllProviders first.
	Brakes(ctx context.Context) ([]BrakeState, error)
}
