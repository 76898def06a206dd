package contest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
)

// Kills is what became of the rewards of a contender that was killed again and
// again.
type Kills struct {
	// Rewards were sent and answered with a 2xx.
	Rewards int
	// PaidTwice counts rewards with more than one effect; SentAgain counts
	// payout requests after the effect, and ClosedTwice rewards whose close
	// FirstPromoter heard more than once.
	PaidTwice, SentAgain, ClosedTwice int
	// Lost counts rewards that were accepted and are not fulfilled.
	Lost int
	// Serving is how long a start took until it served: the median.
	Serving time.Duration
	// Recovered is how long after the last kill the last reward was fulfilled
	// that was not lost; zero when there was none.
	Recovered time.Duration
}

// blow is one kill of the schedule.
type blow struct {
	// call is the call to the doubles at which it falls, counted from when the
	// process serves; zero for one that falls after a time. after says that the
	// double has done what it was asked, and its answer is lost.
	call  int
	after bool
	delay time.Duration
}

// callPatience bounds the wait for a call that may never come.
const callPatience = 10 * time.Second

// schedule draws kills; every contender gets the same.
func schedule(seed uint64, kills, batch int) []blow {
	chance := rand.New(rand.NewPCG(seed, seed))
	blows := make([]blow, kills)
	for i := range blows {
		call, after := 1+chance.IntN(2*batch), chance.IntN(2) == 0
		delay := time.Duration(chance.IntN(300)) * time.Millisecond
		// The last one falls while there is work, so that there is something to
		// recover.
		if i%3 < 2 || i == kills-1 {
			blows[i] = blow{call: call, after: after, delay: callPatience}
		} else {
			blows[i] = blow{delay: delay}
		}
	}
	return blows
}

// killed sends rewards through a contender that is killed by the schedule, and
// started again at once each time. FirstPromoter sends an event until it is
// answered with a 2xx, and every fourth event once more after that.
func (c *contest) killed(ctx context.Context, contender Contender) (_ Kills, failed error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	w, err := c.newWorld(ctx, contender)
	if err != nil {
		return Kills{}, err
	}
	defer func() { failed = errors.Join(failed, w.close()) }()

	var sending sync.WaitGroup
	defer sending.Wait()
	stop, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var starts []time.Duration
	var last time.Time
	for _, blow := range schedule(c.Seed, c.Kills, c.Batch) {
		p, err := w.start(ctx)
		if err != nil {
			return Kills{}, fmt.Errorf("starting after %d starts: %w", len(starts), err)
		}
		starts = append(starts, p.startedIn)
		w.fall(stop, &sending, p, blow, w.doubles.Owe(c.Batch))
		last = time.Now()
	}
	p, err := w.start(ctx)
	if err != nil {
		return Kills{}, fmt.Errorf("starting after the last kill: %w", err)
	}
	defer p.kill()
	starts = append(starts, p.startedIn)
	sending.Wait()
	if err := ctx.Err(); err != nil {
		return Kills{}, fmt.Errorf("not every event was accepted: %w", err)
	}
	w.settle(ctx, c.Quiet)
	slices.Sort(starts)
	return count(w.doubles.Accounts(), last, starts[len(starts)/2]), nil
}

// fall lets events flow, and kills the process.
func (w *world) fall(ctx context.Context, sending *sync.WaitGroup, p *process, b blow, ids []int64) {
	if b.call > 0 {
		w.doubles.Trip.Arm(b.call, b.after, p.kill)
	}
	for i, id := range ids {
		sending.Go(func() {
			w.deliver(ctx, id)
			if i%4 == 0 {
				w.deliver(ctx, id)
			}
		})
	}
	timer := time.NewTimer(b.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	case <-ctx.Done():
	}
	w.doubles.Trip.Disarm()
	p.kill()
	w.url.Store("")
}

// deliver sends an event until it is taken over.
func (w *world) deliver(ctx context.Context, id int64) {
	event := doubles.Event(id)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for w.post(ctx, event) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// settle waits until every reward is fulfilled, or nothing has happened for a
// while.
func (w *world) settle(ctx context.Context, quiet time.Duration) {
	for {
		before := w.doubles.Calls()
		within, cancel := context.WithTimeout(ctx, quiet)
		err := w.doubles.Settled(within)
		cancel()
		if err == nil || ctx.Err() != nil || w.doubles.Calls() == before {
			return
		}
	}
}

// count reads the books.
func count(accounts map[int64]doubles.Account, last time.Time, serving time.Duration) Kills {
	k := Kills{Rewards: len(accounts), Serving: serving}
	for _, account := range accounts {
		k.SentAgain += account.Again
		if account.Effects > 1 {
			k.PaidTwice++
		}
		if account.Completions > 1 {
			k.ClosedTwice++
		}
		if account.Completions == 0 {
			k.Lost++
			continue
		}
		k.Recovered = max(k.Recovered, account.CompletedAt.Sub(last))
	}
	return k
}
