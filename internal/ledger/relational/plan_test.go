package relational_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// fillInbox writes n events that wait to be dispatched.
func fillInbox(tb testing.TB, l *relational.Ledger, n int) {
	tb.Helper()
	require.NoError(tb, l.Write(tb.Context(), func(exec relational.Exec) error {
		return exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO inbox (type, dedupe, event_id, reward_id, body, traceparent, dispatch, accepted_at)
			SELECT 'lead_signup', i, i, 0, zeroblob(300), '', 1, ? + i FROM n`, n, time.Now().UnixMilli())
	}))
}

// The queues and the log must not read the whole inbox.
func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	for query, index := range map[string]string{
		`SELECT id FROM inbox WHERE dispatch = 1 AND dispatched_at = 0 AND lease_until <= 1 AND due_at <= 1 ORDER BY id LIMIT 64`:                                                                                              "inbox_waiting",
		`SELECT id FROM inbox i WHERE i.accepted_at >= 1 AND i.accepted_at < 9 ORDER BY i.accepted_at DESC, i.id DESC LIMIT 50`:                                                                                                "inbox_accepted",
		`SELECT id FROM inbox i WHERE i.type = 'x' AND i.accepted_at < 9 ORDER BY i.accepted_at DESC, i.id DESC LIMIT 50`:                                                                                                      "inbox_type",
		`SELECT count(*) FROM deliveries d WHERE d.inbox_id = 1`:                                                                                                                                                               "deliveries_inbox",
		`SELECT d.inbox_id FROM deliveries d WHERE d.answer <> 202 AND d.answer = 200`:                                                                                                                                         "deliveries_unusual",
		`SELECT id FROM replays INDEXED BY replays_queue WHERE done_at = 0 AND lease_until <= 1 AND due_at <= 1 ORDER BY id`:                                                                                                   "replays_queue",
		`SELECT coalesce(min(status_since), 0) FROM rewards WHERE status = 'held' AND status NOT IN ('fulfilled', 'fulfilled_elsewhere', 'rejected', 'abandoned')`:                                                             "rewards_since",
		`SELECT count(*), coalesce(min(first_sent_at), 0) FROM payouts WHERE state = 'unknown'`:                                                                                                                                "payouts_unknown",
		`SELECT high FROM payouts p LEFT JOIN spent_days s ON s.unit = 'credits' AND s.day = 1 AND s.scope = 'promoter' AND s.subject = CASE 'promoter' WHEN 'promoter' THEN p.promoter_id ELSE 0 END WHERE p.reward_id = 1`:   "SEARCH s USING PRIMARY KEY (scope=? AND subject=? AND day=? AND unit=?)",
		`SELECT s.payouts FROM spent_days s LEFT JOIN payouts own ON own.reward_id = 1 AND own.promoter_id = s.subject WHERE s.scope = 'promoter' AND s.subject = 7`:                                                           "SEARCH s USING PRIMARY KEY (scope=? AND subject=?)",
		`SELECT min(provider) FROM payouts WHERE promoter_id = 7 AND provider > 'billing'`:                                                                                                                                     "payouts_recipient (promoter_id=? AND provider>?)",
		`SELECT 1 FROM payouts p JOIN rewards r ON r.id = p.reward_id WHERE p.promoter_id = 7 AND p.provider = 'team' AND p.spent_at > 0 AND p.state <> 'refused' AND r.promoter_email = 'x' ORDER BY p.spent_at DESC LIMIT 1`: "payouts_recipient (promoter_id=? AND provider=? AND spent_at>?)",
	} {
		rows, err := l.Readers().QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query)
		require.NoError(t, err)
		var plan string
		for rows.Next() {
			var id, parent, unused int
			var step string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
			plan += step + "\n"
		}
		require.NoError(t, rows.Err())
		require.Contains(t, plan, index, query)
		require.NotContains(t, plan, "TEMP B-TREE", query)
	}
}

// However many events wait, their number is bounded, and so is what counting costs.
func TestDepthIsBounded(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	fillInbox(t, l, 25)
	depth, _, err := l.InboxDepth(t.Context())
	require.NoError(t, err)
	require.Equal(t, 25, depth)
	depth, oldest, err := l.Depth(t.Context(), 20)
	require.NoError(t, err)
	require.Equal(t, 20, depth)
	require.WithinDuration(t, time.Now(), oldest, time.Minute)
}

// BenchmarkInboxDepth counts what waits, by how much waits.
func BenchmarkInboxDepth(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"none", 1}, {"10k", 10_000}, {"100k", 100_000}, {"500k", 500_000}} {
		b.Run(size.name, func(b *testing.B) {
			l := open(b, filepath.Join(b.TempDir(), "ledger.db"), relational.Options{})
			fillInbox(b, l, size.n)
			for b.Loop() {
				if _, _, err := l.InboxDepth(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
