package doubles

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Account is what the doubles know of one reward.
type Account struct {
	// Effects counts payouts that the provider made: one for each key.
	Effects int
	// Again counts payout requests that came after the effect. This provider
	// recognises the key and does nothing; one that does not, or that has
	// forgotten it, would have paid once more for each.
	Again int
	// Completions counts how often FirstPromoter was told that the reward is
	// fulfilled.
	Completions int
	// CompletedAt is when it was told first; zero before.
	CompletedAt time.Time

	promoter int64
	keys     map[string]bool
}

// entry is one line of the journal.
type entry struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Reward int64     `json:"reward"`
	Key    string    `json:"key,omitempty"`
}

// The words of the journal.
const (
	effect     = "effect"
	again      = "again"
	completion = "completion"
)

// books are both doubles' memory, and the file that it is written to.
type books struct {
	journal *journal

	mu       sync.Mutex
	accounts map[int64]*Account
	rewards  map[int64]int64 // by promoter: each has one reward
	open     int
	changed  chan struct{}
}

func openBooks(dir string) (*books, error) {
	j, err := openJournal(filepath.Join(dir, "books.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	return &books{
		journal: j, accounts: map[int64]*Account{}, rewards: map[int64]int64{}, changed: make(chan struct{}),
	}, nil
}

// owe enters a reward that is pending.
func (b *books) owe(id, promoter int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[id] = &Account{promoter: promoter, keys: map[string]bool{}}
	b.rewards[promoter] = id
	b.open++
}

// find returns the reward of a promoter and whether it is completed.
func (b *books) find(promoter int64) (id int64, completed, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, found = b.rewards[promoter]
	if !found {
		return 0, false, false
	}
	return id, b.accounts[id].Completions > 0, true
}

// pay enters a payout request. It returns false for a reward that nobody is
// owed.
func (b *books) pay(id int64, key string) (known bool, err error) {
	b.mu.Lock()
	account := b.accounts[id]
	if account == nil {
		b.mu.Unlock()
		return false, nil
	}
	what := effect
	if account.Effects > 0 {
		account.Again++
		what = again
	}
	if !account.keys[key] {
		account.keys[key] = true
		account.Effects++
	}
	b.mu.Unlock()
	return true, b.write(entry{What: what, Reward: id, Key: key})
}

// paid reports whether a key is known.
func (b *books) paid(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, account := range b.accounts {
		if account.keys[key] {
			return true
		}
	}
	return false
}

// complete enters that a reward is fulfilled.
func (b *books) complete(id int64) (promoter int64, known bool, err error) {
	b.mu.Lock()
	account := b.accounts[id]
	b.mu.Unlock()
	if account == nil {
		return 0, false, nil
	}
	if err := b.write(entry{What: completion, Reward: id}); err != nil {
		return 0, true, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	account.Completions++
	if account.Completions == 1 {
		account.CompletedAt = time.Now()
		b.open--
		close(b.changed)
		b.changed = make(chan struct{})
	}
	return account.promoter, true, nil
}

func (b *books) write(e entry) error {
	e.At = time.Now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return b.journal.append(line)
}

// left returns how many rewards are not completed, and a channel that is closed
// when that changes.
func (b *books) left() (int, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open, b.changed
}

func (b *books) copy() map[int64]Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[int64]Account, len(b.accounts))
	for id, account := range b.accounts {
		out[id] = *account
	}
	return out
}
