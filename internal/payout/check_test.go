package payout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestTheCheckKeyIsAKeyThatNoPayoutHas(t *testing.T) {
	t.Parallel()

	require.True(t, payout.UsableKey(payout.CheckKey))
	require.Equal(t, payout.Key(0, 0), payout.CheckKey, "it has the form of a key")
	_, err := reward.ParseID("0")
	require.Error(t, err, "there is no reward 0")
}
