package sqlite_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLedger(t *testing.T) {
	t.Parallel()

	var mu sync.Mutex
	paths := make(map[string]string)
	pathOf := func(t *testing.T) string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if paths[t.Name()] == "" {
			path := filepath.Join(t.TempDir(), "ledger.db")
			paths[t.Name()] = path
			t.Cleanup(func() { ledgertest.RequireSpentDays(t, "sqlite", path) })
		}
		return paths[t.Name()]
	}
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) ledger.Ledger {
		t.Helper()
		return open(t, pathOf(t), sqlite.Options{Now: now, LockWait: time.Minute})
	})
}

// TestMigrationSumsWhatLeft brings a ledger of the schema before to the newest.
func TestMigrationSumsWhatLeft(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, sqlite.Options{})
	ledgertest.Fill(t, l)
	require.NoError(t, l.Close())
	mustExec(t, raw(t, path),
		`DROP TRIGGER payouts_discounted`, `DROP TRIGGER payouts_counted`, `DROP TRIGGER payouts_counted_at_once`, `DROP TABLE spent_days`,
		`CREATE INDEX payouts_spent ON payouts (cap_unit, spent_at)`, `DROP INDEX payouts_recipient`,
		`CREATE INDEX payouts_promoter ON payouts (promoter_id, spent_at)`, `DELETE FROM goose_db_version WHERE version_id >= 13`)

	require.NoError(t, open(t, path, sqlite.Options{}).Close())
	ledgertest.RequireSpentDays(t, "sqlite", path)
	var sums int
	require.NoError(t, raw(t, path).QueryRowContext(t.Context(), `SELECT count(*) FROM spent_days`).Scan(&sums))
	require.Positive(t, sums)
}

// open opens a ledger that is closed with the test.
func open(t testing.TB, path string, opts sqlite.Options) *sqlite.Ledger {
	t.Helper()
	l, err := sqlite.Open(context.Background(), path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// BenchmarkAccept reports how many events are committed in a second when 256
// of them arrive at once.
func BenchmarkAccept(b *testing.B) {
	l := open(b, filepath.Join(b.TempDir(), "ledger.db"), sqlite.Options{})
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 256 {
		wg.Go(func() {
			for id := next.Add(1); id <= int64(b.N); id = next.Add(1) {
				if _, err := l.Accept(context.Background(), ledgertest.Event(id), time.Minute); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
}

// BenchmarkAcceptBySeveralProcesses reports how long an accept takes, in
// milliseconds, while three processes write to one file: each sends 250 events
// a second, however long the answers take. Each has connections of its own, as
// a process has.
func BenchmarkAcceptBySeveralProcesses(b *testing.B) {
	const processes, events, pause = 3, 1000, 4 * time.Millisecond
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "ledger.db")
		took := make(chan time.Duration, processes*events)
		var group sync.WaitGroup
		for p := range processes {
			l := open(b, path, sqlite.Options{})
			group.Go(func() {
				tick := time.NewTicker(pause)
				defer tick.Stop()
				for i := range events {
					<-tick.C
					group.Go(func() {
						began := time.Now()
						if _, err := l.Accept(b.Context(), ledgertest.Event(int64(p*events+i+1)), time.Minute); err != nil {
							b.Error(err)
						}
						took <- time.Since(began)
					})
				}
			})
		}
		group.Wait()
		close(took)
		var all []time.Duration
		for d := range took {
			all = append(all, d)
		}
		slices.Sort(all)
		for name, share := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99, "max-ms": 1} {
			b.ReportMetric(float64(all[int(share*float64(len(all)-1))].Microseconds())/1000, name)
		}
	}
	b.ReportMetric(0, "ns/op")
}
