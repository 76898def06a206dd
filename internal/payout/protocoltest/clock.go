package protocoltest

import (
	"sync"
	"time"
)

// clock is the one time of a world. It moves with the execution that runs,
// whose timers fire at once, and by jumps. Executions that run inside others
// are a stack: the outer ones stand still, and find afterwards that time has
// passed.
type clock struct {
	mu   sync.Mutex
	at   time.Time // While nothing runs.
	runs []*run
	// pinned, when set, is the provider's time: a request that arrived late
	// arrived when it was due, even if nobody looked until later.
	pinned time.Time
}

// run is one execution's share of the clock.
type run struct {
	own    interface{ Now() time.Time }
	offset time.Duration
	// acts counts the activities under way.
	acts int
}

// Now is the world's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *clock) now() time.Time {
	if n := len(c.runs); n > 0 {
		return c.runs[n-1].own.Now().Add(c.runs[n-1].offset).UTC()
	}
	return c.at
}

// Provider is the time at the provider.
func (c *clock) Provider() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pinned.IsZero() {
		return c.pinned
	}
	return c.now()
}

func (c *clock) pin(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pinned = at
}

// jump lets time pass in which nothing runs.
func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(d)
}

func (c *clock) advance(d time.Duration) {
	if n := len(c.runs); n > 0 {
		c.runs[n-1].offset += d
		return
	}
	c.at = c.at.Add(d)
}

// push hands the clock to an execution that begins now; pop takes it back.
func (c *clock) push(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = append(c.runs, r)
}

func (c *clock) pop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.now()
	c.runs = c.runs[:len(c.runs)-1]
	c.advance(ended.Sub(c.now()))
}

// depth counts the executions that are open.
func (c *clock) depth() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.runs)
}

// began and ended count the activities of an execution; resting reports
// whether it has none under way.
func (c *clock) began(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.acts++
}

func (c *clock) ended(r *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.acts--
}

func (c *clock) resting(r *run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return r.acts == 0 && c.runs[len(c.runs)-1] == r
}
