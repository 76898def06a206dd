package contest_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
)

// TestSteady sends a few events to a rewardflow that has a past. Nothing is said
// of speed.
func TestSteady(t *testing.T) {
	t.Parallel()

	programs, err := contest.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	s, err := contest.RunSteady(t.Context(), contest.Options{
		Rewards: 5, Concurrency: 4, Rounds: 2, Warmup: 1, Programs: programs, Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, contest.Arrivals{PerSecond: 40, For: time.Second, Past: 60})
	require.NoError(t, err)
	require.Equal(t, map[int]int{http.StatusAccepted: 40}, s.Answers)
	require.Len(t, s.Took, 40)
	require.LessOrEqual(t, s.Quantile(0.5), s.Quantile(0.99))
	require.Equal(t, s.Took[39], s.Quantile(1))
	require.Len(t, s.Rounds, 2)
	for _, round := range s.Rounds {
		require.Len(t, round.Answers, 5)
		require.Positive(t, round.Fulfilled)
	}
}
