package desk

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// recorders is how many decisions are recorded at once, so that they share
	// the ledger's commits.
	recorders = 32
	// tellers is how many workflows are told at once.
	tellers = 8
)

// DecideAll records decisions side by side, each as Decide does, and then tells
// the workflows. However many there are, the telling takes no longer than for
// one: what was not told in that time is delivered later. Tallies and errors
// have the places of their decisions.
func (d *Desk) DecideAll(ctx context.Context, decs []reward.Decision) ([]ledger.Tally, []error) {
	tallies, errs := make([]ledger.Tally, len(decs)), make([]error, len(decs))
	var recording errgroup.Group
	recording.SetLimit(recorders)
	for i, dec := range decs {
		recording.Go(func() error {
			tallies[i], errs[i] = d.ledger.Decide(ctx, dec, d.acceptUnverified)
			return nil
		})
	}
	_ = recording.Wait() // Every decision has an error of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.budget)
	defer cancel()
	places := make(chan struct{}, tellers)
	var running sync.WaitGroup
	for i, tally := range tallies {
		if errs[i] != nil || !tally.Decision.Counted {
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			d.log.WarnContext(ctx, "decisions.not_delivered", "rewards", len(decs)-i)
			running.Wait()
			return tallies, errs
		}
		running.Go(func() {
			defer func() { <-places }()
			if err := d.tell(ctx, tally.Decision); err != nil {
				d.log.WarnContext(ctx, "decision.not_delivered", "reward_id", decs[i].RewardID, "error", err)
			}
		})
	}
	running.Wait()
	return tallies, errs
}
