package relational_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Claims that share one batch see each other under the cap: the check is made
// where the claim is, and not before.
func TestClaimsThatQueueTogetherKeepTheCap(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{Now: func() time.Time { return now }})
	const rewards = 3
	for id := reward.ID(1); id <= rewards; id++ {
		ev := ledgertest.Event(int64(id))
		_, err := l.Accept(t.Context(), ev, time.Minute)
		require.NoError(t, err)
		owed := ev.Reward.Reward
		require.NoError(t, l.Assess(t.Context(), ledger.Assessment{
			Reward: owed, Verified: true, Status: reward.Approved, Provider: "billing", Digest: "digest-1",
		}, "policy"))
		_, err = l.Reserve(t.Context(), ledger.Reservation{
			RewardID: id, Provider: "billing", Quantity: owed.Quantity, Request: payout.Request{Key: payout.Key(id, 1)}, At: now,
		})
		require.NoError(t, err)
	}

	release := busy(t, l)
	caps := ledger.Caps{MaxPerDay: map[string]int64{string(reward.FreeMonths): 3}} // Enough for one.
	claims, errs := make([]ledger.Claim, rewards), make([]error, rewards)
	var wg sync.WaitGroup
	for i := range claims {
		wg.Go(func() {
			claims[i], errs[i] = l.Claim(context.Background(), reward.ID(i+1), caps, now, now.Add(time.Minute))
		})
		waitQueued(t, l, i+1)
	}
	release()
	wg.Wait()
	for i, claim := range claims {
		require.NoError(t, errs[i])
		require.Equal(t, i == 0, claim.Taken, "claim %d", i+1)
		require.Equal(t, i > 0, claim.Braked, "claim %d", i+1)
	}
}
