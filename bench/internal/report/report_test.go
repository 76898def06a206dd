package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
	"github.com/rewardflow/rewardflow/bench/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// run is a made-up run with a contender of each kind: rewardflow, one that is
// slower, one that is faster, one that loses rewards, and one that is skipped.
func run() report.Report {
	answers := func(slowest time.Duration) []time.Duration {
		all := make([]time.Duration, 100)
		for i := range all {
			all[i] = slowest * time.Duration(i+1) / 100
		}
		return all
	}
	named := func(name string) contest.Contender {
		c, err := contest.Choose([]string{name})
		if err != nil {
			panic(err)
		}
		return c[0]
	}
	result := func(name string, accepted, fulfilled float64, p99 time.Duration, cost contest.Cost, kills contest.Kills) contest.Result {
		round := contest.Round{Accepted: accepted, Fulfilled: fulfilled, Answers: answers(p99)}
		slow, quick := round, round
		slow.Fulfilled, quick.Fulfilled = fulfilled*0.8, fulfilled*1.2
		kills.Rewards = 100
		return contest.Result{Contender: named(name), Rounds: []contest.Round{slow, round, quick}, Cost: cost, Kills: &kills}
	}
	return report.Report{
		Day: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Cores: 2, System: "linux/amd64", Go: "go1.26.8", Sync: 1400 * time.Microsecond,
		Options: contest.Options{Rewards: 300, Concurrency: 32, Rounds: 3, Warmup: 20, Kills: 5, Batch: 20, Seed: 7, Quiet: time.Minute},
		Results: []contest.Result{
			result("ours", 1500, 50, 50*time.Millisecond, contest.Cost{Memory: 200 << 20, Bytes: 40 << 10, Actions: 2, Events: 6},
				contest.Kills{Serving: 2 * time.Second, Recovered: 30 * time.Second}),
			{Contender: named("ours-postgres"), Skipped: "PostgreSQL is not installed"},
			result("plain", 50, 20, 2*time.Second, contest.Cost{Memory: 190 << 20, Bytes: 41 << 10, Actions: 3, Events: 17},
				contest.Kills{SentAgain: 4, Serving: 2 * time.Second, Recovered: 15 * time.Second}),
			result("dbos-sqlite", 400, 300, 300*time.Millisecond, contest.Cost{Memory: 30 << 20, Bytes: 1 << 10},
				contest.Kills{SentAgain: 3, ClosedTwice: 2, Serving: 90 * time.Millisecond, Recovered: 200 * time.Millisecond}),
			result("naive", 5000, 2000, 10*time.Millisecond, contest.Cost{Memory: 20 << 20},
				contest.Kills{Lost: 37, PaidTwice: 1, Serving: 10 * time.Millisecond, Recovered: time.Second}),
		},
	}
}

func TestPage(t *testing.T) {
	t.Parallel()

	quiet := run()
	quiet.Options.Kills = 0
	for i := range quiet.Results {
		quiet.Results[i].Kills = nil
	}
	alone := run()
	alone.Results = alone.Results[:3]
	alone.Results[0].Kills.SentAgain = 1
	for name, r := range map[string]report.Report{"page.md": run(), "without-kills.md": quiet, "slower-peer-only.md": alone} {
		page, err := r.Markdown()
		require.NoError(t, err)
		golden := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o700))
			require.NoError(t, os.WriteFile(golden, page, 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), string(page), "%s: go test ./internal/report -update writes it anew", name)
	}
}

// TestVerdictsFollowTheFigures turns the figures around, and with them what the
// page says.
func TestVerdictsFollowTheFigures(t *testing.T) {
	t.Parallel()

	r := run()
	faster := r.Faster()
	require.Len(t, faster, 2)
	require.Equal(t, "DBOS on SQLite", faster[0].Title)
	require.Contains(t, faster[0].Better, "fulfils 6.0 times as many rewards a second")
	require.Contains(t, faster[0].Worse, "accepts 27% as many events a second")
	require.Empty(t, faster[0].Unsafe)
	require.Equal(t, "loses 37 of 100 rewards that it had accepted and pays 1 of 100 rewards twice", faster[1].Unsafe)
	require.NotContains(t, faster[1].Better, "recovered", "who loses rewards has not recovered")
	require.Contains(t, r.Plain(), "fulfils 2.5 times as many")
	require.Contains(t, r.Plain(), "2 Temporal actions and 6 history events for each instead of 3 and 17")

	for i := range r.Results {
		for j := range r.Results[i].Rounds {
			r.Results[i].Rounds[j].Accepted = 10
			r.Results[i].Rounds[j].Fulfilled = 10
		}
	}
	require.Empty(t, r.Faster(), "what is the same is not faster")
	require.Empty(t, r.Accepts())
	r.Results[3].Rounds[0].Fulfilled = 10.5
	require.Empty(t, r.Faster(), "nor is noise")
}
