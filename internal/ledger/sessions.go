package ledger

import (
	"context"
	"time"
)

// Session is a person who signed in. The random token that the person's
// browser holds is nowhere stored.
type Session struct {
	// ID names the session in logs and to people. It opens nothing.
	ID string
	// TokenSHA256 is the SHA-256 of the token in hexadecimal digits.
	TokenSHA256 string
	Person      string
	// Method says how the person signed in.
	Method string
	// Credential is a fingerprint of what the person signed in with, so that
	// the session ends with it; empty when there is nothing to compare.
	Credential string
	// Roles are those at login.
	Roles     []string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // Zero while nobody ended it.
	EndedBy   string
}

// Live reports whether the session counts at now.
func (s Session) Live(now time.Time) bool { return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) }

// Sessions keeps who is signed in. They are no part of the record: a session
// is forgotten some time after it has ended.
type Sessions interface {
	// StartSession begins a session; fault.Conflict when there is one with the ID
	// or the token.
	StartSession(ctx context.Context, s Session) error
	// SessionOf returns the session of a token's hash, ended ones too, or
	// fault.NotFound.
	SessionOf(ctx context.Context, tokenSHA256 string) (Session, error)
	// SeeSession notes that a session was used.
	SeeSession(ctx context.Context, id string, at time.Time) error
	// EndSession ends a session; fault.NotFound when there is none with the ID.
	// Ending it again changes nothing.
	EndSession(ctx context.Context, id, by string, at time.Time) error
	// LiveSessions returns what has neither ended nor expired at now, newest
	// first, at most 500.
	LiveSessions(ctx context.Context, now time.Time) ([]Session, error)
	// KeepLoginCode keeps the SHA-256 of a code that signs in once, and voids
	// those that were kept before.
	KeepLoginCode(ctx context.Context, codeSHA256 string, expires time.Time) error
	// UseLoginCode reports whether the code may sign in at now, and uses it up.
	UseLoginCode(ctx context.Context, codeSHA256 string, now time.Time) (bool, error)
}
