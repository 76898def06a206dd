package relational

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	day = 24 * time.Hour
	// monthDays are the whole UTC days before today that a promoter's month has.
	monthDays = 30
)

// dayOf numbers the UTC day of a time as spent_days does.
func dayOf(at time.Time) int64 { return millis(at.UTC().Truncate(day)) / day.Milliseconds() }

// Past implements ledger.History. It reads sums, and costs the same however many
// payouts the promoter had, but for the one case in decision 0026.
func (l *Ledger) Past(ctx context.Context, asked ledger.PastQuery) (ledger.Past, error) {
	return read(ctx, l, "ledger.past", func(ctx context.Context, q querier) (ledger.Past, error) {
		past, err := spentBefore(ctx, q, asked.Reward, dayOf(asked.Now))
		if err != nil {
			return ledger.Past{}, err
		}
		also := asked.Reward.Promoter
		if asked.Also != nil {
			also = *asked.Also
		}
		past.Providers, err = paidBy(ctx, q, asked.Reward, also)
		return past, err
	})
}

// spentBefore sums what left for the reward's promoter by unit, ever, in the month
// and today, and leaves the reward itself out.
func spentBefore(ctx context.Context, q querier, r reward.Reward, today int64) (ledger.Past, error) {
	rows, err := q.query(ctx, `SELECT s.unit, s.day, s.payouts - CASE WHEN own.reward_id IS NULL THEN 0 ELSE 1 END,
			s.high - coalesce(own.amount >> 32, 0), s.low - coalesce(own.amount & 4294967295, 0)
		FROM spent_days s LEFT JOIN payouts own ON own.reward_id = ? AND own.promoter_id = s.subject
			AND own.cap_unit = s.unit AND own.spent_at / 86400000 = s.day AND own.spent_at <> 0 AND own.state <> ?
		WHERE s.scope = ? AND s.subject = ?`,
		r.ID, payout.Refused, spentByPromoter, r.Promoter.ID)
	days, err := collect(rows, err, func(row scanner) (d spentDay, err error) {
		return d, row.Scan(&d.unit, &d.day, &d.payouts, &d.high, &d.low)
	})
	if err != nil {
		return ledger.Past{}, err
	}
	past := ledger.Past{}
	sinceToday, sinceMonth := sums{}, sums{}
	for _, d := range days {
		past.Payouts += d.payouts
		if d.day >= today-monthDays {
			sinceMonth.add(d)
		}
		if d.day >= today {
			sinceToday.add(d)
		}
	}
	past.Today, past.Month = sinceToday.spent(), sinceMonth.spent()
	return past, nil
}

// spentDay is a row of spent_days.
type spentDay struct {
	unit      string
	day       int64
	payouts   int
	high, low int64
}

// sums add days by unit.
type sums map[string]spentDay

func (s sums) add(d spentDay) {
	sum := s[d.unit]
	s[d.unit] = spentDay{payouts: sum.payouts + d.payouts, high: sum.high + d.high, low: sum.low + d.low}
}

// spent leaves out units of which nothing left.
func (s sums) spent() map[string]ledger.Spent {
	spent := make(map[string]ledger.Spent, len(s))
	for unit, sum := range s {
		if sum.payouts > 0 {
			spent[unit] = ledger.Spent{Payouts: sum.payouts, Amount: wide(sum.high, sum.low)}
		}
	}
	return spent
}

// paidBy returns the providers that paid, or may have paid, to the same recipient.
// It goes from one provider of the promoter's to the next, and stops at the
// newest payout of each that fits.
func paidBy(ctx context.Context, q querier, r reward.Reward, also reward.Promoter) ([]string, error) {
	rows, err := q.query(ctx, `WITH RECURSIVE providers (name) AS (
			SELECT min(provider) FROM payouts WHERE promoter_id = ?
			UNION ALL
			SELECT (SELECT min(provider) FROM payouts WHERE promoter_id = ? AND provider > providers.name)
			FROM providers WHERE providers.name IS NOT NULL)
		SELECT name FROM providers WHERE name IS NOT NULL AND (
			SELECT 1 FROM payouts p JOIN rewards r ON r.id = p.reward_id
			WHERE p.promoter_id = ? AND p.provider = providers.name AND p.spent_at > 0 AND p.state <> ? AND p.reward_id <> ?
				AND (r.promoter_cust_id = ? AND r.promoter_email = ? OR r.promoter_cust_id = ? AND r.promoter_email = ?)
			ORDER BY p.spent_at DESC LIMIT 1) IS NOT NULL
		ORDER BY name`,
		r.Promoter.ID, r.Promoter.ID, r.Promoter.ID, payout.Refused, r.ID,
		r.Promoter.CustID, r.Promoter.Email, also.CustID, also.Email)
	return collect(rows, err, func(row scanner) (name string, err error) { return name, row.Scan(&name) })
}
