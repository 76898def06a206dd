package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const selectAttempt = `SELECT reward_id, generation, number, kind, provider, key, started_at, deadline,
	finished_at, outcome, reference, detail FROM attempts WHERE reward_id = ?`

func scanAttempt(row scanner) (ledger.Attempt, error) {
	var a ledger.Attempt
	var startedAt, deadline, finishedAt int64
	err := row.Scan(&a.RewardID, &a.Generation, &a.Number, &a.Kind, &a.Provider, &a.Key, &startedAt, &deadline,
		&finishedAt, &a.Outcome, &a.Reference, &a.Detail)
	a.StartedAt, a.Deadline, a.FinishedAt = fromMillis(startedAt), fromMillis(deadline), fromMillis(finishedAt)
	return a, err
}

// Attempts implements ledger.Payouts. A reward without a payout has none.
func (l *Ledger) Attempts(ctx context.Context, id reward.ID) ([]ledger.Attempt, error) {
	return listOf(ctx, l, "ledger.attempts", id, selectAttempt+` ORDER BY number`, scanAttempt)
}

// attemptOf returns an attempt of the payout's current generation.
func attemptOf(p ledger.Payout, kind ledger.AttemptKind, number int64) ledger.Attempt {
	return ledger.Attempt{
		RewardID: p.RewardID, Generation: p.Generation, Number: number,
		Kind: kind, Provider: p.Provider, Key: p.Request.Key,
	}
}

func (t *tx) nextAttempt(ctx context.Context, p ledger.Payout) (int64, error) {
	var last int64
	err := t.queryRow(ctx, `SELECT coalesce(max(number), 0) FROM attempts WHERE reward_id = ?`, p.RewardID).Scan(&last)
	return max(last, p.Fence) + 1, err
}

// keepAttempt writes an attempt that was made under the fence.
func (t *tx) keepAttempt(ctx context.Context, a ledger.Attempt, fence int64) error {
	_, err := t.exec(ctx, `INSERT INTO attempts (reward_id, number, fence, generation, kind, provider, key,
			started_at, deadline, finished_at, outcome, reference, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.RewardID, a.Number, fence, a.Generation, a.Kind, a.Provider, a.Key,
		millis(a.StartedAt), millis(a.Deadline), millis(a.FinishedAt), a.Outcome, a.Reference, a.Detail)
	return err
}

// keepFinished writes an attempt that was over in an instant.
func (t *tx) keepFinished(ctx context.Context, p ledger.Payout, fence int64, a ledger.Attempt, at time.Time) error {
	number, err := t.nextAttempt(ctx, p)
	if err != nil {
		return err
	}
	filled := attemptOf(p, a.Kind, number)
	filled.StartedAt, filled.Deadline, filled.FinishedAt = at, at, at
	filled.Outcome, filled.Reference, filled.Detail = a.Outcome, a.Reference, a.Detail
	return t.keepAttempt(ctx, filled, fence)
}

// Finish implements ledger.Payouts. An attempt finishes once: what it is said
// to have come to later changes nothing. An outcome that brings a reference
// which belongs to another reward is about that reward's payout, so it moves
// this one to conflict, for a person to look at. An attempt that was never
// claimed is fault.NotFound.
func (l *Ledger) Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (ledger.Payout, error) {
	const op = "ledger.finish"
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, err := payoutOf(ctx, t, op, a.RewardID)
		if err != nil {
			return ledger.Payout{}, err
		}
		sent, err := scanAttempt(t.queryRow(ctx, selectAttempt+` AND number = ? AND kind = ?`,
			a.RewardID, a.Number, ledger.AttemptSend))
		if errors.Is(err, sql.ErrNoRows) {
			return ledger.Payout{}, notFound(op, fmt.Sprintf("reward %d has no attempt %d to send", a.RewardID, a.Number))
		}
		if err != nil || !sent.FinishedAt.IsZero() {
			return p, err
		}
		if err := t.finishAttempt(ctx, sent, out); err != nil {
			return ledger.Payout{}, err
		}
		if p.Fence != sent.Number || p.State != payout.Submitting {
			return p, nil
		}
		return t.learn(ctx, op, p, learned(p, out, t.now))
	})
}

// learned is the change that an outcome makes. In blind doubt, what proves that
// this attempt was not done proves nothing about the earlier one.
func learned(p ledger.Payout, out payout.Outcome, now time.Time) change {
	c := change{move: out.Move(), reference: out.Reference, detail: out.Detail, at: now}
	if p.Doubt == ledger.DoubtBlind && (c.move == payout.MoveNotSent || c.move == payout.MoveRefused) {
		c.move = payout.MoveUnknown
		c.detail = "an earlier attempt may have been done, and the newest says nothing about it: " + out.Detail
	}
	return c
}

func (t *tx) finishAttempt(ctx context.Context, a ledger.Attempt, out payout.Outcome) error {
	class := out.Class
	if !slices.Contains(payout.Classes(), class) {
		class = payout.ClassUnknown
	}
	_, err := t.exec(ctx, `UPDATE attempts SET finished_at = ?, outcome = ?, reference = ?, detail = ?
		WHERE reward_id = ? AND number = ? AND finished_at = 0`,
		millis(t.now), class, out.Reference, out.Detail, a.RewardID, a.Number)
	return err
}

// learn moves the payout by what its provider said, and the reward's status
// after it. It returns the row as it stands then.
func (t *tx) learn(ctx context.Context, op string, p ledger.Payout, c change) (ledger.Payout, error) {
	ours, err := t.own(ctx, p.Provider, c.reference, p.RewardID)
	if err != nil {
		return ledger.Payout{}, err
	}
	if !ours {
		c = change{move: payout.MoveConflict, at: c.at, detail: fmt.Sprintf(
			"the provider's reference %s belongs to another reward; a person must look it up", c.reference)}
	}
	was := p.State
	moved, err := t.move(ctx, p, c)
	if err != nil || !moved {
		return p, err
	}
	if p, err = payoutOf(ctx, t, op, p.RewardID); err != nil {
		return ledger.Payout{}, err
	}
	if was == payout.Paid && p.State == payout.Returned {
		return p, t.cameBack(ctx, p, c.detail)
	}
	reason := c.detail
	if reason == "" {
		reason = fmt.Sprintf("the payout is %s", p.State)
	}
	return p, t.follow(ctx, p, reason, "provider "+p.Provider)
}

// Expire implements ledger.Payouts. The attempt stays unfinished: nobody
// knows what it came to.
func (l *Ledger) Expire(ctx context.Context, id reward.ID, now time.Time) (ledger.Payout, error) {
	const op = "ledger.expire"
	return write(ctx, l, op, func(ctx context.Context, t *tx) (ledger.Payout, error) {
		p, err := payoutOf(ctx, t, op, id)
		if err != nil || p.State != payout.Submitting {
			return p, err
		}
		sent, err := scanAttempt(t.queryRow(ctx, selectAttempt+` AND number = ?`, id, p.Fence))
		if err != nil || now.Before(sent.Deadline) {
			return p, err
		}
		moved, err := t.move(ctx, p, change{
			move: payout.MoveUnknown, detail: fmt.Sprintf("attempt %d was never finished: its worker died", p.Fence), at: now,
		})
		if err != nil || !moved {
			return p, err
		}
		if p, err = payoutOf(ctx, t, op, id); err != nil {
			return ledger.Payout{}, err
		}
		return p, t.follow(ctx, p, p.Detail, actorLedger)
	})
}
