package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// inboxProbe says whether events can be taken in.
type inboxProbe interface {
	Ping(ctx context.Context) error
	InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error)
}

// Engine is Temporal, as far as the edge asks about it.
type Engine interface {
	// Healthy reports whether Temporal answers, and what is wrong in words
	// that anybody may read.
	Healthy(ctx context.Context) (reachable bool, detail string)
}

// Spool keeps events while the inbox cannot commit.
type Spool interface {
	// CheckSpool reports whether an event could be kept there now, by a write
	// that leaves no trace.
	CheckSpool(ctx context.Context) error
	// SpoolDepth returns how many events wait there for the inbox, and since
	// when the oldest does; the zero time when none waits.
	SpoolDepth() (depth int, oldest time.Time)
}

const (
	// pingTimeout bounds the look at the inbox, so that some of probeTimeout is
	// left for the others.
	pingTimeout = time.Second
	// probeTimeout bounds the look at everything that readiness depends on.
	probeTimeout = 3 * time.Second
	// probeFresh is how long one look serves everybody who asks. Readiness is
	// asked without a token and costs a write.
	probeFresh = time.Second
)

// healthHandler answers the machines that watch this process.
type healthHandler struct {
	inbox    inboxProbe
	spool    Spool // Nil without one.
	engine   Engine
	draining func() bool
	log      *slog.Logger
	now      func() time.Time

	mu    sync.Mutex
	taken time.Time
	last  readyJSON
	// failing says that the last look found an inbox that does not commit.
	failing bool
}

func newHealthHandler(cfg Config, deps Deps) *healthHandler {
	draining := deps.Draining
	if draining == nil {
		draining = func() bool { return false }
	}
	return &healthHandler{
		inbox: deps.Ledger, spool: deps.Spool, engine: deps.Engine, draining: draining, log: cfg.Logger, now: cfg.Now,
	}
}

// readyJSON is the answer to a readiness probe. Temporal's state is told and
// is not a failure: events are accepted without it.
type readyJSON struct {
	Ready bool `json:"ready"`
	// Inbox is left out when it could not be read.
	Inbox *inboxJSON `json:"inbox,omitempty"`
	// Spool is left out where there is none.
	Spool    *inboxJSON   `json:"spool,omitempty"`
	Temporal temporalJSON `json:"temporal"`
}

type inboxJSON struct {
	Depth int `json:"depth"`
	// OldestSeconds is how long the oldest waiting event has waited.
	OldestSeconds int64 `json:"oldest_seconds"`
}

type temporalJSON struct {
	Reachable bool   `json:"reachable"`
	Detail    string `json:"detail"`
}

// live says that the process serves requests, and nothing more: restarting it
// would not bring a database back.
func (h *healthHandler) live(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"live": true})
	return nil
}

// ready answers 200 while an event can be made durable: while the inbox can
// commit, or the spool can keep what waits for it.
func (h *healthHandler) ready(c *gin.Context) error {
	state := h.probe(c.Request.Context())
	if h.draining() {
		state.Ready = false
	}
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
		c.Header("Retry-After", "5")
	}
	c.JSON(status, state)
	return nil
}

// probe looks, or returns what was seen a moment ago. It does not stop for a
// caller that goes away, because others get the same answer.
func (h *healthHandler) probe(ctx context.Context) readyJSON {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.now(); !h.taken.IsZero() && now.Sub(h.taken) < probeFresh {
		return h.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()

	err := h.ping(ctx)
	state := readyJSON{Ready: err == nil}
	if err != nil && !h.failing {
		h.log.ErrorContext(ctx, "inbox.unavailable", slog.String("error", err.Error()))
	}
	h.failing = err != nil
	if h.spool != nil {
		state.Spool = h.waiting(h.spool.SpoolDepth())
		// Asked only now: it costs a wait for the disk.
		state.Ready = state.Ready || h.spool.CheckSpool(ctx) == nil
	}
	if depth, oldest, err := h.inbox.InboxDepth(ctx); err == nil {
		state.Inbox = h.waiting(depth, oldest)
	}
	state.Temporal.Reachable, state.Temporal.Detail = h.engine.Healthy(ctx)
	h.taken, h.last = h.now(), state
	return state
}

func (h *healthHandler) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return h.inbox.Ping(ctx)
}

// waiting says how many events wait, and how long the oldest has.
func (h *healthHandler) waiting(depth int, oldest time.Time) *inboxJSON {
	w := &inboxJSON{Depth: depth}
	if !oldest.IsZero() {
		w.OldestSeconds = max(int64(h.now().Sub(oldest)/time.Second), 0)
	}
	return w
}
