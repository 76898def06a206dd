package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// ApprovalMessage implements ledger.ApprovalMessages.
func (l *Ledger) ApprovalMessage(ctx context.Context, id reward.ID) (ledger.ApprovalMessage, error) {
	const op = "ledger.approval_message"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.ApprovalMessage, error) {
		m := ledger.ApprovalMessage{RewardID: id}
		var until int64
		err := q.queryRow(ctx, `SELECT channel, timestamp, shown, open, claimed_until FROM approval_messages WHERE reward_id = ?`, id).
			Scan(&m.Channel, &m.Timestamp, &m.Shown, &m.Open, &until)
		if errors.Is(err, sql.ErrNoRows) {
			err = notFound(op, fmt.Sprintf("no message was made for reward %d", id))
		}
		m.ClaimedUntil = fromMillis(until)
		return m, err
	})
}

// ClaimApprovalMessage implements ledger.ApprovalMessages.
func (l *Ledger) ClaimApprovalMessage(ctx context.Context, id reward.ID, timestamp string, now, until time.Time) (bool, error) {
	return write(ctx, l, "ledger.claim_approval_message", func(ctx context.Context, t *tx) (bool, error) {
		if _, err := statusOfReward(ctx, t, id); err != nil {
			return false, err
		}
		n, err := t.exec(ctx, `INSERT INTO approval_messages (reward_id, open, claimed_until, updated_at) VALUES (?, 1, ?, ?)
			ON CONFLICT (reward_id) DO UPDATE SET open = 1, claimed_until = excluded.claimed_until, updated_at = excluded.updated_at
			WHERE approval_messages.claimed_until <= ? AND approval_messages.timestamp = ?`, id, millis(until), millis(t.now), millis(now), timestamp)
		return n == 1, err
	})
}

// KeepApprovalMessage implements ledger.ApprovalMessages.
func (l *Ledger) KeepApprovalMessage(ctx context.Context, m ledger.ApprovalMessage) error {
	return l.writer.do(ctx, "ledger.keep_approval_message", func(ctx context.Context, t *tx) error {
		if _, err := statusOfReward(ctx, t, m.RewardID); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO approval_messages (reward_id, channel, timestamp, shown, open, updated_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (reward_id) DO UPDATE SET channel = excluded.channel, timestamp = excluded.timestamp, shown = excluded.shown,
				open = excluded.open, claimed_until = 0, updated_at = excluded.updated_at`,
			m.RewardID, m.Channel, m.Timestamp, m.Shown, m.Open, millis(t.now))
		return err
	})
}

// changed tells whoever draws the reward's message that it shows what is no
// longer so. Only an open message is worth an event: what happens after it was
// settled is told by the events that everybody gets.
func (t *tx) changed(ctx context.Context, s step) error {
	return t.tellMessage(ctx, s, `SELECT EXISTS (SELECT 1 FROM approval_messages WHERE reward_id = ? AND open = 1)`)
}

// askedAgain is changed for a new digest, which opens a settled message again:
// the decisions that settled it do not count any more.
func (t *tx) askedAgain(ctx context.Context, s step) error {
	return t.tellMessage(ctx, s, `SELECT EXISTS (SELECT 1 FROM approval_messages WHERE reward_id = ?)`)
}

func (t *tx) tellMessage(ctx context.Context, s step, query string) error {
	var there bool
	err := t.queryRow(ctx, query, s.id).Scan(&there)
	if err != nil || !there {
		return err
	}
	s.notify = noticeChanged
	return t.notice(ctx, s)
}
