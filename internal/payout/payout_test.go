package payout_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestKeyIsWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, "rf_2429153_1", payout.Key(2429153, 1))
	require.Equal(t, "rf_2429153_2", payout.Key(2429153, 2))
	longest := payout.Key(reward.ID(math.MaxInt64), math.MaxInt64)
	require.Equal(t, "rf_9223372036854775807_9223372036854775807", longest)
	require.LessOrEqual(t, len(longest), 63)
	require.NotEqual(t, payout.Key(1, 11), payout.Key(11, 1))
}

func TestAccountKeyIsWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, payout.Key(2429153, 1), payout.AccountKey("", 2429153, 1))
	require.Equal(t, "rf_acme-eu_2429153_1", payout.AccountKey("acme-eu", 2429153, 1))
	longest := payout.AccountKey(strings.Repeat("a", payout.MaxAccount), reward.ID(math.MaxInt64), 1_000_000)
	require.True(t, payout.UsableKey(longest), longest)
}

func TestNextLook(t *testing.T) {
	t.Parallel()

	paid := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	traits := payout.Traits{WatchFor: 10 * day}
	for name, c := range map[string]struct{ after, next time.Duration }{
		"at once, because the provider called": {0, day},
		"after the first look":                 {day, 2 * day},
		"a late look":                          {3 * day, 6 * day},
		"the last look":                        {5 * day, 10 * day},
		"past the last look":                   {5*day + 1, -1},
		"a clock that was set back":            {-2 * day, -day},
	} {
		want := time.Time{}
		if c.next != -1 {
			want = paid.Add(c.next)
		}
		require.Equal(t, want, traits.NextLook(paid, paid.Add(c.after)), name)
	}
	require.Zero(t, payout.Traits{}.NextLook(paid, paid), "what was delivered stays")
}

func TestMayResend(t *testing.T) {
	t.Parallel()

	first := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	day := payout.Traits{Window: 24 * time.Hour, Margin: 4 * time.Hour}
	for name, c := range map[string]struct {
		traits payout.Traits
		first  time.Time
		now    time.Time
		want   bool
	}{
		"never sent":                        {day, time.Time{}, first, true},
		"never sent, no window":             {payout.Traits{}, time.Time{}, first, true},
		"at once":                           {day, first, first, true},
		"just inside":                       {day, first, first.Add(20*time.Hour - 1), true},
		"at the margin":                     {day, first, first.Add(20 * time.Hour), false},
		"inside the margin":                 {day, first, first.Add(21 * time.Hour), false},
		"past the window":                   {day, first, first.Add(25 * time.Hour), false},
		"a clock that differs":              {day, first, first.Add(-time.Second), true},
		"no window":                         {payout.Traits{}, first, first, false},
		"no window, and a clock set back":   {payout.Traits{}, first, first.Add(-time.Hour), false},
		"margin as long as the window":      {payout.Traits{Window: 1, Margin: 1}, first, first.Add(-time.Hour), false},
		"margin longer than the window":     {payout.Traits{Window: 1, Margin: 2}, first, first.Add(-time.Hour), false},
		"the same time in another location": {day, first, first.Add(20 * time.Hour).In(time.FixedZone("", 7200)), false},
	} {
		require.Equal(t, c.want, c.traits.MayResend(c.first, c.now), name)
	}
}

func TestClassesAreWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, []payout.Class{"accepted", "refused", "not_sent", "unknown", "conflict"}, payout.Classes())
}

func TestTheMoveOfAnOutcome(t *testing.T) {
	t.Parallel()

	for want, outcomes := range map[payout.Move][]payout.Outcome{
		"settled":  {{Class: "accepted", Settled: true}},
		"accepted": {{Class: "accepted"}},
		"refused":  {{Class: "refused"}, {Class: "refused", Settled: true}},
		"not_sent": {{Class: "not_sent"}, {Class: "not_sent", Settled: true}},
		"conflict": {{Class: "conflict"}, {Class: "conflict", Settled: true}},
		"unknown":  {{}, {Class: "unknown", Settled: true}, {Class: "ACCEPTED", Settled: true}, {Settled: true}},
	} {
		for _, o := range outcomes {
			require.Equal(t, want, o.Move(), "%+v", o)
		}
	}
}

func TestTheMoveOfAFinding(t *testing.T) {
	t.Parallel()

	for answer, want := range map[payout.Answer]payout.Move{
		"settled": "settled", "pending": "accepted", "failed": "refused", "returned": "returned",
		"absent": "", "cannot_tell": "", "": "", "SETTLED": "",
	} {
		move, moves := payout.Finding{Answer: answer}.Move()
		require.Equal(t, want, move, answer)
		require.Equal(t, want != "", moves, answer)
	}
}

// Every outcome and finding must be taken by the state in which it is learnt.
func TestEveryMoveOfAnAttemptIsAllowedWhileSubmitting(t *testing.T) {
	t.Parallel()

	for _, class := range payout.Classes() {
		for _, settled := range []bool{false, true} {
			_, ok := payout.Next(payout.Submitting, payout.Outcome{Class: class, Settled: settled}.Move())
			require.True(t, ok, class)
		}
	}
	for _, answer := range []payout.Answer{
		payout.FoundSettled, payout.FoundPending, payout.FoundFailed, payout.FoundReturned,
	} {
		move, _ := payout.Finding{Answer: answer}.Move()
		_, ok := payout.Next(payout.Unknown, move)
		require.True(t, ok, answer)
	}
}
