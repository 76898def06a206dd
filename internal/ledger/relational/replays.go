package relational

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// replayState says of an event what a wish to replay it would do. A reward that
// is not in the ledger cannot be: its event brought it there.
func replayState() string {
	final := make([]string, 0, 4)
	for _, s := range reward.Statuses() {
		if s.Final() {
			final = append(final, "'"+string(s)+"'")
		}
	}
	return `CASE
		WHEN i.dispatch = 0 THEN 'stored_only'
		WHEN i.dispatched_at = 0 OR EXISTS (SELECT 1 FROM replays p WHERE p.inbox_id = i.id AND p.done_at = 0) THEN 'waiting'
		WHEN r.status IN (` + strings.Join(final, ", ") + `) THEN 'ended'
		ELSE 'queued' END`
}

const inboxWithReward = ` FROM inbox i LEFT JOIN rewards r ON r.id = i.reward_id`

const insertReplay = `INSERT INTO replays (inbox_id, at, person, verified, again)`

// Replay implements ledger.Replays.
func (l *Ledger) Replay(ctx context.Context, inbox int64, o ledger.Order) (ledger.ReplayState, error) {
	const op = "ledger.replay"
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.ReplayState, error) {
		var state ledger.ReplayState
		err := t.queryRow(ctx, `SELECT `+replayState()+inboxWithReward+` WHERE i.id = ?`, inbox).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return "", unknownEvent(op, inbox)
		}
		if err != nil || state != ledger.ReplayQueued {
			return state, err
		}
		_, err = t.exec(ctx, insertReplay+` VALUES (?, ?, ?, ?, ?)`, inbox, millis(t.now), o.By, o.Verified, o.Again)
		return state, err
	})
}

// ReplayRange implements ledger.Replays.
func (l *Ledger) ReplayRange(
	ctx context.Context, r ledger.ReplayRange, o ledger.Order, dryRun bool,
) (map[ledger.ReplayState]int, error) {
	const op = "ledger.replay_range"
	where, args := logConditions(ledger.LogFilter{Type: r.Type, From: r.From, To: r.To})
	count := func(ctx context.Context, q querier) (map[ledger.ReplayState]int, error) {
		return countRange(ctx, q, op, where, args, r.Max)
	}
	if dryRun {
		return read(ctx, l, op, count)
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (map[ledger.ReplayState]int, error) {
		counts, err := count(ctx, t)
		if err != nil || counts[ledger.ReplayQueued] == 0 {
			return counts, err
		}
		all := append([]any{millis(t.now), o.By, o.Verified, o.Again}, args...)
		_, err = t.exec(ctx, insertReplay+` SELECT i.id, ?, ?, ?, ?`+inboxWithReward+where+
			` AND `+replayState()+` = 'queued' ORDER BY i.id`, all...)
		return counts, err
	})
}

// countRange counts the events of a range by state, and refuses a range that
// holds too many before it looks at all of them.
func countRange(
	ctx context.Context, q querier, op, where string, args []any, most int,
) (map[ledger.ReplayState]int, error) {
	var n int
	err := q.queryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM inbox i`+where+` LIMIT ?) AS part`, append(slices.Clone(args), most+1)...).Scan(&n)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, invalid(op, fmt.Sprintf("the range holds more than %d events: replay a shorter one, or one type", most))
	}
	rows, err := q.query(ctx, `SELECT `+replayState()+`, count(*)`+inboxWithReward+where+` GROUP BY 1`, args...)
	type entry struct {
		state ledger.ReplayState
		count int
	}
	entries, err := collect(rows, err, func(row scanner) (e entry, err error) {
		err = row.Scan(&e.state, &e.count)
		return e, err
	})
	counts := make(map[ledger.ReplayState]int, len(entries))
	for _, e := range entries {
		counts[e.state] = e.count
	}
	return counts, err
}

// LeaseReplays implements ledger.Replays.
func (l *Ledger) LeaseReplays(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Replayable, error) {
	const op = "ledger.lease_replays"
	if owner == "" {
		return nil, invalid(op, "a lease needs an owner")
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) ([]ledger.Replayable, error) {
		rows, err := t.query(ctx, `UPDATE replays SET lease_owner = ?, lease_until = ?, tries = tries + 1
			WHERE id IN (
				SELECT id FROM replays INDEXED BY replays_queue
				WHERE done_at = 0 AND lease_until <= ? AND due_at <= ?
				ORDER BY id LIMIT ?)
			RETURNING id, inbox_id, again, tries - 1`,
			owner, millis(t.now.Add(ttl)), millis(t.now), millis(t.now), n)
		leased, err := collect(rows, err, func(row scanner) (r ledger.Replayable, err error) {
			err = row.Scan(&r.Replay, &r.Event.Inbox, &r.Again, &r.Tries)
			return r, err
		})
		if err != nil {
			return nil, err
		}
		for i := range leased {
			if err := t.fillReplay(ctx, &leased[i]); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(leased, func(a, b ledger.Replayable) int { return cmp.Compare(a.Replay, b.Replay) })
		return leased, nil
	})
}

// fillReplay reads the event of a replay, and where it went last.
func (t *tx) fillReplay(ctx context.Context, r *ledger.Replayable) (err error) {
	r.Event, err = scanPending(t.queryRow(ctx, `SELECT id, type, event_id, reward_id, body, traceparent, tries
		FROM inbox WHERE id = ?`, r.Event.Inbox))
	if err != nil {
		return err
	}
	return t.queryRow(ctx, `SELECT coalesce(
			(SELECT workflow_id FROM replays WHERE inbox_id = i.id AND workflow_id <> '' ORDER BY id DESC LIMIT 1), i.workflow_id)
		FROM inbox i WHERE i.id = ?`, r.Event.Inbox).Scan(&r.WorkflowBefore)
}

// FinishReplay implements ledger.Replays.
func (l *Ledger) FinishReplay(ctx context.Context, replay int64, workflowID, outcome string) error {
	const op = "ledger.finish_replay"
	return l.changeReplay(ctx, op, replay, `UPDATE replays SET done_at = ?, workflow_id = ?, outcome = ?, lease_owner = '', lease_until = 0
		WHERE id = ? AND done_at = 0`, func(now time.Time) []any { return []any{millis(now), workflowID, outcome, replay} })
}

// PostponeReplay implements ledger.Replays.
func (l *Ledger) PostponeReplay(ctx context.Context, replay int64, after time.Duration) error {
	const op = "ledger.postpone_replay"
	return l.changeReplay(ctx, op, replay, `UPDATE replays SET due_at = ?, lease_owner = '', lease_until = 0
		WHERE id = ? AND done_at = 0`, func(now time.Time) []any { return []any{millis(now.Add(after)), replay} })
}

// changeReplay runs an update of one replay that is not done yet.
func (l *Ledger) changeReplay(ctx context.Context, op string, replay int64, query string, args func(now time.Time) []any) error {
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, query, args(t.now)...)
		if err != nil || n == 1 {
			return err
		}
		var there bool
		err = t.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM replays WHERE id = ?)`, replay).Scan(&there)
		if err == nil && !there {
			return notFound(op, fmt.Sprintf("there is no replay %d", replay))
		}
		return err
	})
}
