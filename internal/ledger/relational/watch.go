package relational

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// DueLooks implements ledger.Watch.
func (l *Ledger) DueLooks(ctx context.Context, now time.Time, n int) ([]ledger.Payout, error) {
	return read(ctx, l, "ledger.due_looks", func(ctx context.Context, q querier) ([]ledger.Payout, error) {
		rows, err := q.query(ctx, selectPayouts+` WHERE p.look_at <> 0 AND p.look_at <= ? AND p.state = ?
			ORDER BY p.look_at LIMIT ?`, millis(now), payout.Paid, n)
		return collect(rows, err, scanPayout)
	})
}

// NextLook implements ledger.Watch.
func (l *Ledger) NextLook(ctx context.Context, id reward.ID, at time.Time) error {
	return l.writer.do(ctx, "ledger.next_look", func(ctx context.Context, t *tx) error {
		if _, err := statusOfReward(ctx, t, id); err != nil {
			return err
		}
		_, err := t.exec(ctx, `UPDATE payouts SET look_at = ? WHERE reward_id = ? AND state = ?`, millis(at), id, payout.Paid)
		return err
	})
}

// PayoutByKey implements ledger.Watch.
func (l *Ledger) PayoutByKey(ctx context.Context, key string) (ledger.Payout, error) {
	const op = "ledger.payout_by_key"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.Payout, error) {
		p, err := scanPayout(q.queryRow(ctx, selectPayouts+
			` WHERE p.reward_id = (SELECT reward_id FROM payout_generations WHERE key = ?)`, key))
		if errors.Is(err, sql.ErrNoRows) {
			err = notFound(op, "no payout has this key")
		}
		return p, err
	})
}

// cameBack brings a reward whose payout was returned before a person. It is the
// one way out of fulfilled: FirstPromoter holds the reward as completed, and
// only a person may say what is done about that. A reward that people ended
// stays ended.
func (t *tx) cameBack(ctx context.Context, p ledger.Payout, detail string) error {
	now, err := record(ctx, t, p.RewardID)
	if err != nil {
		return err
	}
	if now.Status.Final() && now.Status != reward.Fulfilled {
		return nil
	}
	reason := p.Provider + " says that it came back after it was paid"
	if detail != "" {
		reason += ": " + detail
	}
	if now.Closing.Call == ledger.CallDone {
		reason += "; FirstPromoter holds it as completed, and is not told otherwise"
	}
	return t.enter(ctx, now.Status, step{
		id: p.RewardID, to: reward.Attention, reason: reason, actor: "provider " + p.Provider, notify: noticeAttention,
	})
}
