package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const opAccept = "ledger.accept"

const insertInbox = `INSERT INTO inbox
	(type, dedupe, event_id, reward_id, body, traceparent, dispatch, accepted_at, subject)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

// Accept implements ledger.Inbox.
func (l *Ledger) Accept(ctx context.Context, ev ledger.Event, closeByAnswerAfter time.Duration) (ledger.Receipt, error) {
	if err := usable(opAccept, ev); err != nil {
		return ledger.Receipt{}, err
	}
	return write(ctx, l, opAccept, func(ctx context.Context, t *tx) (ledger.Receipt, error) {
		return t.accept(ctx, ev, closeByAnswerAfter)
	})
}

func usable(op string, ev ledger.Event) error {
	if ev.Type == "" {
		return invalid(op, "the event has no type")
	}
	if ev.Reward != nil && ev.Reward.Reward.ID <= 0 {
		return invalid(op, "the event claims a reward without an ID")
	}
	return nil
}

// Announce implements ledger.Inbox.
func (l *Ledger) Announce(ctx context.Context, ev ledger.Event) (bool, error) {
	const op = "ledger.announce"
	if ev.Type == "" || ev.Dedupe == "" {
		return false, invalid(op, "the event has no type, or nothing that makes it unique")
	}
	if ev.Reward != nil {
		return false, invalid(op, "an event of our own claims no reward")
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (bool, error) {
		receipt, err := t.store(ctx, ev, 0)
		return err == nil && !receipt.Duplicate, err
	})
}

func (t *tx) accept(ctx context.Context, ev ledger.Event, closeByAnswerAfter time.Duration) (ledger.Receipt, error) {
	var id reward.ID
	if ev.Reward != nil {
		id = ev.Reward.Reward.ID
	}
	receipt, err := t.store(ctx, ev, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if ev.Reward != nil {
		isNew, err := t.claimed(ctx, *ev.Reward, receipt.Duplicate)
		if err != nil {
			return ledger.Receipt{}, err
		}
		if !isNew {
			receipt.ClosedByAnswer, err = t.closeByAnswer(ctx, id, closeByAnswerAfter)
			if err != nil {
				return ledger.Receipt{}, err
			}
		}
	}
	answer := http.StatusAccepted
	if receipt.ClosedByAnswer {
		answer = http.StatusOK
	}
	return receipt, t.delivered(ctx, ev, id, receipt, answer)
}

// delivered records a delivery and its answer, once.
func (t *tx) delivered(ctx context.Context, ev ledger.Event, id reward.ID, receipt ledger.Receipt, answer int) error {
	_, err := t.exec(ctx, `INSERT INTO deliveries (inbox_id, reward_id, at, answer, duplicate, name) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) WHERE name <> '' DO NOTHING`,
		receipt.Inbox, id, millis(t.now), answer, receipt.Duplicate, ev.Delivery)
	return err
}

// store puts the event into the inbox, or finds it there.
func (t *tx) store(ctx context.Context, ev ledger.Event, id reward.ID) (ledger.Receipt, error) {
	body := ev.Body
	if body == nil {
		body = []byte{}
	}
	var receipt ledger.Receipt
	err := t.queryRow(ctx, insertInbox+` ON CONFLICT (type, dedupe) DO NOTHING RETURNING id`,
		ev.Type, ev.Dedupe, ev.EventID, id, body, ev.Traceparent, ev.Dispatch, millis(t.now), ev.Subject).Scan(&receipt.Inbox)
	if errors.Is(err, sql.ErrNoRows) {
		receipt.Duplicate = true
		err = t.queryRow(ctx, `SELECT id FROM inbox WHERE type = ? AND dedupe = ?`, ev.Type, ev.Dedupe).Scan(&receipt.Inbox)
	}
	return receipt, err
}

// claimed creates the reward's row, or notes the newest claim in it. An event
// that was delivered again claims nothing new: a newer one may have come since.
func (t *tx) claimed(ctx context.Context, c ledger.Claimed, duplicate bool) (isNew bool, err error) {
	claim, err := json.Marshal(c.Reward)
	if err != nil {
		return false, err
	}
	r := c.Reward
	n, err := t.exec(ctx, `INSERT INTO rewards (id, amount, unit, currency, promoter_id, promoter_cust_id, promoter_email,
			campaign_id, campaign_name, claim, defect, status, status_since, reason, received_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Quantity.Amount, r.Quantity.Unit, r.Quantity.Currency, r.Promoter.ID, r.Promoter.CustID, r.Promoter.Email,
		r.Campaign.ID, r.Campaign.Name, claim, c.Defect, reward.Received, millis(t.now), firstReason, millis(t.now), millis(t.now))
	if err != nil {
		return false, err
	}
	if n == 1 {
		return true, t.remember(ctx, "", step{id: r.ID, to: reward.Received, reason: firstReason, actor: actorIntake})
	}
	if duplicate {
		return false, nil
	}
	return false, t.newerClaim(ctx, c, claim)
}

const firstReason = "the event was accepted"

// newerClaim also replaces the reward's values while nobody compared them
// with FirstPromoter.
func (t *tx) newerClaim(ctx context.Context, c ledger.Claimed, claim []byte) error {
	_, err := t.exec(ctx, `UPDATE rewards SET claim = ?, defect = ?, updated_at = ? WHERE id = ?`,
		claim, c.Defect, millis(t.now), c.Reward.ID)
	if err != nil {
		return err
	}
	r := c.Reward
	_, err = t.exec(ctx, `UPDATE rewards SET amount = ?, unit = ?, currency = ?, promoter_id = ?, promoter_cust_id = ?,
			promoter_email = ?, campaign_id = ?, campaign_name = ?
		WHERE id = ? AND verified = 0`,
		r.Quantity.Amount, r.Quantity.Unit, r.Quantity.Currency, r.Promoter.ID, r.Promoter.CustID,
		r.Promoter.Email, r.Campaign.ID, r.Campaign.Name, r.ID)
	return err
}

// closeByAnswer claims the close for the answer where that is allowed, and
// reports whether the answer closes.
func (t *tx) closeByAnswer(ctx context.Context, id reward.ID, after time.Duration) (bool, error) {
	var status reward.Status
	var by ledger.Closer
	var paid bool
	err := t.queryRow(ctx, `SELECT r.status, r.closing_by, p.state IS NOT DISTINCT FROM ?
		FROM rewards r LEFT JOIN payouts p ON p.reward_id = r.id WHERE r.id = ?`,
		payout.Paid, id).Scan(&status, &by, &paid)
	if err != nil || !paid {
		// A payout that came back is not what 200 says, whoever closes.
		return false, err
	}
	if by == ledger.ClosedByAnswer || status.Final() {
		return by == ledger.ClosedByAnswer, nil
	}
	n, err := t.exec(ctx, `UPDATE rewards SET closing_by = ?, updated_at = ?
		WHERE id = ? AND status = ? AND closing_by <> ? AND close_call IN (?, ?)
			AND EXISTS (SELECT 1 FROM payouts WHERE reward_id = rewards.id AND state = ? AND paid_at <= ?)`,
		ledger.ClosedByAnswer, millis(t.now),
		id, status, ledger.ClosedByAnswer, ledger.CallNone, ledger.CallNotDone,
		payout.Paid, millis(t.now.Add(-after)))
	if err != nil || n == 0 {
		return false, err
	}
	if status == reward.Closing {
		return true, nil
	}
	return true, t.enter(ctx, status, step{
		id: id, to: reward.Closing, reason: "the answer to a repeated event closes the reward", actor: actorAnswer,
	})
}
