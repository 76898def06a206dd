package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// The statuses that the sandbox names.
const (
	statusFulfilled = "fulfilled"
	statusPending   = "pending"
	statusRefused   = "refused"
	statusFailed    = "failed"
	statusReturned  = "returned"
	// statusConflict stands in the books only.
	statusConflict = "conflict"
)

// Books is what a sandbox did: the truth with which rewardflow's ledger is
// compared.
type Books struct {
	// Effects holds every effect, oldest first. A payout that was refused or
	// has failed is none.
	Effects []Effect
	// ByKey and ByReward count effects.
	ByKey    map[string]int
	ByReward map[reward.ID]int
	// Doubles are the rewards with more than one effect, in ascending order:
	// somebody was paid twice.
	Doubles []reward.ID
	// Refused and Conflicts count payouts and POSTs that were answered so.
	Refused   int
	Conflicts int
	// Repeats counts POSTs of a known key with the same body, and Denied
	// requests without a valid signature. Both start at zero after a restart.
	Repeats int
	Denied  int
}

// Effect is one thing that the sandbox did.
type Effect struct {
	At         time.Time
	Key        string
	RewardID   reward.ID
	Quantity   reward.Quantity
	PromoterID int64
	CustID     string
	Reference  string
	// Status is "pending", "fulfilled" or "returned".
	Status string
}

// plan is how a payout goes on once it is in the books. The zero value is
// fulfilled at once and for ever.
type plan struct {
	status  string
	after   time.Duration
	final   string
	message string
}

// entry is one line of the books.
type entry struct {
	At         time.Time       `json:"at"`
	Key        string          `json:"key"`
	Digest     string          `json:"digest"` // Of the body, in hexadecimal SHA-256.
	RewardID   reward.ID       `json:"reward_id"`
	Quantity   reward.Quantity `json:"quantity"`
	PromoterID int64           `json:"promoter_id"`
	CustID     string          `json:"cust_id"`
	Reference  string          `json:"reference,omitempty"`
	Status     string          `json:"status"`
	// Final replaces Status at FinalAt; empty when nothing will change.
	Final   string    `json:"final,omitempty"`
	FinalAt time.Time `json:"final_at,omitzero"`
	Message string    `json:"message,omitempty"`
}

// statusAt returns the status at a time.
func (e entry) statusAt(now time.Time) string {
	if e.Final != "" && !now.Before(e.FinalAt) {
		return e.Final
	}
	return e.Status
}

// verdict is what became of one POST.
type verdict string

const (
	verdictNew      verdict = "new"
	verdictRepeat   verdict = "repeat"
	verdictConflict verdict = "conflict"
)

// books holds every payout for ever, and knows a key for as long as its memory
// lasts. Its file is written before memory, and
// memory before any answer.
type books struct {
	mu        sync.Mutex
	file      *journal
	memory    time.Duration // Zero is for ever.
	entries   []entry
	byKey     map[string]int // Positions in entries.
	conflicts int
	repeats   int
	denied    int
}

func openBooks(path string) (*books, error) {
	b := &books{byKey: map[string]int{}}
	file, lines, err := openJournal(path)
	if err != nil {
		return nil, err
	}
	for i, line := range lines {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, errors.Join(fmt.Errorf("reading line %d of the sandbox's books: %w", i+1, err), file.close())
		}
		b.remember(e)
	}
	b.file = file
	return b, nil
}

// remember takes an entry into memory.
func (b *books) remember(e entry) {
	if e.Status == statusConflict {
		b.conflicts++
		return
	}
	b.byKey[e.Key] = len(b.entries)
	b.entries = append(b.entries, e)
}

// submit enters a payout, once for each key. The entry that it returns is the
// one that the key already had, if it had one.
func (b *books) submit(p Payout, body []byte, how plan, now time.Time) (entry, verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if known, ok := b.known(p.Key, now); ok {
		if known.Digest == digest {
			b.repeats++
			return known, verdictRepeat, nil
		}
		return known, verdictConflict, b.write(entry{
			At: now, Key: p.Key, Digest: digest, RewardID: p.Reward.ID, Quantity: p.Reward.Quantity,
			PromoterID: p.Reward.Promoter.ID, CustID: p.Reward.Promoter.CustID, Status: statusConflict,
		})
	}
	e := newEntry(p, digest, how, now)
	if e.Status != statusRefused {
		e.Reference = "sbx-" + strconv.Itoa(len(b.entries)+1)
	}
	return e, verdictNew, b.write(e)
}

func newEntry(p Payout, digest string, how plan, now time.Time) entry {
	e := entry{
		At: now, Key: p.Key, Digest: digest, RewardID: p.Reward.ID, Quantity: p.Reward.Quantity,
		PromoterID: p.Reward.Promoter.ID, CustID: p.Reward.Promoter.CustID,
		Status: how.status, Final: how.final, Message: how.message,
	}
	if e.Status == "" {
		e.Status = statusFulfilled
	}
	if e.Final != "" {
		e.FinalAt = now.Add(how.after)
	}
	return e
}

func (b *books) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the sandbox's books: %w", err)
	}
	if err := b.file.append(line); err != nil {
		return err
	}
	b.remember(e)
	return nil
}

func (b *books) find(key string, now time.Time) (entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known(key, now)
}

// known returns the newest entry of a key that is not forgotten.
func (b *books) known(key string, now time.Time) (entry, bool) {
	at, ok := b.byKey[key]
	if !ok || b.memory > 0 && !now.Before(b.entries[at].At.Add(b.memory)) {
		return entry{}, false
	}
	return b.entries[at], true
}

func (b *books) countDenied() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.denied++
}

func (b *books) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.close()
}

func (b *books) report(now time.Time) Books {
	b.mu.Lock()
	defer b.mu.Unlock()
	report := Books{
		ByKey: map[string]int{}, ByReward: map[reward.ID]int{},
		Conflicts: b.conflicts, Repeats: b.repeats, Denied: b.denied,
	}
	for _, e := range b.entries {
		status := e.statusAt(now)
		if status == statusRefused {
			report.Refused++
			continue
		}
		if status == statusFailed {
			continue
		}
		report.ByKey[e.Key]++
		report.ByReward[e.RewardID]++
		report.Effects = append(report.Effects, Effect{
			At: e.At, Key: e.Key, RewardID: e.RewardID, Quantity: e.Quantity, PromoterID: e.PromoterID,
			CustID: e.CustID, Reference: e.Reference, Status: status,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(report.ByReward)) {
		if report.ByReward[id] > 1 {
			report.Doubles = append(report.Doubles, id)
		}
	}
	return report
}
