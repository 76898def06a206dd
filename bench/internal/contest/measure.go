package contest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
)

// Round is one measured round.
type Round struct {
	// Accepted and Fulfilled are rewards a second: from the first event to the
	// last answer, and to the last close at FirstPromoter.
	Accepted, Fulfilled float64
	// Answers is how long each answer took.
	Answers []time.Duration
}

// Figures are what rounds come to.
type Figures struct {
	// Accepted and Fulfilled are the medians, in rewards a second; of Fulfilled
	// there are the slowest and the quickest round as well.
	Accepted, Fulfilled, Slowest, Quickest float64
	// P50 and P99 are of the answers of all rounds.
	P50, P99 time.Duration
}

// Sum returns the figures of rounds; zeros where none had an answer.
func Sum(rounds []Round) Figures {
	var accepted, fulfilled []float64
	var answers []time.Duration
	for _, round := range rounds {
		accepted, fulfilled = append(accepted, round.Accepted), append(fulfilled, round.Fulfilled)
		answers = append(answers, round.Answers...)
	}
	if len(answers) == 0 {
		return Figures{}
	}
	slices.Sort(accepted)
	slices.Sort(fulfilled)
	slices.Sort(answers)
	return Figures{
		Accepted: accepted[len(accepted)/2], Fulfilled: fulfilled[len(fulfilled)/2],
		Slowest: fulfilled[0], Quickest: fulfilled[len(fulfilled)-1],
		P50: answers[len(answers)/2], P99: answers[(len(answers)-1)*99/100],
	}
}

// Cost is what a reward costs, and what the process takes.
type Cost struct {
	// Memory is the most resident memory of the process, in bytes; zero when
	// it is not known. A PostgreSQL server's is not in it.
	Memory int64
	// Bytes is how much the databases grew by one reward.
	Bytes float64
	// Actions and Events are what Temporal bills and keeps for one reward; zero
	// without Temporal.
	Actions, Events float64
}

// measure measures a contender, from empty databases, and what it costs when
// that is asked for.
func (c *contest) measure(ctx context.Context, contender Contender, withCost bool) (_ Round, _ *Cost, failed error) {
	w, err := c.newWorld(ctx, contender)
	if err != nil {
		return Round{}, nil, err
	}
	defer func() { failed = errors.Join(failed, w.close()) }()

	var cost *Cost
	before := int64(0)
	if withCost {
		cost = &Cost{}
		if before, err = w.emptySize(ctx); err != nil {
			return Round{}, nil, err
		}
	}
	p, err := w.start(ctx)
	if err != nil {
		return Round{}, nil, err
	}
	defer p.kill()
	if c.Warmup > 0 {
		if _, err := w.race(ctx, w.doubles.Owe(c.Warmup)); err != nil {
			return Round{}, nil, fmt.Errorf("warming up: %w", err)
		}
	}
	ids := w.doubles.Owe(c.Rewards)
	round, err := w.race(ctx, ids)
	if err != nil {
		return Round{}, nil, err
	}
	if err := w.once(); err != nil {
		return Round{}, nil, err
	}
	if withCost {
		cost.Memory = p.memory()
		if contender.Workflow != "" {
			if cost.Actions, cost.Events, err = histories(ctx, p.Temporal, contender.Workflow, ids); err != nil {
				return Round{}, nil, err
			}
		}
	}
	if err := p.stop(); err != nil {
		return Round{}, nil, err
	}
	if withCost {
		after, err := w.size(ctx)
		if err != nil {
			return Round{}, nil, err
		}
		cost.Bytes = float64(after-before) / float64(c.Warmup+c.Rewards)
	}
	return round, cost, nil
}

// emptySize is the size of the databases once a process has made them.
func (w *world) emptySize(ctx context.Context) (int64, error) {
	p, err := w.start(ctx)
	if err != nil {
		return 0, err
	}
	if err := p.stop(); err != nil {
		return 0, err
	}
	return w.size(ctx)
}

// race sends the events and waits until the rewards are fulfilled.
func (w *world) race(ctx context.Context, ids []int64) (Round, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()

	answers := make([]time.Duration, len(ids))
	next := make(chan int)
	errs := make(chan error, w.contest.Concurrency)
	began := time.Now()
	var senders sync.WaitGroup
	for range w.contest.Concurrency {
		senders.Go(func() {
			var failed error
			for i := range next {
				event, sent := doubles.Event(ids[i]), time.Now()
				if err := w.post(ctx, event); err != nil {
					failed = errors.Join(failed, fmt.Errorf("the event of reward %d: %w", ids[i], err))
				}
				answers[i] = time.Since(sent)
			}
			errs <- failed
		})
	}
	for i := range ids {
		next <- i
	}
	close(next)
	senders.Wait()
	accepted := time.Since(began)
	for range w.contest.Concurrency {
		if err := <-errs; err != nil {
			return Round{}, err
		}
	}
	if err := w.doubles.Settled(ctx); err != nil {
		return Round{}, err
	}
	return Round{Accepted: perSecond(len(ids), accepted), Fulfilled: perSecond(len(ids), time.Since(began)), Answers: answers}, nil
}

func perSecond(n int, span time.Duration) float64 { return float64(n) / span.Seconds() }

// post sends an event, and returns nil when it was taken over.
func (w *world) post(ctx context.Context, event []byte) error {
	switch status := w.answer(ctx, event); {
	case status == 0:
		return errors.New("no answer")
	case status/100 != 2:
		return fmt.Errorf("answered %d", status)
	}
	return nil
}

// answer sends an event and returns the status of the answer; zero when there
// was none.
func (w *world) answer(ctx context.Context, event []byte) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.webhook(), bytes.NewReader(event))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// once returns an error unless every reward was paid and closed exactly once.
func (w *world) once() error {
	for id, account := range w.doubles.Accounts() {
		if account.Effects != 1 || account.Completions != 1 {
			return fmt.Errorf("reward %d was paid %d times and closed %d times, though nobody was killed", id, account.Effects, account.Completions)
		}
	}
	return nil
}
