package intake

import (
	"sync"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// maxRecent is how many rewards are remembered: about 1 MiB.
const maxRecent = 16384

// recent remembers the newest rewards that were committed, and forgets the
// oldest.
type recent struct {
	mu    sync.Mutex
	known map[reward.ID]bool
	order []reward.ID
	next  int
}

func newRecent(size int) *recent {
	return &recent{known: make(map[reward.ID]bool), order: make([]reward.ID, size)}
}

func (r *recent) add(id reward.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[id] {
		return
	}
	delete(r.known, r.order[r.next])
	r.order[r.next] = id
	r.next = (r.next + 1) % len(r.order)
	r.known[id] = true
}

func (r *recent) has(id reward.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[id]
}
