package relational

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Lease implements ledger.Inbox.
func (l *Ledger) Lease(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Pending, error) {
	const op = "ledger.lease"
	if owner == "" {
		return nil, invalid(op, "a lease needs an owner")
	}
	if n <= 0 {
		return nil, nil
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) ([]ledger.Pending, error) {
		rows, err := t.query(ctx, `UPDATE inbox SET lease_owner = ?, lease_until = ?, tries = tries + 1
			WHERE id IN (
				SELECT id FROM inbox
				WHERE dispatch = 1 AND dispatched_at = 0
					AND (lease_until <= ? OR lease_until > ?) AND (due_at <= ? OR due_at > ?)
				ORDER BY id LIMIT ?)
			RETURNING id, type, event_id, reward_id, body, traceparent, tries - 1`,
			owner, millis(t.now.Add(ttl)),
			millis(t.now), millis(t.now.Add(ttl+ledger.LongestPause)),
			millis(t.now), millis(t.now.Add(2*ledger.LongestPause)), n)
		pending, err := collect(rows, err, scanPending)
		// RETURNING promises no order.
		slices.SortFunc(pending, func(a, b ledger.Pending) int { return cmp.Compare(a.Inbox, b.Inbox) })
		return pending, err
	})
}

func scanPending(row scanner) (ledger.Pending, error) {
	var p ledger.Pending
	err := row.Scan(&p.Inbox, &p.Type, &p.EventID, &p.RewardID, &p.Body, &p.Traceparent, &p.Tries)
	return p, err
}

// MarkDispatched implements ledger.Inbox. What a row says first stays.
func (l *Ledger) MarkDispatched(ctx context.Context, rows []ledger.Dispatched) error {
	const op = "ledger.mark_dispatched"
	if len(rows) == 0 {
		return nil
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		for _, row := range rows {
			n, err := t.exec(ctx, `UPDATE inbox SET dispatched_at = ?, workflow_id = ?, lease_owner = '', lease_until = 0
				WHERE id = ? AND dispatched_at = 0`, millis(t.now), row.WorkflowID, row.Inbox)
			if err != nil {
				return err
			}
			if n == 0 {
				if err := t.requireInbox(ctx, op, row.Inbox); err != nil {
					return err
				}
				continue
			}
			if err := t.openNotifications(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// Postpone implements ledger.Inbox. A row that was dispatched stays so.
func (l *Ledger) Postpone(ctx context.Context, inbox int64, after time.Duration, reason string) error {
	const op = "ledger.postpone"
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE inbox SET due_at = ?, trouble = ?, lease_owner = '', lease_until = 0
			WHERE id = ? AND dispatched_at = 0`, millis(t.now.Add(min(after, ledger.LongestPause))), reason, inbox)
		if err != nil || n == 1 {
			return err
		}
		return t.requireInbox(ctx, op, inbox)
	})
}

func (t *tx) requireInbox(ctx context.Context, op string, inbox int64) error {
	var there bool
	err := t.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM inbox WHERE id = ?)`, inbox).Scan(&there)
	if err == nil && !there {
		return notFound(op, fmt.Sprintf("the inbox has no row %d", inbox))
	}
	return err
}

// Event implements ledger.Inbox. Tries counts every lease so far.
func (l *Ledger) Event(ctx context.Context, inbox int64) (ledger.Pending, error) {
	const op = "ledger.event"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.Pending, error) {
		p, err := scanPending(q.queryRow(ctx, `SELECT id, type, event_id, reward_id, body, traceparent, tries
			FROM inbox WHERE id = ?`, inbox))
		if errors.Is(err, sql.ErrNoRows) {
			err = notFound(op, fmt.Sprintf("the inbox has no row %d", inbox))
		}
		return p, err
	})
}

// InboxDepth implements ledger.Inbox. Rows wait in the order in which they were
// accepted, so the first one is the oldest.
func (l *Ledger) InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error) {
	return l.depth(ctx, ledger.MaxDepth)
}

// depth counts no further than most.
func (l *Ledger) depth(ctx context.Context, most int) (depth int, oldest time.Time, err error) {
	type waiting struct {
		depth  int
		oldest time.Time
	}
	w, err := read(ctx, l, "ledger.inbox_depth", func(ctx context.Context, q querier) (waiting, error) {
		var w waiting
		var since int64
		err := q.queryRow(ctx, `SELECT
			(SELECT count(*) FROM (SELECT 1 FROM inbox INDEXED BY inbox_waiting WHERE dispatch = 1 AND dispatched_at = 0 LIMIT ?) AS waiting),
			coalesce((SELECT accepted_at FROM inbox INDEXED BY inbox_waiting
				WHERE dispatch = 1 AND dispatched_at = 0 ORDER BY id LIMIT 1), 0)`, most).Scan(&w.depth, &since)
		w.oldest = fromMillis(since)
		return w, err
	})
	return w.depth, w.oldest, err
}
