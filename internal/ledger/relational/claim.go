package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
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
		scope string
		name  string
	}{
		{caps.MaxPerDay, spentByAll, "the cap per day"},
		{caps.MaxPerPromoterPerDay, spentByPromoter, "the promoter's cap per day"},
		{caps.MaxPerCampaignPerDay, spentByCampaign, "the campaign's cap per day"},
	}
	for _, c := range daily {
		most, ok := c.caps[unit]
		if !ok {
			continue
		}
		spent, err := t.spentOn(ctx, p.RewardID, unit, c.scope, now)
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

// By whom spent_days sums.
const (
	spentByAll      = "all"
	spentByPromoter = "promoter"
	spentByCampaign = "campaign"
)

// spentOn returns how much of a unit left, or may have, on the UTC day of a time,
// for everybody, the reward's promoter or its campaign, and leaves the reward
// itself out. The sums are the database's own, kept where a payout changes.
func (t *tx) spentOn(ctx context.Context, id reward.ID, unit, scope string, at time.Time) (int64, error) {
	on := dayOf(at)
	var high, low int64
	err := t.queryRow(ctx, `SELECT
			coalesce(s.high, 0) - CASE WHEN own THEN p.amount >> 32 ELSE 0 END,
			coalesce(s.low, 0) - CASE WHEN own THEN p.amount & 4294967295 ELSE 0 END
		FROM (SELECT *, spent_at <> 0 AND spent_at / 86400000 = ? AND state <> ? AND cap_unit = ? AS own
			FROM payouts WHERE reward_id = ?) AS p
		LEFT JOIN spent_days s ON s.unit = ? AND s.day = ? AND s.scope = ?
			AND s.subject = CASE ? WHEN 'promoter' THEN p.promoter_id WHEN 'campaign' THEN p.campaign_id ELSE 0 END`,
		on, payout.Refused, unit, id, unit, on, scope, scope).Scan(&high, &low)
	return wide(high, low), err
}

// wide returns high * 2^32 + low, at most the largest number. Neither is below zero.
func wide(high, low int64) int64 {
	high += low >> 32
	if high > math.MaxInt32 {
		return math.MaxInt64
	}
	return high<<32 | low&math.MaxUint32
}
