// Package fault names the nine ways in which something can go wrong.
//
// A failure is classified once, by the adapter that saw it. Everything later
// (Temporal's retry behaviour, the HTTP status, the metric label) is a
// projection of the kind, and nothing later looks at a status code again.
//
// The package uses the standard library only and may be imported from
// everywhere, workflows included.
package fault

import (
	"errors"
	"time"
)

// Kind is a closed set. Its text is wire format: it stands in workflow
// histories as the type of an application error, so a value never changes.
type Kind string

// The nine kinds.
const (
	// Invalid can never succeed as it was written.
	Invalid Kind = "invalid"
	// NotFound says with authority that the named thing does not exist.
	NotFound Kind = "not_found"
	// Conflict says that the state has moved on.
	Conflict Kind = "conflict"
	// Denied is about credentials or permission. Nothing was done.
	Denied Kind = "denied"
	// Declined was understood, and the answer is no.
	Declined Kind = "declined"
	// Throttled asks to come back later, after RetryAfter when it is known.
	Throttled Kind = "throttled"
	// Unavailable was certainly not done, and may work later.
	Unavailable Kind = "unavailable"
	// Ambiguous may have been done. It is never repeated without a look.
	Ambiguous Kind = "ambiguous"
	// Internal is a bug, or an error that nobody classified.
	Internal Kind = "internal"
)

// Kinds returns all kinds, in a fixed order, for tables and metric labels.
func Kinds() []Kind {
	return []Kind{Invalid, NotFound, Conflict, Denied, Declined, Throttled, Unavailable, Ambiguous, Internal}
}

// Error is a classified failure.
//
// Message is written for the person who meets it and may enter a history, a
// log or an HTTP answer: it holds no secret and no personal data. Err is the
// cause; it serves errors.Is and errors.As and is never printed by Error.
type Error struct {
	Kind    Kind
	Op      string // What was being done, as "package.verb".
	Message string
	// RetryAfter is how long the other side asked to wait; zero when it did not say.
	RetryAfter time.Duration
	Err        error
}

// New returns a classified error without a cause.
func New(kind Kind, op, message string) *Error {
	return &Error{Kind: kind, Op: op, Message: message}
}

// Wrap classifies a cause. The message must be safe to show: it is printed,
// the cause is not.
func Wrap(kind Kind, op, message string, err error) *Error {
	return &Error{Kind: kind, Op: op, Message: message, Err: err}
}

// Error returns "op: message".
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Message
	}
	return e.Op + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OfRead says of a call without effect what cannot be said of one with: without
// an answer, nothing was done, so that Ambiguous is Unavailable. Every other kind
// stays, and so does nil. The error itself is not changed.
func (e *Error) OfRead() *Error {
	if e == nil || e.Kind != Ambiguous {
		return e
	}
	read := *e
	read.Kind = Unavailable
	return &read
}

// KindOf returns the kind of the first classified error in err's chain.
// An error that nobody classified is Internal: forgetting to classify is
// loud, and never silently repeated. KindOf(nil) is the empty kind.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err was classified as kind.
func Is(err error, kind Kind) bool { return KindOf(err) == kind }

// RetryAfter returns how long the other side asked to wait, or zero.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Message returns the text that may be shown to a caller, without the
// operation. For an error that nobody classified it says nothing of its cause.
func Message(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "internal error"
}
