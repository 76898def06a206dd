package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

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
	// Facts are what the rule was chosen by, as JSON; empty before.
	Facts string
	// Approvals is how many approvals the policy asked for, of people who hold
	// Role (any role when empty).
	Approvals int
	Role      string
	// Excluded are people who may not decide, whatever they hold.
	Excluded []string
	Waits    Waits
	// HoldUntil is when a policy's hold ends; zero when it does not by itself.
	HoldUntil time.Time
	// NextTimer is when the workflow does something by itself; zero if never.
	NextTimer  time.Time
	ReceivedAt time.Time
	UpdatedAt  time.Time
	Closing    CloseState
	// Payout is the state of the payout's row, and PaidBy its provider; empty
	// when there is none.
	Payout payout.State
	PaidBy string
}

// With returns the record as the assessment leaves it.
func (r Record) With(a Assessment) Record {
	r.Reward, r.Verified, r.Status, r.Reason = a.Reward, a.Verified, a.Status, a.Reason
	r.Provider, r.Digest, r.PolicyVersion, r.Rule, r.Facts = a.Provider, a.Digest, a.PolicyVersion, a.Rule, a.Facts
	r.Approvals, r.Role, r.Excluded, r.Waits = a.Approvals, a.Role, a.Excluded, a.Waits
	r.HoldUntil, r.NextTimer = a.HoldUntil.Truncate(time.Millisecond), a.NextTimer.Truncate(time.Millisecond)
	return r
}

// Excludes reports whether the policy keeps somebody from deciding.
func (r Record) Excludes(person string) bool {
	return slices.ContainsFunc(r.Excluded, func(name string) bool { return SamePerson(name, person) })
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
	// Facts are what the rule was chosen by, as JSON.
	Facts     string
	Approvals int
	Role      string
	Excluded  []string
	Waits     Waits
	HoldUntil time.Time
	// NextTimer is when the workflow does something by itself; zero if never.
	NextTimer time.Time
}

// Waits say how long a rule waits for people before it reminds them, tells
// more people, and holds. Zero is the configuration's own time.
type Waits struct {
	RemindAfter   time.Duration `json:"remind_after,omitempty"`
	EscalateAfter time.Duration `json:"escalate_after,omitempty"`
	HoldAfter     time.Duration `json:"hold_after,omitempty"`
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
	// Search selects by a number or text that a person typed: the reward's ID,
	// the promoter's ID, or the promoter's cust_id, in full.
	Search string
	// SearchAlso is how else the ledger may hold Search as a cust_id; an adapter
	// that encrypts it fills it in.
	SearchAlso string
	// Asked selects rewards about which people are still asked; nil selects all.
	Asked *Asked
	// Before is a cursor: only rewards that are older than this one, in the
	// list's order (newest first by received time, then by ID).
	Before Cursor
	// UpdatedBefore selects rewards that did not change since; zero selects all.
	UpdatedBefore time.Time
	// LeftTo leaves out rewards that are no more than received, and whose event
	// waits to be dispatched: by anybody, or by the process of this name, which
	// has leased it. What another process leased may be left by it. Empty leaves
	// out none.
	LeftTo string
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

// PaidTotal sums what was paid in one unit and currency: all of it, or what was
// paid in a span of time.
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
	// PaidBetween sums what was paid from a moment on and before another, and is
	// still paid.
	PaidBetween(ctx context.Context, from, to time.Time) ([]PaidTotal, error)
}
