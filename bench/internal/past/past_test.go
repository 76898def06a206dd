package past_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/past"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestFill fills a ledger whose rewards have ended, with nothing left to do.
func TestFill(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	require.NoError(t, past.Fill(t.Context(), path, 30))

	l, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	totals, _, err := l.Summary(t.Context())
	require.NoError(t, err)
	require.Len(t, totals, 1)
	require.Equal(t, reward.Fulfilled, totals[0].Status)
	require.EqualValues(t, 30, totals[0].Count)
	depth, _, err := l.InboxDepth(t.Context())
	require.NoError(t, err)
	require.Zero(t, depth, "an announcement waits to be dispatched")
}
