package relational

import (
	"context"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// ClaimClose implements ledger.Closing.
func (l *Ledger) ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (ledger.CloseState, bool, error) {
	type claim struct {
		state ledger.CloseState
		taken bool
	}
	c, err := write(ctx, l, "ledger.claim_close", func(ctx context.Context, t *tx) (claim, error) {
		now, err := record(ctx, t, id)
		if err != nil || now.Status.Final() {
			return claim{state: now.Closing}, err
		}
		n, err := t.exec(ctx, `UPDATE rewards
			SET closing_by = ?, close_call = ?, close_fence = close_fence + 1, close_deadline = ?, updated_at = ?
			WHERE id = ? AND status = ? AND closing_by <> ? AND close_call IN (?, ?)
				AND EXISTS (SELECT 1 FROM payouts WHERE reward_id = rewards.id AND state = ?)`,
			ledger.ClosedByAPI, ledger.CallOut, millis(deadline), millis(t.now),
			id, now.Status, ledger.ClosedByAnswer, ledger.CallNone, ledger.CallNotDone, payout.Paid)
		if err != nil || n == 0 {
			return claim{state: now.Closing}, err
		}
		if now.Status != reward.Closing {
			err := t.enter(ctx, now.Status, step{
				id: id, to: reward.Closing, reason: "FirstPromoter is being told that the reward is fulfilled", actor: actorClose,
			})
			if err != nil {
				return claim{}, err
			}
		}
		now, err = record(ctx, t, id)
		return claim{state: now.Closing, taken: true}, err
	})
	return c.state, c.taken, err
}

// FinishClose implements ledger.Closing. Once the reward was read back as
// completed, nothing is recorded any more. A reward that was never paid is not
// closed: fault.Conflict. One whose payout came back keeps its status.
func (l *Ledger) FinishClose(
	ctx context.Context, id reward.ID, fence int64, call ledger.CloseCall, detail string,
) (ledger.CloseState, error) {
	const op = "ledger.finish_close"
	switch call {
	case ledger.CallUnknown, ledger.CallNotDone, ledger.CallDone:
	default:
		return ledger.CloseState{}, invalid(op, fmt.Sprintf("%.40q is nothing that a call can come to", call))
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.CloseState, error) {
		now, err := record(ctx, t, id)
		if err != nil || now.Closing.Fence != fence || now.Closing.Call == ledger.CallDone {
			return now.Closing, err
		}
		if call == ledger.CallDone && now.Closing.PaidAt.IsZero() {
			return ledger.CloseState{}, conflict(op, fmt.Sprintf("reward %d was never paid here", id))
		}
		if err := t.finishClose(ctx, now, call, detail); err != nil {
			return ledger.CloseState{}, err
		}
		now, err = record(ctx, t, id)
		return now.Closing, err
	})
}

func (t *tx) finishClose(ctx context.Context, now ledger.Record, call ledger.CloseCall, detail string) error {
	var closedAt time.Time
	if call == ledger.CallDone {
		closedAt = t.now
	}
	_, err := t.exec(ctx, `UPDATE rewards SET close_call = ?, close_detail = ?, closed_at = ?, updated_at = ?
		WHERE id = ? AND close_fence = ? AND close_call <> ?`,
		call, detail, millis(closedAt), millis(t.now), now.Reward.ID, now.Closing.Fence, ledger.CallDone)
	if err != nil || call != ledger.CallDone || now.Status.Final() {
		return err
	}
	p, err := payoutOf(ctx, t, "ledger.finish_close", now.Reward.ID)
	if err != nil || p.State != payout.Paid {
		return err
	}
	reason := detail
	if reason == "" {
		reason = "FirstPromoter shows the reward as completed"
	}
	return t.enter(ctx, now.Status, step{
		id: now.Reward.ID, to: reward.Fulfilled, reason: reason, actor: actorClose, notify: noticeFulfilled,
	})
}

// ExpireClose implements ledger.Closing.
func (l *Ledger) ExpireClose(ctx context.Context, id reward.ID, now time.Time) (ledger.CloseState, error) {
	return write(ctx, l, "ledger.expire_close", func(ctx context.Context, t *tx) (ledger.CloseState, error) {
		_, err := t.exec(ctx, `UPDATE rewards SET close_call = ?, close_detail = ?, updated_at = ?
			WHERE id = ? AND close_call = ? AND close_deadline <= ?`,
			ledger.CallUnknown, "the call was never finished: its worker died", millis(t.now), id, ledger.CallOut, millis(now))
		if err != nil {
			return ledger.CloseState{}, err
		}
		r, err := record(ctx, t, id)
		return r.Closing, err
	})
}
