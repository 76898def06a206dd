package relational

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	day   = 24 * time.Hour
	month = 30 * day
)

// Past implements ledger.History.
func (l *Ledger) Past(ctx context.Context, r reward.Reward, now time.Time) (ledger.Past, error) {
	return read(ctx, l, "ledger.past", func(ctx context.Context, q querier) (ledger.Past, error) {
		past := ledger.Past{}
		err := q.queryRow(ctx, `SELECT count(*) FROM payouts
			WHERE promoter_id = ? AND spent_at <> 0 AND state <> ? AND reward_id <> ?`,
			r.Promoter.ID, payout.Refused, r.ID).Scan(&past.Payouts)
		if err != nil {
			return ledger.Past{}, err
		}
		rows, err := q.query(ctx, `SELECT DISTINCT p.provider FROM payouts p JOIN rewards r ON r.id = p.reward_id
			WHERE p.promoter_id = ? AND p.spent_at <> 0 AND p.state <> ? AND p.reward_id <> ?
				AND r.promoter_cust_id = ? AND r.promoter_email = ? ORDER BY p.provider`,
			r.Promoter.ID, payout.Refused, r.ID, r.Promoter.CustID, r.Promoter.Email)
		past.Providers, err = collect(rows, err, func(row scanner) (name string, err error) {
			return name, row.Scan(&name)
		})
		if err != nil {
			return ledger.Past{}, err
		}
		if past.Today, err = spentSince(ctx, q, r, now.UTC().Truncate(day)); err != nil {
			return ledger.Past{}, err
		}
		past.Month, err = spentSince(ctx, q, r, now.Add(-month))
		return past, err
	})
}

// spentSince sums what left for the reward's promoter, by unit.
func spentSince(ctx context.Context, q querier, r reward.Reward, since time.Time) (map[string]ledger.Spent, error) {
	type sum struct {
		unit string
		ledger.Spent
	}
	rows, err := q.query(ctx, `SELECT cap_unit, count(*), sum(amount) FROM payouts
		WHERE promoter_id = ? AND spent_at >= ? AND state <> ? AND reward_id <> ? GROUP BY cap_unit`,
		r.Promoter.ID, millis(since), payout.Refused, r.ID)
	sums, err := collect(rows, err, func(row scanner) (sum, error) {
		var s sum
		return s, row.Scan(&s.unit, &s.Payouts, &s.Amount)
	})
	if err != nil {
		return nil, err
	}
	spent := make(map[string]ledger.Spent, len(sums))
	for _, s := range sums {
		spent[s.unit] = s.Spent
	}
	return spent, nil
}
