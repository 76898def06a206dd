package intake_test

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// TestClockIsStepped runs the dispatcher under a clock that is a day ahead,
// sets it right, and steps it forward: nothing waits for the day to pass.
func TestClockIsStepped(t *testing.T) {
	t.Parallel()

	var ahead atomic.Int64
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	b := &bundle{ledger: l, temporal: newFakeTemporal()}
	in, err := intake.New(l, intake.Config{
		CloseByAnswerAfter: time.Hour, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	b.intake = in

	ahead.Store(int64(24 * time.Hour))
	for n := range int64(4) {
		b.accept(t, lead(n))
	}
	b.temporal.down = 2
	leased, err := l.Lease(t.Context(), "a process that died", 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, leased, 2)
	stop := run(t, b.newDispatcher("one"))
	require.Eventually(t, func() bool {
		b.temporal.mu.Lock()
		defer b.temporal.mu.Unlock()
		return b.temporal.down == 0
	}, 20*time.Second, time.Millisecond)
	stop()

	ahead.Store(0)
	run(t, b.newDispatcher("two"))
	b.temporal.until(t, func(s map[string]int) bool { return len(s) == 4 })
	ahead.Store(int64(48 * time.Hour))
	b.accept(t, lead(5))
	b.temporal.until(t, func(s map[string]int) bool { return len(s) == 5 })
	for id, n := range b.temporal.starts() {
		require.Equal(t, 1, n, id)
	}
}
