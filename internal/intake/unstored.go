package intake

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// unstoredLog is where counts are kept for good.
type unstoredLog interface {
	AddUnstored(ctx context.Context, counts []ledger.Unstored) error
	OpenBudgets(ctx context.Context, n int) ([]ledger.Budget, error)
}

const (
	// flushEvery is how often counts are written. A process that is killed loses
	// those of this long.
	flushEvery = 2 * time.Second
	// flushBudget bounds one flush, of as many writes as it takes. What it does
	// not come to is written by the next.
	flushBudget = 8 * time.Second
	// flushTogether is how many counts one transaction writes, so that a slow
	// database gets on with many of them, and nobody waits long for the ledger's
	// one writer.
	flushTogether = 256
	// maxNamed bounds how many counts that name a reward are held in memory;
	// further ones are counted without a name.
	maxNamed = 4096
)

// Unstored counts deliveries that were answered and not stored. It counts in
// memory, and writes now and then: an attack costs no write for each request,
// and a database that is down is told when it is back. What it holds is bounded,
// because everything but a reward's ID comes from a closed set.
type Unstored struct {
	box unstoredLog
	log *slog.Logger

	mu sync.Mutex
	// counted is what is not written yet; writing is what is being written.
	counted, writing counts
}

// counts are counts by what they count, which is everything of a
// ledger.Unstored but number and times.
type counts struct {
	of map[ledger.Unstored]tally
	// errors sums those that spend the retry budget of a reward.
	errors map[reward.ID]tally
	// named is how many name a reward.
	named int
}

func newCounts(list ...ledger.Unstored) counts {
	cs := counts{of: map[ledger.Unstored]tally{}, errors: map[reward.ID]tally{}}
	for _, c := range list {
		cs.add(c)
	}
	return cs
}

// tally is how often, and from when to when.
type tally struct {
	count       int
	first, last time.Time
}

func (t tally) plus(c ledger.Unstored) tally {
	if t.count == 0 || c.FirstAt.Before(t.first) {
		t.first = c.FirstAt
	}
	if t.count == 0 || c.LastAt.After(t.last) {
		t.last = c.LastAt
	}
	t.count += c.Count
	return t
}

func (cs *counts) add(c ledger.Unstored) {
	key := ledger.Unstored{Hour: c.FirstAt.UTC().Truncate(time.Hour), Answer: c.Answer, Reason: c.Reason, Type: c.Type, RewardID: c.RewardID}
	if _, there := cs.of[key]; !there && key.RewardID != 0 {
		if cs.named >= maxNamed {
			key.RewardID = 0
		} else {
			cs.named++
		}
	}
	cs.of[key] = cs.of[key].plus(c)
	if key.RewardID != 0 && key.Failed() {
		cs.errors[key.RewardID] = cs.errors[key.RewardID].plus(c)
	}
}

func (cs *counts) list() []ledger.Unstored {
	list := make([]ledger.Unstored, 0, len(cs.of))
	for key, held := range cs.of {
		key.Count, key.FirstAt, key.LastAt = held.count, held.first, held.last
		list = append(list, key)
	}
	return list
}

// NewUnstored returns an Unstored, which writes nothing before Run.
func NewUnstored(box unstoredLog, logger *slog.Logger) *Unstored {
	return &Unstored{box: box, log: logger, counted: newCounts(), writing: newCounts()}
}

// Count counts deliveries: as many as c says, answered between its first and its
// last time. It never waits for the database.
func (u *Unstored) Count(c ledger.Unstored) {
	u.mu.Lock()
	defer u.mu.Unlock()
	before, _ := u.pending(c.RewardID)
	u.counted.add(c)
	if now, _ := u.pending(c.RewardID); before < ledger.RetryBudgetLow && now >= ledger.RetryBudgetLow {
		u.log.Error("retry_budget.low", "reward_id", c.RewardID, "spent", now, "of", ledger.RetryBudget,
			"consequence", "FirstPromoter marks the reward with has_issues when its errors of a day are used up")
	}
}

// Pending returns how many errors to a reward's event are not written yet, and
// when the last of them was answered.
func (u *Unstored) Pending(id reward.ID) (errors int, last time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending(id)
}

func (u *Unstored) pending(id reward.ID) (errors int, last time.Time) {
	a, b := u.counted.errors[id], u.writing.errors[id]
	if last = a.last; b.last.After(last) {
		last = b.last
	}
	return a.count + b.count, last
}

// Worst returns the most that any reward has spent of its retry budget while
// its event is not stored, by the ledger and by what is not written yet. With a
// ledger that cannot be read, it is what this process knows.
func (u *Unstored) Worst(ctx context.Context) int {
	spent := map[reward.ID]int{}
	if open, err := u.box.OpenBudgets(ctx, maxNamed); err == nil {
		for _, b := range open {
			spent[b.RewardID] = b.Spent
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, errors := range []map[reward.ID]tally{u.counted.errors, u.writing.errors} {
		for id, held := range errors {
			spent[id] += held.count
		}
	}
	worst := 0
	for _, n := range spent {
		worst = max(worst, n)
	}
	return worst
}

// Run writes counts until the context ends, and then once more.
func (u *Unstored) Run(ctx context.Context) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			u.Flush(ctx)
		case <-ctx.Done():
			u.Flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// Flush writes what was counted; one call at a time. What cannot be written is
// kept. Where the commit may have happened it may be counted twice, and never
// not at all.
func (u *Unstored) Flush(ctx context.Context) {
	u.mu.Lock()
	u.writing, u.counted = u.counted, newCounts()
	list := u.writing.list()
	u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, flushBudget)
	defer cancel()
	for len(list) > 0 {
		n := min(len(list), flushTogether)
		if err := u.box.AddUnstored(ctx, list[:n]); err != nil {
			u.log.WarnContext(ctx, "unstored.not_written", "counts", len(list), "error", err)
			break
		}
		list = list[n:]
		u.mu.Lock()
		u.writing = newCounts(list...)
		u.mu.Unlock()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writing = newCounts()
	for _, c := range list {
		u.counted.add(c)
	}
}
