package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Unstored counts deliveries that were answered and not stored: refused ones,
// and those that the inbox could not commit. They are counted by the hour and by
// a closed set of reasons, so that nobody can make the record grow: it holds no
// body, no address and no credential.
type Unstored struct {
	// Hour is the beginning of the hour, in UTC.
	Hour   time.Time
	Answer int
	Reason UnstoredReason
	// Type is the event type, where it was read and is known; else UnknownType,
	// or UnreadType.
	Type string
	// RewardID is set where the event asks for a reward and named it.
	RewardID reward.ID
	Count    int
	FirstAt  time.Time
	LastAt   time.Time
}

// What stands for an event type that is not one of the known ones.
const (
	// UnknownType was read, and is not known.
	UnknownType = "unknown"
	// UnreadType was never read: the sender was not who it should be, or the body
	// was no event.
	UnreadType = "unread"
)

// UnstoredReason is why a delivery was not stored. The set is closed.
type UnstoredReason string

// The reasons.
const (
	// ReasonUnauthenticated had a wrong secret or wrong basic auth.
	ReasonUnauthenticated UnstoredReason = "unauthenticated"
	// ReasonCrossOrigin came from a browser, for a page of another origin.
	ReasonCrossOrigin UnstoredReason = "cross_origin"
	// ReasonTooLarge was longer than a body may be.
	ReasonTooLarge UnstoredReason = "body_too_large"
	// ReasonBrokenOff did not arrive whole.
	ReasonBrokenOff UnstoredReason = "body_broke_off"
	// ReasonNotJSON was not one JSON object.
	ReasonNotJSON UnstoredReason = "not_json"
	// ReasonNoType had no usable event.type.
	ReasonNoType UnstoredReason = "no_event_type"
	// ReasonNoRewardID was a fulfilment_pending without a usable data.id.
	ReasonNoRewardID UnstoredReason = "no_reward_id"
	// ReasonUnusable was refused for another reason of its own.
	ReasonUnusable UnstoredReason = "unusable"
	// ReasonNotStored could not be committed: FirstPromoter is to send it again.
	ReasonNotStored UnstoredReason = "not_stored"
	// ReasonOurs could not be committed either, and its reward is in the ledger
	// already: nothing is lost, and it was answered as taken in.
	ReasonOurs UnstoredReason = "already_ours"
)

// UnstoredReasons returns all reasons.
func UnstoredReasons() []UnstoredReason {
	return []UnstoredReason{
		ReasonUnauthenticated, ReasonCrossOrigin, ReasonTooLarge, ReasonBrokenOff, ReasonNotJSON,
		ReasonNoType, ReasonNoRewardID, ReasonUnusable, ReasonNotStored, ReasonOurs,
	}
}

// Failed reports whether FirstPromoter counts the answer as an error.
func (u Unstored) Failed() bool { return u.Answer < 200 || u.Answer > 299 }

// FirstPromoter sends a fulfilment_pending event again after an error, up to 7
// times "throughout the day", and then marks the reward with has_issues:
// https://docs.firstpromoter.com (webhooks, deliveries). When its day begins is
// not said, so a day here is the last 24 hours.
const (
	// RetryBudget is how many errors a day has.
	RetryBudget = 7
	// RetryBudgetLow is from how many on people are told.
	RetryBudgetLow = 4
	// RetryDay is how long an error counts.
	RetryDay = 24 * time.Hour
)

// RetryBudgetNotice is the type of the internal event that tells people of a
// budget that is running out.
const RetryBudgetNotice = "reward_retry_budget"

// Budget is how much of a reward's retry budget our answers have spent.
type Budget struct {
	RewardID reward.ID
	// Spent counts the errors of the last day.
	Spent int
	// LastError is when the last of them was answered; zero when there is none.
	LastError time.Time
	// Open says that no delivery was stored since: FirstPromoter is going to send
	// the event again, and the next error counts.
	Open bool
}

// UnstoredLog counts what was not stored.
type UnstoredLog interface {
	// AddUnstored adds counts. For a reward whose budget is open and has fallen
	// to RetryBudgetLow it makes the internal event RetryBudgetNotice, once a
	// day. What is older than UnstoredKept is dropped.
	AddUnstored(ctx context.Context, counts []Unstored) error
	// ListUnstored returns counts, the newest hour first. Of the filter it heeds
	// type, answer, from, to and limit.
	ListUnstored(ctx context.Context, f LogFilter) ([]Unstored, error)
	// RetryBudget returns what is spent of a reward's budget; nothing for a
	// reward that it does not know.
	RetryBudget(ctx context.Context, id reward.ID) (Budget, error)
	// OpenBudgets returns the open budgets, at most n, the most spent first.
	OpenBudgets(ctx context.Context, n int) ([]Budget, error)
}

// UnstoredKept is how long counts are kept.
const UnstoredKept = 90 * 24 * time.Hour
