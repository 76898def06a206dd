// Package past gives a ledger of rewardflow a past, so that a run can show that
// nothing takes longer because of it.
package past

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// firstReward is the ID of the first reward of the past. Those of the doubles
	// are higher, as newer ones are.
	firstReward = 1
	// promoters share the past. They are those of the doubles' first rewards, so
	// that what is raced goes to people who were paid before.
	promoters = 400
	// writers fill at once, so that they share commits.
	writers = 256
	// batch is how many announcements are dispatched with one commit.
	batch = 1000
)

// Fill brings n rewards through the ledger in a SQLite file, from their event to
// their close, all of them today: the ledger of a team that has used it for long,
// on its busiest day. No process may use the file.
func Fill(ctx context.Context, path string, n int) (failed error) {
	if most := doubles.FirstReward - firstReward; n > most {
		return fmt.Errorf("a past of %d rewards reaches into what is measured: at most %d", n, most)
	}
	l, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, l.Close()) }()
	var (
		next    atomic.Int64
		filling sync.WaitGroup
		mu      sync.Mutex
		errs    error
	)
	for range writers {
		filling.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := live(ctx, l, i); err != nil {
					mu.Lock()
					errs = errors.Join(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	filling.Wait()
	if errs != nil {
		return errs
	}
	return tell(ctx, l)
}

// tell dispatches what the rewards' ends announced, as it was when they ended.
// Left in the inbox it would be worked off while something else is measured.
func tell(ctx context.Context, l *sqlite.Ledger) error {
	for {
		waiting, err := l.Lease(ctx, "past", batch, time.Minute)
		if err != nil || len(waiting) == 0 {
			return err
		}
		told := make([]ledger.Dispatched, len(waiting))
		for i, event := range waiting {
			told[i] = ledger.Dispatched{Inbox: event.Inbox}
		}
		if err := l.MarkDispatched(ctx, told); err != nil {
			return err
		}
	}
}

// live is the life of one reward of the past.
func live(ctx context.Context, l *sqlite.Ledger, i int64) error {
	id := reward.ID(firstReward + i)
	who := doubles.PromoterOf(doubles.FirstReward + i%promoters)
	r := reward.Reward{
		ID:       id,
		Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: who.ID, CustID: who.CustID, Email: who.Email},
		Campaign: reward.Campaign{ID: doubles.CampaignID, Name: "Partners"},
	}
	receipt, err := l.Accept(ctx, ledger.Event{
		Type: "fulfilment_pending", Dedupe: id.String(), EventID: id.String(), Dispatch: true,
		Reward: &ledger.Claimed{Reward: r}, Body: fmt.Appendf(nil, `{"reward":{"id":%d,"unit":"free_months","amount":3}}`, id),
	}, time.Hour)
	if err != nil {
		return err
	}
	if err := l.MarkDispatched(ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "fulfilment-" + id.String()}}); err != nil {
		return err
	}
	if err := l.Assess(ctx, ledger.Assessment{
		Reward: r, Verified: true, Status: reward.Approved, Reason: "rule 1: pay", Provider: "team", PolicyVersion: "v1", Rule: "rule 1",
	}, "policy"); err != nil {
		return err
	}
	key := payout.Key(id, 1)
	if _, err := l.Reserve(ctx, ledger.Reservation{
		RewardID: id, Provider: "team", Quantity: r.Quantity, At: time.Now(),
		Request: payout.Request{Key: key, Destination: "team", Body: []byte(`{"type":"reward.payout"}`)},
	}); err != nil {
		return err
	}
	now := time.Now()
	claim, err := l.Claim(ctx, id, ledger.Caps{}, now, now.Add(time.Minute))
	if err != nil {
		return err
	}
	if _, err := l.Finish(ctx, claim.Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "ref-" + key}); err != nil {
		return err
	}
	closing, _, err := l.ClaimClose(ctx, id, now.Add(time.Minute))
	if err != nil {
		return err
	}
	_, err = l.FinishClose(ctx, id, closing.Fence, ledger.CallDone, "completed")
	return err
}
