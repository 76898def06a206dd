package protocoltest

import (
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/workflow"
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
	// asked are activities that may be under way.
	asked []workflow.Future
	// acting is held by each activity while it acts.
	acting sync.RWMutex
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

// innermost reports whether no execution runs inside this one.
func (c *clock) innermost(r *run) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[len(c.runs)-1] == r
}

// awaits notes an activity that the execution waits for. Like resting, it is
// called from the execution's own loop only.
func (r *run) awaits(activity workflow.Future) workflow.Future {
	r.asked = append(r.asked, activity)
	return activity
}

// resting reports whether nothing is under way.
func (r *run) resting() bool {
	r.asked = slices.DeleteFunc(r.asked, workflow.Future.IsReady)
	return len(r.asked) == 0
}
