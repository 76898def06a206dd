package relational_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func may(day int) time.Time { return time.Date(2026, time.May, day, 0, 0, 0, 0, time.UTC) }

// However many payouts there are, a page is read off the index, in its order.
func TestStatementIsReadOffItsIndex(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	month := ledger.PayoutFilter{From: may(1), To: may(31)}
	narrow := month
	narrow.States, narrow.Unit, narrow.Provider = []payout.State{payout.Paid}, reward.Cash, "payouts"
	for name, c := range map[string]struct {
		filter ledger.PayoutFilter
		after  ledger.PayoutCursor
	}{
		"everything":    {},
		"a month":       {filter: month},
		"the next page": {month, ledger.PayoutCursor{At: may(2), RewardID: 7}},
		"narrow":        {filter: narrow},
	} {
		query, args, plan, err := l.StatementPlan(t.Context(), c.filter, c.after)
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(query, ">= ?"), 1, "SQLite seeks to one lower bound only")
		if c.after.RewardID != 0 {
			require.Equal(t, c.after.At.UnixMilli(), args[0], "and it is the cursor's")
		}
		require.Len(t, plan, 3, name)
		require.Contains(t, plan[0], "p USING INDEX payouts_statement", name)
		require.Equal(t, !c.filter.From.IsZero(), strings.Contains(plan[0], "(<expr>>?"), "%s: %s", name, plan[0])
		require.Contains(t, plan[1], "SEARCH g USING INDEX", name)
		require.Contains(t, plan[2], "SEARCH r USING INTEGER PRIMARY KEY", name)
	}
}

// manyPayouts fills a ledger with paid payouts, one each 10 seconds from May 1.
func manyPayouts(tb testing.TB, n int) *relational.Ledger {
	tb.Helper()
	l := open(tb, filepath.Join(tb.TempDir(), "ledger.db"), relational.Options{})
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO `
	require.NoError(tb, l.Write(tb.Context(), func(exec relational.Exec) error {
		for _, rows := range []string{
			`rewards (id, amount, unit, currency, promoter_id, promoter_cust_id, promoter_email, campaign_id, campaign_name,
				claim, defect, verified, status, status_since, reason, digest, received_at, updated_at)
			SELECT i, i, 'cash', 'USD', i % 1000, 'cust-7', 'promoter@example.com', 17476, 'Spring',
				x'', '', 1, 'fulfilled', 1, 'done', 'd', 1, 1 FROM n`,
			`payout_generations SELECT i, 1, 'payouts', i, 'cash', 'USD', 'rf_' || i || '_1', 'account 7', x'', 1, 'ledger' FROM n`,
			`payouts (reward_id, generation, provider, promoter_id, campaign_id, cap_unit, amount, state, fence, reference,
				first_sent_at, spent_at, updated_at, paid_at)
			SELECT i, 1, 'payouts', i % 1000, 17476, 'USD', i, 'paid', 1, 'ref-' || i, 1, 1, 1, ` + millisOf(may(1)) + ` + i * 10000 FROM n`,
			`attempts SELECT i, 1, 1, 1, 'send', 'payouts', 'rf_' || i || '_1', 1, 2, 2, 'accepted', 'ref-' || i, '' FROM n`,
			`decisions (id, reward_id, person, verified, roles, lane, verdict, comment, digest, at, counted, refusal)
			SELECT 'd' || i, i, 'alice', 1, '[]', 'api', 'approve', '', 'd', 1, 1, '' FROM n`,
		} {
			if err := exec(numbers+rows, n); err != nil {
				return err
			}
		}
		return nil
	}))
	return l
}

func millisOf(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// BenchmarkStatement reads, of 200,000 payouts, a page of 500 at the start and
// one at the end, and the sums of a day and of everything. Of the pages,
// deep/first is how much dearer the last one is than the first.
func BenchmarkStatement(b *testing.B) {
	const payouts = 200_000
	l := manyPayouts(b, payouts)
	page := func(b *testing.B, after int64) time.Duration {
		began := time.Now()
		entries, err := l.ListPayouts(b.Context(), ledger.PayoutFilter{From: may(1)}, ledger.PayoutCursor{
			At: may(1).Add(time.Duration(after) * 10 * time.Second), RewardID: reward.ID(after),
		}, 500)
		require.NoError(b, err)
		require.Len(b, entries, 500)
		return time.Since(began)
	}
	b.Run("pages", func(b *testing.B) {
		var first, deep time.Duration
		for b.Loop() {
			first += page(b, 0)
			deep += page(b, payouts-500)
		}
		b.ReportMetric(float64(deep)/float64(first), "deep/first")
	})
	for name, f := range map[string]ledger.PayoutFilter{
		"sums of a day":      {From: may(3), To: may(4)},
		"sums of everything": {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				totals, err := l.PayoutTotals(b.Context(), f)
				require.NoError(b, err)
				require.Len(b, totals, 1)
			}
		})
	}
}
