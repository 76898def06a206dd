package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// selectLogged reads an event together with its last delivery.
const selectLogged = `SELECT i.id, i.type, i.event_id, i.reward_id, i.dispatch, i.accepted_at,
	(SELECT count(*) FROM deliveries d WHERE d.inbox_id = i.id),
	coalesce((SELECT d.answer FROM deliveries d WHERE d.inbox_id = i.id ORDER BY d.id DESC LIMIT 1), 0),
	coalesce((SELECT d.at FROM deliveries d WHERE d.inbox_id = i.id ORDER BY d.id DESC LIMIT 1), 0),
	i.dispatched_at, i.workflow_id, i.tries, i.trouble`

// scanLogged scans what selectLogged selects, and then into more.
func scanLogged(row scanner, more ...any) (ledger.Logged, error) {
	var e ledger.Logged
	var acceptedAt, answeredAt, dispatchedAt int64
	err := row.Scan(append([]any{
		&e.Inbox, &e.Type, &e.EventID, &e.RewardID, &e.Known, &acceptedAt, &e.Deliveries, &e.Answer, &answeredAt,
		&dispatchedAt, &e.WorkflowID, &e.Tries, &e.Trouble,
	}, more...)...)
	e.AcceptedAt, e.AnsweredAt, e.DispatchedAt = fromMillis(acceptedAt), fromMillis(answeredAt), fromMillis(dispatchedAt)
	e.Internal = e.Deliveries == 0
	return e, err
}

// ListEvents implements ledger.Log.
func (l *Ledger) ListEvents(ctx context.Context, f ledger.LogFilter) ([]ledger.Logged, error) {
	where, args := logConditions(f)
	query := selectLogged + ` FROM inbox i` + where + ` ORDER BY i.accepted_at DESC, i.id DESC LIMIT ?`
	args = append(args, pageLimit(f.Limit))
	return read(ctx, l, "ledger.list_events", func(ctx context.Context, q querier) ([]ledger.Logged, error) {
		rows, err := q.query(ctx, query, args...)
		return collect(rows, err, func(row scanner) (ledger.Logged, error) { return scanLogged(row) })
	})
}

func pageLimit(limit int) int {
	if limit <= 0 {
		limit = defaultLimit
	}
	return min(limit, maxLimit)
}

// logConditions returns the WHERE clause of a filter. It is built of constant
// words only; every value is an argument.
func logConditions(f ledger.LogFilter) (string, []any) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms = append(terms, term)
		args = append(args, values...)
	}
	if f.Type != "" {
		add(`i.type = ?`, f.Type)
	}
	if !f.From.IsZero() {
		add(`i.accepted_at >= ?`, millis(f.From))
	}
	if !f.To.IsZero() {
		add(`i.accepted_at < ?`, millis(f.To))
	}
	switch {
	case f.Answer == http.StatusAccepted:
		add(`EXISTS (SELECT 1 FROM deliveries d WHERE d.inbox_id = i.id AND d.answer = ?)`, f.Answer)
	case f.Answer != 0:
		// Rare answers have an index of their own.
		add(`i.id IN (SELECT d.inbox_id FROM deliveries d WHERE d.answer <> 202 AND d.answer = ?)`, f.Answer)
	}
	if f.Before != (ledger.LogCursor{}) {
		add(`(i.accepted_at, i.id) < (?, ?)`, millis(f.Before.AcceptedAt), f.Before.Inbox)
	}
	if len(terms) == 0 {
		return "", nil
	}
	return ` WHERE ` + strings.Join(terms, ` AND `), args
}

// EventFile implements ledger.Log.
func (l *Ledger) EventFile(ctx context.Context, inbox int64) (ledger.LoggedFile, error) {
	const op = "ledger.event_file"
	return snapshot(ctx, l, op, func(ctx context.Context, q querier) (ledger.LoggedFile, error) {
		var file ledger.LoggedFile
		var err error
		file.Logged, err = scanLogged(q.queryRow(ctx, selectLogged+`, i.body FROM inbox i WHERE i.id = ?`, inbox), &file.Body)
		if errors.Is(err, sql.ErrNoRows) {
			return ledger.LoggedFile{}, unknownEvent(op, inbox)
		}
		if err != nil {
			return ledger.LoggedFile{}, err
		}
		rows, err := q.query(ctx, `SELECT at, answer, duplicate FROM deliveries WHERE inbox_id = ? ORDER BY id`, inbox)
		if file.Answers, err = collect(rows, err, scanAnswered); err != nil {
			return ledger.LoggedFile{}, err
		}
		rows, err = q.query(ctx, `SELECT id, at, person, verified, again, done_at, workflow_id, outcome
			FROM replays WHERE inbox_id = ? ORDER BY id`, inbox)
		file.Replays, err = collect(rows, err, scanReplay)
		return file, err
	})
}

func unknownEvent(op string, inbox int64) error {
	return notFound(op, fmt.Sprintf("the delivery log has no event %d", inbox))
}

func scanAnswered(row scanner) (ledger.Answered, error) {
	var a ledger.Answered
	var at int64
	err := row.Scan(&at, &a.Answer, &a.Duplicate)
	a.At = fromMillis(at)
	return a, err
}

func scanReplay(row scanner) (ledger.Replay, error) {
	var r ledger.Replay
	var at, doneAt int64
	err := row.Scan(&r.ID, &at, &r.By, &r.Verified, &r.Again, &doneAt, &r.WorkflowID, &r.Outcome)
	r.At, r.DoneAt = fromMillis(at), fromMillis(doneAt)
	return r, err
}
