package relational

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Assess implements ledger.Rewards. A status that a person must know of, or
// that ends the reward, puts an internal event "reward_<status>" into the inbox.
func (l *Ledger) Assess(ctx context.Context, a ledger.Assessment, actor string) error {
	const op = "ledger.assess"
	if !a.Status.Known() {
		return invalid(op, fmt.Sprintf("%.40q is not a status", a.Status))
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		now, err := record(ctx, t, a.Reward.ID)
		if err != nil {
			return err
		}
		if now.Status.Final() {
			return conflict(op, fmt.Sprintf("reward %d is %s and is not assessed again", a.Reward.ID, now.Status))
		}
		var paying bool
		err = t.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM payouts WHERE reward_id = ?)`, a.Reward.ID).Scan(&paying)
		if err != nil {
			return err
		}
		if paying {
			return conflict(op, fmt.Sprintf("reward %d has a payout and is not assessed again", a.Reward.ID))
		}
		return t.assess(ctx, now, a, actor)
	})
}

func (t *tx) assess(ctx context.Context, now ledger.Record, a ledger.Assessment, actor string) error {
	r := a.Reward
	if !a.Verified {
		// Without a comparison the newest event is all that is known.
		claim, err := latestClaim(ctx, t, r.ID)
		if err != nil {
			return err
		}
		r = claim.Reward
	}
	excluded, err := json.Marshal(a.Excluded)
	if err != nil {
		return err
	}
	waits, err := json.Marshal(a.Waits)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE rewards SET amount = ?, unit = ?, currency = ?, promoter_id = ?, promoter_cust_id = ?,
			promoter_email = ?, campaign_id = ?, campaign_name = ?, verified = ?, provider = ?, digest = ?,
			policy_version = ?, rule = ?, facts = ?, approvals = ?, role = ?, excluded = ?, waits = ?, hold_until = ?,
			next_timer = ?, updated_at = ?
		WHERE id = ?`,
		r.Quantity.Amount, r.Quantity.Unit, r.Quantity.Currency, r.Promoter.ID, r.Promoter.CustID,
		r.Promoter.Email, r.Campaign.ID, r.Campaign.Name, a.Verified, a.Provider, a.Digest,
		a.PolicyVersion, a.Rule, a.Facts, a.Approvals, a.Role, string(excluded), string(waits), millis(a.HoldUntil),
		millis(a.NextTimer), millis(t.now), r.ID)
	if err != nil {
		return err
	}
	next := step{id: r.ID, to: a.Status, reason: a.Reason, actor: actor, nextTimer: a.NextTimer, notify: endNotice(a.Status)}
	switch {
	case a.Status != now.Status || a.Reason != now.Reason:
		return t.enter(ctx, now.Status, next)
	case a.Digest != now.Digest:
		return t.askedAgain(ctx, next)
	}
	return nil
}

// Move implements ledger.Rewards.
func (l *Ledger) Move(ctx context.Context, m ledger.Transition) error {
	const op = "ledger.move"
	if !m.To.Known() {
		return invalid(op, fmt.Sprintf("%.40q is not a status", m.To))
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		now, err := record(ctx, t, m.ID)
		if err != nil {
			return err
		}
		if m.To == now.Status && m.Reason == now.Reason {
			_, err := t.exec(ctx, `UPDATE rewards SET next_timer = ? WHERE id = ?`, millis(m.NextTimer), m.ID)
			return err
		}
		if now.Status.Final() {
			return conflict(op, fmt.Sprintf("reward %d is %s, and that is final", m.ID, now.Status))
		}
		return t.enter(ctx, now.Status, step{
			id: m.ID, to: m.To, reason: m.Reason, actor: m.Actor, nextTimer: m.NextTimer, notify: m.Notify,
		})
	})
}

// requireOpen returns the reward's row, and fault.Conflict when its status is
// final: nothing more happens to it.
func (t *tx) requireOpen(ctx context.Context, op string, id reward.ID) (ledger.Record, error) {
	r, err := record(ctx, t, id)
	if err == nil && r.Status.Final() {
		err = conflict(op, fmt.Sprintf("reward %d is %s, and that is final", id, r.Status))
	}
	return r, err
}
