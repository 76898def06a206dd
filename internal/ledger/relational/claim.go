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

const opClaim = "ledger.claim"

// Claim implements ledger.Payouts. Without a time, or with a deadline that is
// not after it, it is fault.Invalid: the caps and the provider's window count
// from that time.
func (l *Ledger) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	if now.IsZero() || !deadline.After(now) {
		return ledger.Claim{}, invalid(opClaim, "a claim needs the time, and a deadline after it")
	}
	return write(ctx, l, opClaim, func(ctx context.Context, t *tx) (ledger.Claim, error) {
		p, err := payoutOf(ctx, t, opClaim, id)
		if err != nil {
			return ledger.Claim{}, err
		}
		status, err := statusOfReward(ctx, t, id)
		if err != nil {
			return ledger.Claim{}, err
		}
		if _, ok := payout.Next(p.State, payout.MoveClaim); !ok {
			return ledger.Claim{Reason: fmt.Sprintf("the payout is %s", p.State), Payout: p}, nil
		}
		if status.Final() {
			return ledger.Claim{Reason: fmt.Sprintf("the reward is %s", status), Payout: p}, nil
		}
		reason, err := t.braked(ctx, p, caps, now)
		if err != nil {
			return ledger.Claim{}, err
		}
		if reason != "" {
			return ledger.Claim{Braked: true, Reason: reason, Payout: p}, nil
		}
		return t.claim(ctx, p, status, now, deadline)
	})
}

// claim takes the fence. The new one is the number of the attempt, which
// counts look-ups too, so that no two attempts of a reward share a number.
func (t *tx) claim(ctx context.Context, p ledger.Payout, status reward.Status, now, deadline time.Time) (ledger.Claim, error) {
	to, _ := payout.Next(p.State, payout.MoveClaim)
	number, err := t.nextAttempt(ctx, p)
	if err != nil {
		return ledger.Claim{}, err
	}
	n, err := t.exec(ctx, `UPDATE payouts SET state = ?, fence = ?, spent_at = ?, updated_at = ?,
			first_sent_at = CASE WHEN first_sent_at = 0 THEN ? ELSE first_sent_at END
		WHERE reward_id = ? AND state = ? AND fence = ?`,
		to, number, millis(now), millis(t.now), millis(now), p.RewardID, p.State, p.Fence)
	if err != nil {
		return ledger.Claim{}, err
	}
	if n != 1 {
		return ledger.Claim{Reason: "the payout has moved on", Payout: p}, nil
	}
	if err := t.journal(ctx, p, payout.MoveClaim, to, number, ""); err != nil {
		return ledger.Claim{}, err
	}
	attempt := attemptOf(p, ledger.AttemptSend, number)
	attempt.StartedAt, attempt.Deadline = fromMillis(millis(now)), fromMillis(millis(deadline))
	if err := t.keepAttempt(ctx, attempt, number); err != nil {
		return ledger.Claim{}, err
	}
	if p, err = payoutOf(ctx, t, opClaim, p.RewardID); err != nil {
		return ledger.Claim{}, err
	}
	if status != reward.Paying {
		err := t.enter(ctx, status, step{
			id: p.RewardID, to: reward.Paying, reason: fmt.Sprintf("attempt %d at provider %s", number, p.Provider), actor: actorLedger,
		})
		if err != nil {
			return ledger.Claim{}, err
		}
	}
	return ledger.Claim{Taken: true, Attempt: attempt, Payout: p}, nil
}

// braked says in words why no money may leave now; empty when it may.
func (t *tx) braked(ctx context.Context, p ledger.Payout, caps ledger.Caps, now time.Time) (string, error) {
	var scope, reason string
	err := t.queryRow(ctx, `SELECT scope, reason FROM brakes WHERE paused = 1 AND scope IN (?, ?)
		ORDER BY scope = ? DESC LIMIT 1`, ledger.AllProviders, p.Provider, ledger.AllProviders).Scan(&scope, &reason)
	switch {
	case err == nil && scope == ledger.AllProviders:
		return "all payouts are paused: " + reason, nil
	case err == nil:
		return fmt.Sprintf("payouts by %s are paused: %s", scope, reason), nil
	case !errors.Is(err, sql.ErrNoRows):
		return "", err
	}
	return t.overCap(ctx, p, caps, now)
}

// capUnit is what a quantity is capped under.
func capUnit(q reward.Quantity) string {
	if q.Unit == reward.Cash {
		return q.Currency
	}
	return string(q.Unit)
}

// overCap says which cap this payout would exceed; empty when none.
func (t *tx) overCap(ctx context.Context, p ledger.Payout, caps ledger.Caps, now time.Time) (string, error) {
	unit, amount := capUnit(p.Quantity), p.Quantity.Amount
	if most, ok := caps.MaxSingle[unit]; ok && amount > most {
		return fmt.Sprintf("%d %s is above the largest single payout, %d", amount, unit, most), nil
	}
	daily := []struct {
		caps  map[string]int64
		where string
		name  string
	}{
		{caps.MaxPerDay, ``, "the cap per day"},
		{caps.MaxPerPromoterPerDay, ` AND promoter_id = (SELECT promoter_id FROM payouts WHERE reward_id = ?)`, "the promoter's cap per day"},
		{caps.MaxPerCampaignPerDay, ` AND campaign_id = (SELECT campaign_id FROM payouts WHERE reward_id = ?)`, "the campaign's cap per day"},
	}
	day := now.UTC().Truncate(24 * time.Hour)
	for _, c := range daily {
		most, ok := c.caps[unit]
		if !ok {
			continue
		}
		args := []any{unit, millis(day), millis(day.Add(24 * time.Hour)), payout.Refused, p.RewardID}
		if c.where != "" {
			args = append(args, p.RewardID)
		}
		var spent int64
		err := t.queryRow(ctx, `SELECT coalesce(sum(amount), 0) FROM payouts
			WHERE cap_unit = ? AND spent_at >= ? AND spent_at < ? AND state <> ? AND reward_id <> ?`+c.where, args...).Scan(&spent)
		if err != nil {
			return "", err
		}
		// Written so that no sum overflows.
		if spent > most || amount > most-spent {
			return fmt.Sprintf("%d %s more would exceed %s, %d: %d may be paid already", amount, unit, c.name, most, spent), nil
		}
	}
	return "", nil
}
