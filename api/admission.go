package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Most events are sent once and never again, so a webhook that comes in a
// crowd waits for its turn: FirstPromoter waits 15 seconds for an answer. The
// bounds are on memory. A webhook inside may hold a body of maxBody bytes, and
// what an outage of the ledger makes wait there is answered by the spool; one
// that waits holds its connection's buffers only.
const (
	maxInside  = 512
	maxWaiting = 10_000
	maxWait    = 5 * time.Second
)

// gate bounds how many webhooks are read and stored at once.
type gate struct {
	inside  chan struct{}
	waiting atomic.Int64
	crowd   int64
	wait    time.Duration
}

func newGate(inside int, crowd int64, wait time.Duration) *gate {
	return &gate{inside: make(chan struct{}, inside), crowd: crowd, wait: wait}
}

// enter waits for a turn, which leave ends. It returns an answer of 503 when
// none came up in time.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.inside <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.crowd {
		return overcrowded()
	}
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.inside <- struct{}{}:
		return nil
	case <-timer.C:
		return overcrowded()
	case <-ctx.Done():
		return notStored(ctx.Err())
	}
}

func (g *gate) leave() { <-g.inside }

func overcrowded() error {
	p := newProblem(http.StatusServiceUnavailable, "overcrowded",
		"too many events arrive at once, and this one was not stored: send it again")
	p.retryAfter = maxWait
	return p
}

// sendElsewhere ends the connection after each answer while the process is
// about to stop. Closing idle connections instead would cut off a request that
// is on its way over one of them.
func (e *edge) sendElsewhere(c *gin.Context) {
	if e.leaving != nil && e.leaving() {
		c.Header("Connection", "close")
	}
	c.Next()
}
