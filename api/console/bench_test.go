package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// BenchmarkInbox opens the inbox of somebody for whom 1,000 and 100,000
// rewards wait, and other lists of the same ledger. The figure to look at is
// the ratio between the two.
func BenchmarkInbox(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			w := newWorld(b)
			w.fill(b, waiting)
			for name, path := range map[string]string{
				"mine": "/console/", "others": "/console/?queue=others", "attention": "/console/?queue=attention",
				"done": "/console/?queue=done", "all": "/console/?queue=all", "search": "/console/?q=cus_00003", "reward": "/console/rewards/500",
			} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						w.get(b, path)
					}
				})
			}
		})
	}
}

// get opens a page as alice, without the network between.
func (w *world) get(b *testing.B, path string) {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token("alice"))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	require.Equal(b, http.StatusOK, rec.Code)
}

// fill makes rewards wait: of every ten, eight for alice, one for finance, one
// for a second person after alice. One in a hundred is in attention.
func (w *world) fill(b *testing.B, n int) {
	b.Helper()
	var running sync.WaitGroup
	places := make(chan struct{}, 512)
	start := time.Now().Add(-14 * 24 * time.Hour)
	for i := 1; i <= n; i++ {
		if i%(n/100) == 0 { // The clock moves a hundred times.
			running.Wait()
			w.set(start.Add(time.Duration(i) * 14 * 24 * time.Hour / time.Duration(n)))
		}
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			w.wait(b, reward.ID(i))
		})
	}
	running.Wait()
	w.set(time.Time{})
}

func (w *world) wait(b *testing.B, id reward.ID) {
	r := owed(id, reward.Quantity{Amount: 100 + int64(id)%900, Unit: reward.Credits})
	w.accept(b, r)
	w.assess(b, r, "team", reward.AwaitingApproval, "rule 2 (line 18): larger rewards need a person", func(a *ledger.Assessment) {
		switch {
		case id%100 == 0:
			a.Status, a.Reason, a.Approvals = reward.Attention, "team refused it", 0
		case id%10 == 1:
			a.Role = "finance"
		case id%10 == 2:
			a.Approvals = 2
		}
	})
	if id%10 == 2 && id%100 != 0 {
		_, err := w.ledger.Decide(context.Background(), reward.Decision{
			ID: id.String(), RewardID: id, By: "alice", Verified: true, Roles: []string{"approver"}, Lane: reward.LaneConsole,
			Verdict: reward.Approve, Digest: reward.Shown{Reward: r, Provider: "team", PolicyVersion: "p-0123456789ab"}.Digest(),
		}, false)
		require.NoError(b, err)
	}
}
