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

// Found implements ledger.Payouts. A finding with a reference that belongs to
// another reward moves the payout to conflict where the state table allows
// it, and is only recorded elsewhere.
func (l *Ledger) Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (ledger.Payout, error) {
	const op = "ledger.found"
	if f.Answer == "" {
		f.Answer = payout.CannotTell
	}
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, err := payoutOf(ctx, t, op, id)
		if err != nil {
			return ledger.Payout{}, err
		}
		if at.IsZero() {
			at = t.now
		}
		since := fence
		if p.State == payout.Submitting {
			since = 0 // The attempt is on the wire and may still arrive: the look-up allows no other.
		}
		err = t.keepFinished(ctx, p, since, ledger.Attempt{
			Kind: ledger.AttemptLookup, Outcome: string(f.Answer), Reference: f.Reference, Detail: f.Detail,
		}, at)
		if err != nil {
			return ledger.Payout{}, err
		}
		move, moves := f.Move()
		if p.Fence != fence || !moves {
			return p, nil
		}
		if _, allowed := payout.Next(p.State, move); !allowed {
			return p, nil
		}
		return t.learn(ctx, op, p, change{move: move, reference: f.Reference, detail: f.Detail, at: at})
	})
}

// Rearm implements ledger.Payouts.
func (l *Ledger) Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (ledger.Payout, error) {
	const op = "ledger.rearm"
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, err := payoutOf(ctx, t, op, id)
		if err != nil {
			return ledger.Payout{}, err
		}
		if p.State != payout.Unknown || p.Fence != fence {
			return ledger.Payout{}, conflict(op, fmt.Sprintf("the payout is %s at fence %d; it was to be unknown at fence %d", p.State, p.Fence, fence))
		}
		doubt, err := t.doubt(ctx, op, p)
		if err != nil {
			return ledger.Payout{}, err
		}
		moved, err := t.move(ctx, p, change{move: payout.MoveNotSent, detail: reason, at: t.now})
		if err != nil {
			return ledger.Payout{}, err
		}
		if !moved {
			return ledger.Payout{}, conflict(op, "the payout has moved on")
		}
		if _, err := t.exec(ctx, `UPDATE payouts SET doubt = ? WHERE reward_id = ?`, doubt, id); err != nil {
			return ledger.Payout{}, err
		}
		return payoutOf(ctx, t, op, id)
	})
}

// doubt is what the newest look-up since the newest send was over leaves of
// the question whether that send was done.
func (t *tx) doubt(ctx context.Context, op string, p ledger.Payout) (ledger.Doubt, error) {
	var answer payout.Answer
	err := t.queryRow(ctx, `SELECT outcome FROM attempts WHERE reward_id = ? AND kind = ? AND fence = ?
		ORDER BY number DESC LIMIT 1`, p.RewardID, ledger.AttemptLookup, p.Fence).Scan(&answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", conflict(op, "nobody has looked the payout up since it was sent")
	case err != nil:
		return "", err
	case answer == payout.Absent:
		return ledger.DoubtAbsent, nil
	}
	return ledger.DoubtBlind, nil
}

const opByHand = "ledger.pay_by_hand"

// PayByHand implements ledger.Payouts. Saying the same again changes nothing.
// A reward whose status is final is fault.Conflict. The reward's own reference
// may be given, unless the payout was refused or came back under it.
func (l *Ledger) PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (ledger.Payout, error) {
	switch {
	case actor == "":
		return ledger.Payout{}, invalid(opByHand, "nobody is named who says that the reward is paid")
	case reference == "":
		return ledger.Payout{}, invalid(opByHand, "the reference of the payment is missing")
	case at.IsZero():
		return ledger.Payout{}, invalid(opByHand, "the time is missing")
	}
	return write(ctx, l, opByHand, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, there, err := findPayout(ctx, t, id)
		if err != nil {
			return ledger.Payout{}, err
		}
		if there && p.State == payout.Paid && p.Reference == reference {
			return p, nil
		}
		owed, err := t.requireOpen(ctx, opByHand, id)
		if err != nil {
			return ledger.Payout{}, err
		}
		if !there {
			if p, err = t.reserveByHand(ctx, owed, at); err != nil {
				return ledger.Payout{}, err
			}
		}
		return t.payByHand(ctx, p, actor, reference, at)
	})
}

func (t *tx) reserveByHand(ctx context.Context, owed ledger.Record, at time.Time) (ledger.Payout, error) {
	return t.reserve(ctx, opByHand, owed, ledger.Reservation{
		RewardID: owed.Reward.ID,
		Provider: providerByHand,
		Quantity: owed.Reward.Quantity,
		Request:  payout.Request{Key: payout.Key(owed.Reward.ID, 1), Destination: "by hand"},
		At:       at,
	})
}

func (t *tx) payByHand(ctx context.Context, p ledger.Payout, actor, reference string, at time.Time) (ledger.Payout, error) {
	if err := t.checkByHand(ctx, p, reference); err != nil {
		return ledger.Payout{}, err
	}
	detail := "paid by hand, says " + actor
	err := t.keepFinished(ctx, p, p.Fence, ledger.Attempt{
		Kind: ledger.AttemptByHand, Outcome: string(payout.FoundSettled), Reference: reference, Detail: detail,
	}, at)
	if err != nil {
		return ledger.Payout{}, err
	}
	moved, err := t.move(ctx, p, change{move: payout.MoveByHand, reference: reference, detail: detail, at: at})
	if err != nil {
		return ledger.Payout{}, err
	}
	if !moved {
		return ledger.Payout{}, conflict(opByHand, "the payout has moved on")
	}
	// It counts under the caps of the day on which it was said.
	if _, err := t.exec(ctx, `UPDATE payouts SET spent_at = ? WHERE reward_id = ?`, millis(at), p.RewardID); err != nil {
		return ledger.Payout{}, err
	}
	if p, err = payoutOf(ctx, t, opByHand, p.RewardID); err != nil {
		return ledger.Payout{}, err
	}
	return p, t.follow(ctx, p, detail, actor)
}

func (t *tx) checkByHand(ctx context.Context, p ledger.Payout, reference string) error {
	if _, ok := payout.Next(p.State, payout.MoveByHand); !ok {
		return conflict(opByHand, fmt.Sprintf("the payout is %s and cannot be marked as paid by hand", p.State))
	}
	if p.Reference == reference && (p.State == payout.Refused || p.State == payout.Returned) {
		return conflict(opByHand, fmt.Sprintf("the payout with the reference %s is %s", reference, p.State))
	}
	ours, err := t.own(ctx, p.Provider, reference, p.RewardID)
	if err == nil && !ours {
		err = conflict(opByHand, "the reference "+reference+" belongs to another reward")
	}
	return err
}
