// Package payout is the port to the providers that deliver value, and the
// rules by which a payout moves: its states, the closed set of outcomes of an
// attempt, and what a look-up may conclude.
//
// The adapters are packages below this one; this package imports none of them.
package payout

import (
	"context"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Provider delivers value.
//
// Prepare has no effect outside; Send may have one, at most one per key;
// Lookup has none. An implementation never repeats a call by itself and never
// follows a redirect with credentials.
type Provider interface {
	// Name is the configured name, the one that routes use.
	Name() string
	// Traits say how far the provider can be trusted to recognise a key.
	Traits() Traits
	// Prepare freezes everything that will go on the wire: destination, exact
	// bytes, absolute dates. It may read from the provider. It returns a fault
	// of kind Declined or Invalid when the order can never be sent, with words
	// for the person who must decide.
	Prepare(ctx context.Context, order Order) (Request, error)
	// Send submits the request once, with its key and its very bytes. It
	// returns an outcome whatever happens: what it cannot classify is Unknown.
	Send(ctx context.Context, req Request) Outcome
	// Lookup asks what became of a key. What it cannot tell is CannotTell.
	Lookup(ctx context.Context, req Request) Finding
}

// Caller is a provider that can tell by itself that a payout has changed.
type Caller interface {
	// Heard verifies a callback and returns the key of the payout that it is
	// about: fault.Denied for a callback that the provider did not sign,
	// fault.Invalid for one that cannot be read. What else it claims is not
	// used: a callback hastens a look-up, and decides nothing.
	Heard(header func(name string) string, body []byte) (key string, err error)
}

// Order is what is to be paid.
type Order struct {
	// Key is the idempotency key: at most 63 ASCII characters, made from the
	// reward ID and the generation, never from a random number.
	Key    string
	Reward reward.Reward
	// At is the time of reserve. Every date in the request derives from it.
	At time.Time
}

// Request is a frozen order. It is stored before anything is sent and sent as
// it is stored.
type Request struct {
	Key string
	// Destination says for people where the value goes, without secrets.
	Destination string
	// Body is what goes on the wire, byte for byte. Its format is the
	// adapter's; a request that is not made of bytes stores its parameters.
	Body []byte
	// Reference is the provider's ID of what it made, where it is known already.
	// It is filled in from the ledger for a look-up, is empty for a send, and is
	// no part of what is frozen.
	Reference string
}

// Traits say how a provider treats keys.
type Traits struct {
	// Window is how long the provider recognises a key, counted from the first
	// send. Zero means that it recognises none.
	Window time.Duration
	// Margin is taken off the window: past Window-Margin nothing is sent again.
	Margin time.Duration
	// SettleDelay is how long after a lost answer a look-up waits, because the
	// first request may still be running on the other side.
	SettleDelay time.Duration
	// ResendBlind allows to send the same key and the same bytes again, inside
	// the window, when the look-up cannot tell.
	ResendBlind bool
	// ByHand marks a provider whose payouts settle when a person says so:
	// nothing is polled.
	ByHand bool
	// PollEvery is the first pause between two polls of a payout that settles
	// later; zero means a minute.
	PollEvery time.Duration
	// WatchFor is how long after it was delivered a payout may come back and is
	// looked at again, less and less often. Zero: what was delivered stays.
	WatchFor time.Duration
}

// NextLook returns when a payout that was delivered at paid, and looked at just
// now, is looked at again: as long after now as it has been delivered for. The
// zero time ends the watch.
func (t Traits) NextLook(paid, now time.Time) time.Time {
	next := now.Add(max(now.Sub(paid), 24*time.Hour))
	if next.After(paid.Add(t.WatchFor)) {
		return time.Time{}
	}
	return next
}

// MayResend reports whether a payout whose first byte may have left at
// firstSent may be sent again at now with the same key. A payout that was
// never sent may. With a window that its margin uses up, no clock allows it,
// not even one that was set back.
func (t Traits) MayResend(firstSent, now time.Time) bool {
	if firstSent.IsZero() {
		return true
	}
	if t.Window <= t.Margin {
		return false
	}
	return now.Before(firstSent.Add(t.Window - t.Margin))
}

// Class is the outcome of an attempt. The set is closed.
type Class string

// The outcome classes.
const (
	// Accepted: the provider has it, and Settled says whether it is delivered.
	ClassAccepted Class = "accepted"
	// Refused: proven not done, and the provider will not do it.
	ClassRefused Class = "refused"
	// NotSent: proven not done; the same may be said again later.
	ClassNotSent Class = "not_sent"
	// Unknown: may have been done.
	ClassUnknown Class = "unknown"
	// Conflict: the provider knows the key with another body.
	ClassConflict Class = "conflict"
)

// Classes returns all classes.
func Classes() []Class {
	return []Class{ClassAccepted, ClassRefused, ClassNotSent, ClassUnknown, ClassConflict}
}

// Outcome is what one attempt came to. The zero value is an unknown outcome.
type Outcome struct {
	Class Class
	// Settled says, of an accepted attempt, that the value is delivered.
	Settled bool
	// Reference is the provider's ID of what it made; required when accepted.
	Reference string
	// Detail says what happened in words that are safe to store and show.
	Detail string
	// Kind classifies a NotSent outcome: Throttled, Unavailable or Denied.
	Kind fault.Kind
	// RetryAfter is how long the provider asked to wait; zero if it did not.
	RetryAfter time.Duration
}

// Move returns the move that the outcome makes. An outcome that is not in the
// closed set is unknown.
func (o Outcome) Move() Move {
	switch o.Class {
	case ClassAccepted:
		if o.Settled {
			return MoveSettled
		}
		return MoveAccepted
	case ClassRefused:
		return MoveRefused
	case ClassNotSent:
		return MoveNotSent
	case ClassConflict:
		return MoveConflict
	case ClassUnknown:
	}
	return MoveUnknown
}

// Answer is what a look-up can say.
type Answer string

// The three answers of a look-up, and what "found" can have found.
const (
	// FoundSettled: it exists and is delivered.
	FoundSettled Answer = "settled"
	// FoundPending: it exists and is under way.
	FoundPending Answer = "pending"
	// FoundFailed: it exists and was proven not to deliver.
	FoundFailed Answer = "failed"
	// FoundReturned: it was delivered and came back.
	FoundReturned Answer = "returned"
	// Absent: the provider says with authority that it does not know the key.
	Absent Answer = "absent"
	// CannotTell: anything else.
	CannotTell Answer = "cannot_tell"
)

// Finding is the result of a look-up. The zero value cannot tell.
type Finding struct {
	Answer    Answer
	Reference string
	// Detail says what was found in words that are safe to store and show.
	Detail     string
	RetryAfter time.Duration
}

// Move returns the move that a finding makes; false when it makes none:
// Absent and CannotTell are for the protocol to judge.
func (f Finding) Move() (Move, bool) {
	switch f.Answer {
	case FoundSettled:
		return MoveSettled, true
	case FoundPending:
		return MoveAccepted, true
	case FoundFailed:
		return MoveRefused, true
	case FoundReturned:
		return MoveReturned, true
	case Absent, CannotTell:
	}
	return "", false
}

// Key returns the idempotency key of a payout. Generation starts at 1 and
// rises only after a proven refusal and a person's decision.
func Key(id reward.ID, generation int) string {
	return fmt.Sprintf("rf_%d_%d", id, generation)
}

// AccountKey is Key for one of several FirstPromoter accounts that are paid
// through the same provider account. Without an account it is Key. The account
// has at most MaxAccount bytes.
func AccountKey(account string, id reward.ID, generation int) string {
	if account == "" {
		return Key(id, generation)
	}
	return fmt.Sprintf("rf_%s_%d_%d", account, id, generation)
}

// MaxAccount is the longest account in bytes that leaves room in a key for the
// largest reward ID and a million generations.
const MaxAccount = 30

// MaxKey is the longest idempotency key in bytes: what PayPal's item ID, the
// shortest field that a key must fit, can hold.
const MaxKey = 63

// UsableKey reports whether a key can go to a provider: it fits a header, a
// path segment and an item ID. It is not empty, has at most MaxKey bytes, and
// all of them are visible ASCII.
func UsableKey(key string) bool {
	if key == "" || len(key) > MaxKey {
		return false
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
