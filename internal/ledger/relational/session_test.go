package relational_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestMoreQueriesThanAreKept asks more kinds of question than a ledger keeps
// prepared, many at once, and each kind again: every answer is as right as the
// first.
func TestMoreQueriesThanAreKept(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	_, err := l.Accept(t.Context(), ledgertest.Event(7), time.Minute)
	require.NoError(t, err)
	rec, err := l.Reward(t.Context(), 7)
	require.NoError(t, err)
	later := rec.UpdatedAt.Add(time.Hour)
	var asking sync.WaitGroup
	for round := range 2 {
		for n := range 1 << 8 {
			// How many statuses are asked for, and what else, makes the query's words.
			f := ledger.Filter{Statuses: append([]reward.Status{reward.Received}, reward.Statuses()[1:1+n>>5]...)}
			for bit, narrow := range []func(){
				func() { f.Search = "7" },
				func() { f.Promoter = rec.Reward.Promoter.ID },
				func() { f.Unit = rec.Reward.Quantity.Unit },
				func() { f.UpdatedBefore = later },
				func() { f.Before = ledger.Cursor{ReceivedAt: later, ID: 1} },
			} {
				if n&(1<<bit) != 0 {
					narrow()
				}
			}
			asking.Go(func() {
				found, err := l.ListRewards(t.Context(), f)
				if err != nil || len(found) != 1 || found[0].Reward.ID != 7 {
					t.Errorf("round %d, %+v: %v, %v", round, f, found, err)
				}
			})
		}
		asking.Wait()
		require.Equal(t, relational.MaxKept, l.Kept())
	}
}
