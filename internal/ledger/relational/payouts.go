package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// providerByHand is the provider of a payout that no provider made.
const providerByHand = "by_hand"

const selectPayouts = `SELECT p.reward_id, p.generation, p.provider, g.amount, g.unit, g.currency,
	g.key, g.destination, g.body, p.state, p.fence, p.reference, p.detail,
	g.reserved_at, p.first_sent_at, p.updated_at, p.paid_at, p.look_at, p.doubt
	FROM payouts p JOIN payout_generations g ON g.reward_id = p.reward_id AND g.generation = p.generation`

func scanPayout(row scanner) (ledger.Payout, error) {
	var p ledger.Payout
	var reservedAt, firstSentAt, updatedAt, paidAt, lookAt int64
	err := row.Scan(&p.RewardID, &p.Generation, &p.Provider,
		&p.Quantity.Amount, &p.Quantity.Unit, &p.Quantity.Currency,
		&p.Request.Key, &p.Request.Destination, &p.Request.Body, &p.State, &p.Fence, &p.Reference, &p.Detail,
		&reservedAt, &firstSentAt, &updatedAt, &paidAt, &lookAt, &p.Doubt)
	p.ReservedAt, p.FirstSentAt = fromMillis(reservedAt), fromMillis(firstSentAt)
	p.UpdatedAt, p.PaidAt, p.NextLook = fromMillis(updatedAt), fromMillis(paidAt), fromMillis(lookAt)
	return p, err
}

// findPayout reports false when the reward has no payout.
func findPayout(ctx context.Context, q querier, id reward.ID) (ledger.Payout, bool, error) {
	p, err := scanPayout(q.queryRow(ctx, selectPayouts+` WHERE p.reward_id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Payout{}, false, nil
	}
	return p, err == nil, err
}

// payoutOf returns fault.NotFound when the reward has no payout.
func payoutOf(ctx context.Context, q querier, op string, id reward.ID) (ledger.Payout, error) {
	p, there, err := findPayout(ctx, q, id)
	if err == nil && !there {
		err = notFound(op, fmt.Sprintf("reward %d has no payout", id))
	}
	return p, err
}

// Payout implements ledger.Payouts.
func (l *Ledger) Payout(ctx context.Context, id reward.ID) (ledger.Payout, error) {
	const op = "ledger.payout"
	return read(ctx, l, op, func(ctx context.Context, q querier) (ledger.Payout, error) {
		return payoutOf(ctx, q, op, id)
	})
}

// Reserve implements ledger.Payouts. A reward that is not there is
// fault.NotFound, one whose status is final fault.Conflict.
func (l *Ledger) Reserve(ctx context.Context, r ledger.Reservation) (ledger.Payout, error) {
	const op = "ledger.reserve"
	if err := checkReservation(op, r); err != nil {
		return ledger.Payout{}, err
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, there, err := findPayout(ctx, t, r.RewardID)
		if err != nil || there {
			return p, err
		}
		owed, err := t.requireOpen(ctx, op, r.RewardID)
		if err != nil {
			return ledger.Payout{}, err
		}
		return t.reserve(ctx, op, owed, r)
	})
}

func checkReservation(op string, r ledger.Reservation) error {
	switch {
	case r.Provider == "":
		return invalid(op, "the reservation names no provider")
	case r.Request.Key == "":
		return invalid(op, "the reservation has no idempotency key")
	case r.At.IsZero():
		return invalid(op, "the reservation has no time")
	}
	if err := r.Quantity.Payable(); err != nil {
		return invalid(op, err.Error())
	}
	return nil
}

// reserve inserts the payout of generation 1.
func (t *tx) reserve(ctx context.Context, op string, owed ledger.Record, r ledger.Reservation) (ledger.Payout, error) {
	if err := t.freeze(ctx, op, r, 1, actorLedger); err != nil {
		return ledger.Payout{}, err
	}
	// Promoter and campaign are copied: a cap counts what was true at reserve.
	_, err := t.exec(ctx, `INSERT INTO payouts
		(reward_id, generation, provider, promoter_id, campaign_id, cap_unit, amount, state, updated_at)
		VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)`,
		r.RewardID, r.Provider, owed.Reward.Promoter.ID, owed.Reward.Campaign.ID,
		capUnit(r.Quantity), r.Quantity.Amount, payout.Reserved, millis(t.now))
	if err != nil {
		return ledger.Payout{}, err
	}
	return payoutOf(ctx, t, op, r.RewardID)
}

// freeze writes what a generation is, for ever. A key that was used before is
// fault.Conflict.
func (t *tx) freeze(ctx context.Context, op string, r ledger.Reservation, generation int, actor string) error {
	body := r.Request.Body
	if body == nil {
		body = []byte{}
	}
	_, err := t.exec(ctx, `INSERT INTO payout_generations
		(reward_id, generation, provider, amount, unit, currency, key, destination, body, reserved_at, actor)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.RewardID, generation, r.Provider, r.Quantity.Amount, r.Quantity.Unit, r.Quantity.Currency,
		r.Request.Key, r.Request.Destination, body, millis(r.At), actor)
	if t.isConstraint(err) {
		return conflict(op, "the idempotency key "+r.Request.Key+" was used before")
	}
	return err
}

