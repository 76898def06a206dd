package contest_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
)

// TestEveryContender brings 20 rewards through each contender and holds it
// against the books of the doubles, and kills those that have nothing to wait
// for afterwards. Nothing is said of speed.
func TestEveryContender(t *testing.T) {
	t.Parallel()

	programs, err := contest.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	options := contest.Options{
		Rewards: 20, Concurrency: 8, Rounds: 1, Warmup: 2, Programs: programs, Dir: t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	results, err := contest.Run(t.Context(), options, contest.Contenders())
	require.NoError(t, err)
	require.Len(t, results, len(contest.Contenders()))
	for _, r := range results {
		if r.Skipped != "" {
			require.True(t, mayBeMissing(r), "%s was skipped: %s", r.Contender.Name, r.Skipped)
			require.NotContains(t, r.Skipped, options.Dir)
			continue
		}
		require.Len(t, r.Rounds, 1)
		require.Len(t, r.Rounds[0].Answers, 20)
		require.Positive(t, r.Rounds[0].Accepted)
		require.Positive(t, r.Rounds[0].Fulfilled)
		require.Nil(t, r.Kills)
		switch r.Contender.Name {
		case "ours", "ours-postgres":
			require.InDelta(t, 2, r.Cost.Actions, 0.5, r.Contender.Name)
			require.InDelta(t, 6, r.Cost.Events, 3, r.Contender.Name)
		case "plain":
			require.InDelta(t, 3, r.Cost.Actions, 0.5)
			require.InDelta(t, 17, r.Cost.Events, 6)
		default:
			require.Zero(t, r.Cost.Actions)
		}
	}
	left, err := os.ReadDir(options.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "what contenders keep is removed")

	t.Run("Killed", func(t *testing.T) {
		options := options
		options.Kills, options.Batch, options.Seed, options.Quiet, options.Rewards = 3, 6, 7, 5*time.Second, 1
		chosen, err := contest.Choose([]string{"dbos-sqlite", "naive"})
		require.NoError(t, err)
		results, err := contest.Run(t.Context(), options, chosen)
		require.NoError(t, err)
		durable, naive := results[0].Kills, results[1].Kills
		require.Equal(t, 18, durable.Rewards)
		require.Zero(t, durable.Lost)
		require.Zero(t, durable.PaidTwice)
		require.Positive(t, durable.Recovered)
		require.Positive(t, naive.Lost, "what is in memory only does not outlive a kill")
		require.Zero(t, naive.PaidTwice)
	})
}

// mayBeMissing says whether a contender may be skipped here: those that need
// PostgreSQL where there is none.
func mayBeMissing(r contest.Result) bool {
	return r.Contender.Postgres && strings.Contains(r.Skipped, "PostgreSQL is not installed")
}

func TestChoose(t *testing.T) {
	t.Parallel()

	all, err := contest.Choose(nil)
	require.NoError(t, err)
	require.Equal(t, contest.Contenders(), all)
	some, err := contest.Choose([]string{"plain", "ours"})
	require.NoError(t, err)
	require.Equal(t, []string{"ours", "plain"}, []string{some[0].Name, some[1].Name})
	for _, names := range [][]string{{"temporal"}, {"ours", "ours"}} {
		_, err = contest.Choose(names)
		require.ErrorContains(t, err, "naive", fmt.Sprint(names))
	}
}
