package reward_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestStatusesAreWireFormat(t *testing.T) {
	t.Parallel()

	require.Equal(t, []reward.Status{
		"received", "verifying", "quarantined", "awaiting_approval", "held", "approved", "paying", "resolving",
		"settling", "paid", "closing", "fulfilled", "fulfilled_elsewhere", "attention", "rejected", "abandoned",
	}, reward.Statuses())
}

func TestWhatAStatusMeans(t *testing.T) {
	t.Parallel()

	final := []reward.Status{"fulfilled", "fulfilled_elsewhere", "rejected", "abandoned"}
	person := []reward.Status{"quarantined", "awaiting_approval", "attention"}
	for _, s := range reward.Statuses() {
		require.True(t, s.Known(), s)
		requireIn(t, final, s, s.Final())
		requireIn(t, person, s, s.NeedsPerson())
	}
	for _, s := range []reward.Status{"", "Paid", "lost"} {
		require.False(t, s.Known(), s)
		require.False(t, s.Final(), s)
		require.False(t, s.NeedsPerson(), s)
	}
}

func requireIn(t *testing.T, set []reward.Status, s reward.Status, in bool) {
	t.Helper()
	if in {
		require.Contains(t, set, s)
	} else {
		require.NotContains(t, set, s)
	}
}
