package contest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
	"github.com/rewardflow/rewardflow/bench/internal/past"
)

// Arrivals are events that come at a steady rate, whoever is slow to answer.
type Arrivals struct {
	// PerSecond is the rate, For how long it lasts. Zero sends none.
	PerSecond int
	For       time.Duration
	// Past is how many fulfilled rewards the ledger holds before.
	Past int
}

// Steady is what came of Arrivals, and of rounds of rewards after a fresh start.
type Steady struct {
	Arrivals Arrivals
	// Answers are counted by status; 0 is no answer.
	Answers map[int]int
	// Took is how long each answer took, in order. It counts from when the event
	// was due: what waits in the sender waits for the answers before it.
	Took []time.Duration
	// Rounds are as many, and of as many rewards, as the options say.
	Rounds []Round
	// Memory is the most resident memory of a process, in bytes.
	Memory int64
}

// Quantile returns the answer that the given part of all does not exceed.
func (s Steady) Quantile(part float64) time.Duration {
	if len(s.Took) == 0 {
		return 0
	}
	return s.Took[min(int(part*float64(len(s.Took))), len(s.Took)-1)]
}

// RunSteady measures rewardflow, everything in one process on SQLite, with the
// given past: first rounds of rewards as Run does, then the arrivals. What has
// arrived is not waited for, since a backlog takes its time; that none of it is
// lost is the business of the tests.
func RunSteady(ctx context.Context, o Options, a Arrivals) (_ Steady, failed error) {
	c := &contest{Options: o}
	w, err := c.newWorld(ctx, Contenders()[0])
	if err != nil {
		return Steady{}, err
	}
	defer func() { failed = errors.Join(failed, w.close()) }()
	w.http.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, MaxIdleConns: 1024, IdleConnTimeout: time.Minute}
	s := Steady{Arrivals: a, Answers: map[int]int{}}
	if a.Past > 0 {
		if _, err := w.emptySize(ctx); err != nil { // The process makes the ledger.
			return s, err
		}
		if err := w.fill(ctx, a.Past); err != nil {
			return s, fmt.Errorf("filling the past: %w", err)
		}
	}
	p, err := w.start(ctx)
	if err != nil {
		return s, err
	}
	defer p.kill()
	if c.Warmup > 0 {
		if _, err := w.race(ctx, w.doubles.Owe(c.Warmup)); err != nil {
			return s, fmt.Errorf("warming up: %w", err)
		}
	}
	for range c.Options.Rounds {
		round, err := w.race(ctx, w.doubles.Owe(c.Rewards))
		if err != nil {
			return s, err
		}
		s.Rounds = append(s.Rounds, round)
	}
	w.arrive(ctx, a, &s)
	s.Memory = p.memory()
	return s, nil
}

// fill gives the ledger a past, and keeps a copy for the next run with the same.
func (w *world) fill(ctx context.Context, n int) error {
	ledger := filepath.Join(w.data(), "ledger.db")
	kept := filepath.Join(w.contest.Dir, fmt.Sprintf("past-%d.db", n))
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		if err := past.Fill(ctx, ledger, n); err != nil {
			return err
		}
		return copyFile(kept, ledger)
	}
	return copyFile(ledger, kept)
}

// copyFile copies a database that no process uses: what it had in its
// write-ahead log has been moved to the file.
func copyFile(to, from string) (failed error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.Sync()
}

// arrive sends the events, each when it is due.
func (w *world) arrive(ctx context.Context, a Arrivals, s *Steady) {
	total := int(a.For.Seconds() * float64(a.PerSecond))
	if total == 0 {
		return
	}
	ids := w.doubles.Owe(total)
	bodies := make([][]byte, total)
	for i, id := range ids {
		bodies[i] = doubles.Event(id)
	}
	runtime.GC() // Of what the sender has made; collecting it later would delay what is due.
	var (
		mu       sync.Mutex
		sending  sync.WaitGroup
		interval = time.Second / time.Duration(a.PerSecond)
		began    = time.Now()
	)
	for i := range bodies {
		due := began.Add(time.Duration(i) * interval)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		sending.Go(func() {
			status := w.answer(ctx, bodies[i])
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			s.Answers[status]++
			s.Took = append(s.Took, took)
		})
	}
	sending.Wait()
	slices.Sort(s.Took)
}
