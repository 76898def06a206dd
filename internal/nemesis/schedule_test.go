package nemesis

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheSameSeedDrawsTheSameSchedule(t *testing.T) {
	t.Parallel()

	seen := map[string]uint64{}
	for seed := range uint64(50) {
		first, err := json.Marshal(Draw(seed, 40, time.Minute, false))
		require.NoError(t, err)
		second, err := json.Marshal(Draw(seed, 40, time.Minute, false))
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		other, taken := seen[string(first)]
		require.False(t, taken, "seeds %d and %d draw the same", seed, other)
		seen[string(first)] = seed
	}
}

// TestEveryKindIsDrawn keeps the drawing from losing what it was built for.
func TestEveryKindIsDrawn(t *testing.T) {
	t.Parallel()

	drawn, points, shapes := map[Kind]bool{}, map[string]bool{}, map[[2]int]bool{}
	for seed := range uint64(60) {
		s := Draw(seed, 60, time.Minute, seed%2 == 1)
		shapes[[2]int{s.APIs, s.Workers}] = true
		require.Len(t, s.Rewards, 60)
		require.True(t, slices.IsSortedFunc(s.Acts, func(a, b Act) int { return int(a.At - b.At) }))
		for _, a := range s.Acts {
			drawn[a.Kind] = true
			points[string(a.Point)+string(a.How)] = true
			require.GreaterOrEqual(t, s.For, a.At, "%s happens after the run", a.Kind)
			if a.Slot != "" && a.Slot != "engine" {
				require.Contains(t, s.slots(), a.Slot)
			}
			if a.Wire != "" {
				require.Contains(t, s.wires(), a.Wire)
			}
			require.LessOrEqual(t, a.Reward, len(s.Rewards))
		}
	}
	for _, kind := range []Kind{
		Refire, Forge, Amend, ByHand, Notice, Malformed, WrongURL, Look, Decide, Signal, PullBrake, Killed, Stopped, Crash,
		CutWire, ResetWire, SlowWire, HalfOpen, FPFault, StoreFault, Busy, DiskFull, ServerDown, Deleted, Restored, Expired, BadDeploy,
	} {
		require.True(t, drawn[kind], "%s is never drawn", kind)
	}
	for _, slot := range []string{"api-1", "worker-1"} {
		for _, p := range pointsOf(slot) {
			require.True(t, points[string(p)+"kill"], "no process is killed at %s", p)
			require.True(t, points[string(p)+"stop"], "no process stops at %s", p)
		}
	}
	require.Len(t, shapes, 4, "one and two APIs with one and two workers")
}
