package relational

import (
	"context"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Overview implements ledger.Overviews. It reads the counts that triggers keep.
func (l *Ledger) Overview(ctx context.Context, who ledger.Caller, since time.Time) (ledger.Overview, error) {
	return snapshot(ctx, l, "ledger.overview", func(ctx context.Context, q querier) (ledger.Overview, error) {
		o := ledger.Overview{Statuses: map[reward.Status]int{}}
		if err := countRewards(ctx, q, who, &o); err != nil {
			return o, err
		}
		var err error
		if o.Asking, err = askingByHour(ctx, q); err != nil {
			return o, err
		}
		o.Paid, err = paidByDay(ctx, q, since)
		return o, err
	})
}

// count is one row of reward_counts.
type count struct {
	status reward.Status
	asking bool
	role   string
	n      int
}

func countRewards(ctx context.Context, q querier, who ledger.Caller, o *ledger.Overview) error {
	rows, err := q.query(ctx, `SELECT status, asking, role, n FROM reward_counts WHERE n <> 0`)
	counts, err := collect(rows, err, func(row scanner) (count, error) {
		var c count
		err := row.Scan(&c.status, &c.asking, &c.role, &c.n)
		return c, err
	})
	if err != nil {
		return err
	}
	for _, c := range counts {
		o.Statuses[c.status] += c.n
		switch {
		case c.asking && slices.Contains(who.Roles, c.role):
			o.ForCaller += c.n
		case c.asking:
			o.ForOthers += c.n
		}
	}
	rows, err = q.query(ctx, `SELECT role, n FROM open_vote_counts WHERE person = ? AND n <> 0`, voter(who.Person))
	decided, err := collect(rows, err, func(row scanner) (count, error) {
		var c count
		err := row.Scan(&c.role, &c.n)
		return c, err
	})
	for _, c := range decided {
		if slices.Contains(who.Roles, c.role) {
			o.ForCaller -= c.n
			o.ForOthers += c.n
		}
	}
	return err
}

func askingByHour(ctx context.Context, q querier) ([]ledger.HourCount, error) {
	rows, err := q.query(ctx, `SELECT hour, n FROM asking_hours WHERE n <> 0 ORDER BY hour`)
	return collect(rows, err, func(row scanner) (ledger.HourCount, error) {
		var c ledger.HourCount
		var hour int64
		err := row.Scan(&hour, &c.Count)
		c.Hour = time.UnixMilli(hour * time.Hour.Milliseconds()).UTC()
		return c, err
	})
}

func paidByDay(ctx context.Context, q querier, since time.Time) ([]ledger.DayTotal, error) {
	rows, err := q.query(ctx, `SELECT day, unit, n, amount FROM paid_days WHERE day >= ? AND n <> 0 ORDER BY day, unit`,
		millis(since)/day.Milliseconds())
	return collect(rows, err, func(row scanner) (ledger.DayTotal, error) {
		var t ledger.DayTotal
		var on int64
		err := row.Scan(&on, &t.Unit, &t.Count, &t.Amount)
		t.Day = time.UnixMilli(on * day.Milliseconds()).UTC()
		return t, err
	})
}
