package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// keepSessions is how long a session is remembered after it expired.
const keepSessions = 90 * 24 * time.Hour

// StartSession implements ledger.Sessions. It also forgets old ones.
func (l *Ledger) StartSession(ctx context.Context, s ledger.Session) error {
	const op = "ledger.start_session"
	if s.ID == "" || s.TokenSHA256 == "" || s.Person == "" {
		return invalid(op, "a session needs an ID, a token's hash and a person")
	}
	roles, err := json.Marshal(append([]string{}, s.Roles...))
	if err != nil {
		return invalid(op, "the roles of the session cannot be stored")
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE expires_at < ?`, millis(t.now.Add(-keepSessions)))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO sessions
			(id, token_sha256, person, method, credential, roles, created_at, seen_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.ID, s.TokenSHA256, s.Person, s.Method, s.Credential, string(roles),
			millis(s.CreatedAt), millis(s.SeenAt), millis(s.ExpiresAt))
		if t.isConstraint(err) {
			return conflict(op, "there is a session with this ID or this token")
		}
		return err
	})
}

const selectSession = `SELECT id, token_sha256, person, method, credential, roles, created_at, seen_at, expires_at, ended_at, ended_by
	FROM sessions`

func scanSession(row scanner) (ledger.Session, error) {
	var s ledger.Session
	var roles []byte
	var created, seen, expires, ended int64
	err := row.Scan(&s.ID, &s.TokenSHA256, &s.Person, &s.Method, &s.Credential, &roles, &created, &seen, &expires, &ended, &s.EndedBy)
	if err != nil {
		return ledger.Session{}, err
	}
	s.CreatedAt, s.SeenAt = fromMillis(created), fromMillis(seen)
	s.ExpiresAt, s.EndedAt = fromMillis(expires), fromMillis(ended)
	return s, json.Unmarshal(roles, &s.Roles)
}

// SessionOf implements ledger.Sessions.
func (l *Ledger) SessionOf(ctx context.Context, tokenSHA256 string) (ledger.Session, error) {
	const op = "ledger.session"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.Session, error) {
		s, err := scanSession(q.queryRow(ctx, selectSession+` WHERE token_sha256 = ?`, tokenSHA256))
		if errors.Is(err, sql.ErrNoRows) {
			err = notFound(op, "there is no such session")
		}
		return s, err
	})
}

// SeeSession implements ledger.Sessions.
func (l *Ledger) SeeSession(ctx context.Context, id string, at time.Time) error {
	return l.writer.do(ctx, "ledger.see_session", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE sessions SET seen_at = ? WHERE id = ? AND seen_at < ?`, millis(at), id, millis(at))
		return err
	})
}

// EndSession implements ledger.Sessions.
func (l *Ledger) EndSession(ctx context.Context, id, by string, at time.Time) error {
	const op = "ledger.end_session"
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE sessions SET
			ended_by = CASE WHEN ended_at = 0 THEN ? ELSE ended_by END,
			ended_at = CASE WHEN ended_at = 0 THEN ? ELSE ended_at END WHERE id = ?`, by, millis(at), id)
		if err == nil && n == 0 {
			err = notFound(op, "there is no such session")
		}
		return err
	})
}

// LiveSessions implements ledger.Sessions.
func (l *Ledger) LiveSessions(ctx context.Context, now time.Time) ([]ledger.Session, error) {
	return read(ctx, l, "ledger.live_sessions", func(ctx context.Context, q querier) ([]ledger.Session, error) {
		rows, err := q.query(ctx, selectSession+` WHERE ended_at = 0 AND expires_at > ?
			ORDER BY created_at DESC, id LIMIT ?`, millis(now), maxLimit)
		return collect(rows, err, scanSession)
	})
}

// KeepLoginCode implements ledger.Sessions.
func (l *Ledger) KeepLoginCode(ctx context.Context, codeSHA256 string, expires time.Time) error {
	return l.writer.do(ctx, "ledger.keep_login_code", func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `DELETE FROM login_codes`); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO login_codes (code_sha256, created_at, expires_at) VALUES (?, ?, ?)`,
			codeSHA256, millis(t.now), millis(expires))
		return err
	})
}

// UseLoginCode implements ledger.Sessions.
func (l *Ledger) UseLoginCode(ctx context.Context, codeSHA256 string, now time.Time) (bool, error) {
	return write(ctx, l, "ledger.use_login_code", func(ctx context.Context, t *tx) (bool, error) {
		n, err := t.exec(ctx, `UPDATE login_codes SET used_at = ? WHERE code_sha256 = ? AND used_at = 0 AND expires_at > ?`,
			millis(now), codeSHA256, millis(now))
		return n == 1, err
	})
}
