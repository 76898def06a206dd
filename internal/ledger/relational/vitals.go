package relational

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The statements of Vitals, which have indexes of their own: a monitor asks them
// many times a minute. Final statuses are named as the indexes name them.
const (
	oldestOfStatus = `SELECT coalesce(min(status_since), 0) FROM rewards
		WHERE status = ? AND status NOT IN ('fulfilled', 'fulfilled_elsewhere', 'rejected', 'abandoned')`
	unknownPayouts = `SELECT count(*), coalesce(min(first_sent_at), 0) FROM payouts WHERE state = 'unknown'`
	unclosed       = `SELECT count(*), coalesce(min(paid_at), 0) FROM (SELECT p.paid_at AS paid_at
		FROM rewards r CROSS JOIN payouts p ON p.reward_id = r.id
		WHERE r.status IN ('paid', 'closing', 'attention') AND p.state = 'paid'
		LIMIT ?) AS waiting`
)

// Vitals implements ledger.Monitor.
func (l *Ledger) Vitals(ctx context.Context, now time.Time) (ledger.Vitals, error) {
	return snapshot(ctx, l, "ledger.vitals", func(ctx context.Context, q querier) (ledger.Vitals, error) {
		v := ledger.Vitals{Statuses: map[reward.Status]ledger.Age{}}
		o := ledger.Overview{Statuses: map[reward.Status]int{}}
		if err := countRewards(ctx, q, ledger.Caller{}, &o); err != nil {
			return v, err
		}
		for status, n := range o.Statuses {
			age := ledger.Age{Count: n}
			if !status.Final() {
				var err error
				if age.Oldest, err = oldest(ctx, q, oldestOfStatus, nil, status); err != nil {
					return v, err
				}
			}
			v.Statuses[status] = age
		}
		var err error
		if v.Unknown.Oldest, err = oldest(ctx, q, unknownPayouts, &v.Unknown.Count); err != nil {
			return v, err
		}
		if v.Unclosed.Oldest, err = oldest(ctx, q, unclosed, &v.Unclosed.Count, ledger.MaxDepth); err != nil {
			return v, err
		}
		v.Paid, err = paidByDay(ctx, q, now)
		return v, err
	})
}

// oldest reads a time, and before it a count where there is a place for one.
func oldest(ctx context.Context, q querier, query string, count *int, args ...any) (time.Time, error) {
	var since int64
	into := []any{&since}
	if count != nil {
		into = []any{count, &since}
	}
	err := q.queryRow(ctx, query, args...).Scan(into...)
	return fromMillis(since), err
}