// NewGeneration implements ledger.Payouts.
func (l *Ledger) NewGeneration(ctx context.Context, r ledger.Reservation, actor string) (ledger.Payout, error) {
	const op = "ledger.new_generation"
	if err := checkReservation(op, r); err != nil {
		return ledger.Payout{}, err
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, err := payoutOf(ctx, t, op, r.RewardID)
		if err != nil {
			return ledger.Payout{}, err
		}
		if _, err := t.requireOpen(ctx, op, r.RewardID); err != nil {
			return ledger.Payout{}, err
		}
		to, ok := payout.Next(p.State, payout.MoveGeneration)
		if !ok {
			return ledger.Payout{}, conflict(op, fmt.Sprintf("the payout is %s; only a refused one gets a new generation", p.State))
		}
		return t.nextGeneration(ctx, op, p, to, r, actor)
	})
}

func (t *tx) nextGeneration(
	ctx context.Context, op string, p ledger.Payout, to payout.State, r ledger.Reservation, actor string,
) (ledger.Payout, error) {
	generation := p.Generation + 1
	if err := t.freeze(ctx, op, r, generation, actor); err != nil {
		return ledger.Payout{}, err
	}
	detail := fmt.Sprintf("generation %d, asked for by %s", generation, actor)
	n, err := t.exec(ctx, `UPDATE payouts SET generation = ?, provider = ?, cap_unit = ?, amount = ?, state = ?,
			reference = '', detail = ?, first_sent_at = 0, spent_at = 0, paid_at = 0, doubt = '', updated_at = ?
		WHERE reward_id = ? AND state = ? AND fence = ? AND generation = ?`,
		generation, r.Provider, capUnit(r.Quantity), r.Quantity.Amount, to, detail, millis(t.now),
		p.RewardID, p.State, p.Fence, p.Generation)
	if err != nil {
		return ledger.Payout{}, err
	}
	if n != 1 {
		return ledger.Payout{}, conflict(op, "the payout has moved on")
	}
	if err := t.journal(ctx, p, payout.MoveGeneration, to, p.Fence, detail); err != nil {
		return ledger.Payout{}, err
	}
	return payoutOf(ctx, t, op, p.RewardID)
}

// change is one move of a payout and what it brings along.
type change struct {
	move      payout.Move
	reference string // Empty leaves the row's reference as it is.
	detail    string
	at        time.Time
}

// move makes a move that the state table allows, by one fenced statement, and
// reports whether it did. It is the one place, beside claim and the next
// generation, where a payout's state changes.
func (t *tx) move(ctx context.Context, p ledger.Payout, c change) (bool, error) {
	to, ok := payout.Next(p.State, c.move)
	if !ok {
		return false, nil
	}
	paidAt, lookAt := p.PaidAt, time.Time{}
	if to == payout.Paid {
		paidAt = c.at
		if c.move != payout.MoveByHand {
			lookAt = c.at.Add(ledger.FirstLook)
		}
	}
	n, err := t.exec(ctx, `UPDATE payouts SET state = ?, detail = ?, paid_at = ?, look_at = ?, updated_at = ?,
			reference = CASE WHEN ? = '' THEN reference ELSE ? END
		WHERE reward_id = ? AND state = ? AND fence = ?`,
		to, c.detail, millis(paidAt), millis(lookAt), millis(t.now), c.reference, c.reference, p.RewardID, p.State, p.Fence)
	if err != nil || n != 1 {
		return false, err
	}
	return true, t.journal(ctx, p, c.move, to, p.Fence, c.detail)
}

// journal appends a move to the payout's own history.
func (t *tx) journal(
	ctx context.Context, p ledger.Payout, move payout.Move, to payout.State, fence int64, detail string,
) error {
	_, err := t.exec(ctx, `INSERT INTO payout_moves (reward_id, generation, at, move, from_state, to_state, fence, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, p.RewardID, p.Generation, millis(t.now), move, p.State, to, fence, detail)
	return err
}

// own notes that the provider's object belongs to the reward. False says that
// it belongs to another one: it proves nothing about this one.
func (t *tx) own(ctx context.Context, provider, reference string, id reward.ID) (bool, error) {
	if reference == "" {
		return true, nil
	}
	_, err := t.exec(ctx, `INSERT INTO payout_references (provider, reference, reward_id) VALUES (?, ?, ?)
		ON CONFLICT (provider, reference) DO NOTHING`, provider, reference, id)
	if err != nil {
		return false, err
	}
	var owner reward.ID
	err = t.queryRow(ctx, `SELECT reward_id FROM payout_references WHERE provider = ? AND reference = ?`,
		provider, reference).Scan(&owner)
	return owner == id, err
}
