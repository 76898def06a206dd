package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
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

// Trouble is a part that does not work as it should. Its words are for anybody
// who asks: they hold no secret and no personal data.
type Trouble struct {
	// Part names the part: "firstpromoter", "notifications slack-1".
	Part   string
	Detail string
	// Since is when it began; the zero time takes the moment at which it was seen
	// first.
	Since time.Time
}

// Troubles know of parts that this process depends on.
type Troubles interface {
	// Troubles returns what does not work now. It keeps to ctx's deadline.
	Troubles(ctx context.Context) []Trouble
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
	// lateAfter is how long an event may wait before its dispatch is degraded.
	lateAfter = time.Minute
)

// healthHandler answers the machines that watch this process.
type healthHandler struct {
	inbox    inboxProbe
	spool    Spool // Nil without one.
	engine   Engine
	troubles []Troubles
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
		inbox: deps.Ledger, spool: deps.Spool, engine: deps.Engine, troubles: deps.Troubles,
		draining: draining, log: cfg.Logger, now: cfg.Now,
	}
}

// readyJSON is the answer to a readiness probe. What is degraded is told and is
// no failure while events can be made durable.
type readyJSON struct {
	Ready bool `json:"ready"`
	// Inbox is left out when it could not be read.
	Inbox *inboxJSON `json:"inbox,omitempty"`
	// Spool is left out where there is none.
	Spool    *inboxJSON   `json:"spool,omitempty"`
	Temporal temporalJSON `json:"temporal"`
	// Degraded is what does not work as it should, by part.
	Degraded []degradedJSON `json:"degraded"`
}

type degradedJSON struct {
	Part   string    `json:"part"`
	Detail string    `json:"detail"`
	Since  time.Time `json:"since"`
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

	var found []Trouble
	err := h.ping(ctx)
	state := readyJSON{Ready: err == nil}
	if err != nil {
		found = append(found, Trouble{Part: "inbox", Detail: "it cannot commit: " + fault.Message(err)})
	}
	if err != nil && !h.failing {
		h.log.ErrorContext(ctx, "inbox.unavailable", slog.String("error", err.Error()))
	}
	h.failing = err != nil
	if h.spool != nil {
		state.Spool = h.waiting(h.spool.SpoolDepth())
		found = append(found, h.lastResort(ctx, &state)...)
	}
	if depth, oldest, err := h.inbox.InboxDepth(ctx); err == nil {
		state.Inbox = h.waiting(depth, oldest)
		if late := oldest.Add(lateAfter); !oldest.IsZero() && h.now().After(late) {
			found = append(found, Trouble{Part: "dispatch", Detail: "accepted events have waited for more than a minute", Since: late})
		}
	}
	state.Degraded = h.since(ctx, append(found, h.others(ctx, &state.Temporal)...))
	h.taken, h.last = h.now(), state
	return state
}

// others asks, all at once, what does not stand in the way of an event.
func (h *healthHandler) others(ctx context.Context, temporal *temporalJSON) []Trouble {
	found := make([][]Trouble, len(h.troubles)+1)
	var asked sync.WaitGroup
	for i, source := range h.troubles {
		asked.Go(func() { found[i] = source.Troubles(ctx) })
	}
	if temporal.Reachable, temporal.Detail = h.engine.Healthy(ctx); !temporal.Reachable {
		found[len(h.troubles)] = []Trouble{{Part: "temporal", Detail: temporal.Detail}}
	}
	asked.Wait()
	return slices.Concat(found...)
}

// since dates what was found by when it was seen first, and logs what began and
// what is over.
func (h *healthHandler) since(ctx context.Context, found []Trouble) []degradedJSON {
	before := make(map[string]time.Time, len(h.last.Degraded))
	for _, d := range h.last.Degraded {
		before[d.Part] = d.Since
	}
	now := make([]degradedJSON, 0, len(found))
	for _, t := range found {
		since, known := before[t.Part]
		delete(before, t.Part)
		switch {
		case !t.Since.IsZero():
			since = t.Since
		case !known:
			since = h.now()
		}
		if !known {
			h.log.WarnContext(ctx, "part.degraded", slog.String("part", t.Part), slog.String("detail", t.Detail))
		}
		now = append(now, degradedJSON{Part: t.Part, Detail: t.Detail, Since: since.UTC().Truncate(time.Second)})
	}
	for part, since := range before {
		h.log.InfoContext(ctx, "part.works_again", slog.String("part", part), slog.Time("degraded_since", since))
	}
	slices.SortFunc(now, func(a, b degradedJSON) int { return cmp.Compare(a.Part, b.Part) })
	return now
}

// lastResort looks at the spool: what waits there, and, where the inbox does not
// commit, whether it can take an event. That costs a wait for the disk.
func (h *healthHandler) lastResort(ctx context.Context, state *readyJSON) []Trouble {
	var found []Trouble
	if state.Spool.Depth > 0 {
		found = append(found, Trouble{Part: "spool", Detail: "events wait there for the inbox to commit"})
	}
	if state.Ready {
		return found
	}
	if err := h.spool.CheckSpool(ctx); err != nil {
		return []Trouble{{Part: "spool", Detail: "it cannot keep events: " + fault.Message(err)}}
	}
	state.Ready = true
	return found
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
