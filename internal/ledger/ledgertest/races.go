package ledgertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func raceChecks() []check {
	return []check{
		{"OneOfAThousandClaims", oneOfAThousandClaims},
		{"OneEventFiftyTimes", oneEventFiftyTimes},
		{"LeasesNeverOverlap", leasesNeverOverlap},
		{"AnswerOrAPINeverBoth", answerOrAPINeverBoth},
		{"OneReservation", oneReservation},
		{"CapHoldsUnderRace", capHoldsUnderRace},
		{"OnePersonCountsOnce", onePersonCountsOnce},
	}
}

// race runs do n times at once.
func race(n int, do func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			do(i)
		})
	}
	close(gate)
	wg.Wait()
}

// handles returns two ledgers on one database, as two processes hold them.
func (b *bundle) handles(t *testing.T) [2]ledger.Ledger {
	t.Helper()
	return [2]ledger.Ledger{b.Ledger, b.reopen(t)}
}

func oneOfAThousandClaims(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	handles := b.handles(t)
	var taken atomic.Int64
	errs := make([]error, 1000)
	race(len(errs), func(i int) {
		c, err := handles[i%2].Claim(b.ctx, 7, ledger.Caps{}, start(), start().Add(time.Minute))
		errs[i] = err
		if c.Taken {
			taken.Add(1)
		}
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, taken.Load())
	attempts, err := b.Attempts(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, attempts, 1)
}

func oneEventFiftyTimes(t *testing.T, b *bundle) {
	handles := b.handles(t)
	const times = 50
	receipts := make([]ledger.Receipt, times)
	errs := make([]error, times)
	race(times, func(i int) {
		receipts[i], errs[i] = handles[i%2].Accept(b.ctx, pending(7, 1), afterPaid)
	})
	first := 0
	for i, receipt := range receipts {
		require.NoError(t, errs[i])
		require.Equal(t, receipts[0].Inbox, receipt.Inbox)
		if !receipt.Duplicate {
			first++
		}
	}
	require.Equal(t, 1, first)
	require.Equal(t, []reward.ID{7}, listed(t, b, ledger.Filter{}))
	depth, _, err := b.InboxDepth(b.ctx)
	require.NoError(t, err)
	require.Equal(t, 1, depth)
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, deliveries, times)
	changes, err := b.Changes(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, changes, 1)
}

func leasesNeverOverlap(t *testing.T, b *bundle) {
	handles := b.handles(t)
	const rows = 60
	for id := range reward.ID(rows) {
		b.accept(t, pending(id+1, 1))
	}
	var mu sync.Mutex
	seen := make(map[int64]int)
	errs := make([]error, 16)
	race(len(errs), func(i int) {
		leased, err := handles[i%2].Lease(b.ctx, fmt.Sprint(i), 5, time.Hour)
		errs[i] = err
		mu.Lock()
		defer mu.Unlock()
		for _, p := range leased {
			seen[p.Inbox]++
		}
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, seen, rows)
	for inbox, times := range seen {
		require.Equal(t, 1, times, inbox)
	}
}

func answerOrAPINeverBoth(t *testing.T, b *bundle) {
	handles := b.handles(t)
	const rewards = 20
	for id := range reward.ID(rewards) {
		b.paid(t, id+1)
	}
	b.clock.advance(afterPaid)
	var answered, called [rewards]atomic.Int64
	errs := make([]error, rewards*8)
	race(len(errs), func(i int) {
		n := i % rewards
		id := reward.ID(n + 1)
		l := handles[i/rewards%2]
		if i/rewards%4 < 2 {
			receipt, err := l.Accept(b.ctx, pending(id, 1), afterPaid)
			errs[i] = err
			if receipt.ClosedByAnswer {
				answered[n].Add(1)
			}
			return
		}
		_, may, err := l.ClaimClose(b.ctx, id, start().Add(time.Hour))
		errs[i] = err
		if may {
			called[n].Add(1)
		}
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	for n := range rewards {
		id := reward.ID(n + 1)
		byAnswer, byAPI := answered[n].Load() > 0, called[n].Load() > 0
		require.NotEqual(t, byAnswer, byAPI, "reward %d", id)
		require.LessOrEqual(t, called[n].Load(), int64(1))
	}
}

func oneReservation(t *testing.T, b *bundle) {
	b.approved(t, 7)
	handles := b.handles(t)
	payouts := make([]ledger.Payout, 20)
	errs := make([]error, len(payouts))
	race(len(payouts), func(i int) {
		r := reservation(7, 1)
		r.Request.Body = fmt.Appendf(nil, "body %d", i)
		payouts[i], errs[i] = handles[i%2].Reserve(b.ctx, r)
	})
	for i, p := range payouts {
		require.NoError(t, errs[i])
		require.Equal(t, payouts[0].Request, p.Request)
	}
}

func capHoldsUnderRace(t *testing.T, b *bundle) {
	handles := b.handles(t)
	const rewards = 30
	for id := range reward.ID(rewards) {
		b.owe(t, id+1, credits(10), 1, 1)
	}
	caps := ledger.Caps{MaxPerDay: limit(70)}
	claims := make([]ledger.Claim, rewards)
	errs := make([]error, rewards)
	race(rewards, func(i int) {
		claims[i], errs[i] = handles[i%2].Claim(b.ctx, reward.ID(i+1), caps, start(), start().Add(time.Minute))
	})
	taken := 0
	for i, c := range claims {
		require.NoError(t, errs[i])
		if c.Taken {
			taken++
			require.Equal(t, payout.Submitting, c.Payout.State)
		}
	}
	require.Equal(t, 7, taken)
}

func onePersonCountsOnce(t *testing.T, b *bundle) {
	b.awaiting(t, 7, 2, "")
	handles := b.handles(t)
	errs := make([]error, 20)
	race(len(errs), func(i int) {
		_, errs[i] = handles[i%2].Decide(b.ctx, decision(fmt.Sprintf("d%d", i), 7), false)
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	tally, err := b.TallyOf(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, 1, tally.Approvals)
	require.False(t, tally.Approved)
	made, err := b.DecisionsOf(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, made, len(errs), "every decision is in the ledger")
}
