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

// LastResort makes events durable when the inbox cannot.
type LastResort interface {
	// Usable returns nil while it can take an event, and otherwise why not, in
	// words that anybody may read.
	Usable(ctx context.Context) error
}

const (
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
	inbox      inboxProbe
	engine     Engine
	troubles   []Troubles
	lastResort LastResort // May be nil.
	draining   func() bool
	log        *slog.Logger
	now        func() time.Time

	mu    sync.Mutex
	taken time.Time
	last  readyJSON
}

func newHealthHandler(cfg Config, deps Deps) *healthHandler {
	draining := deps.Draining
	if draining == nil {
		draining = func() bool { return false }
	}
	return &healthHandler{
		inbox: deps.Ledger, engine: deps.Engine, troubles: deps.Troubles, lastResort: deps.LastResort,
		draining: draining, log: cfg.Logger, now: cfg.Now,
	}
}

// readyJSON is the answer to a readiness probe. What is degraded is told and is
// no failure while events can be made durable.
type readyJSON struct {
	Ready bool `json:"ready"`
	// Inbox is left out when it could not be read.
	Inbox    *inboxJSON   `json:"inbox,omitempty"`
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

// ready answers 200 while an event can be made durable.
func (h *healthHandler) ready(c *gin.Context) error {
	state := h.probe(c.Request.Context())
	if h.draining() {
		state.Ready = false
	}
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
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
	state := readyJSON{Ready: true}
	if err := h.durable(ctx, &found); err != nil {
		state.Ready = false
		if h.last.Ready || h.taken.IsZero() {
			h.log.ErrorContext(ctx, "inbox.unavailable", slog.String("error", err.Error()))
		}
	}
	if depth, oldest, err := h.inbox.InboxDepth(ctx); err == nil {
		state.Inbox = &inboxJSON{Depth: depth}
		if !oldest.IsZero() {
			waited := max(h.now().Sub(oldest), 0)
			state.Inbox.OldestSeconds = int64(waited / time.Second)
			if waited > lateAfter {
				found = append(found, Trouble{Part: "dispatch", Detail: "accepted events have waited for more than a minute", Since: oldest.Add(lateAfter)})
			}
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

// durable returns nil while an event can be made durable: by the inbox, or else
// by the last resort.
func (h *healthHandler) durable(ctx context.Context, found *[]Trouble) error {
	err := h.inbox.Ping(ctx)
	if err != nil {
		*found = append(*found, Trouble{Part: "inbox", Detail: "it cannot commit: " + fault.Message(err)})
	}
	if h.lastResort == nil {
		return err
	}
	unusable := h.lastResort.Usable(ctx)
	if unusable != nil {
		*found = append(*found, Trouble{Part: "last resort", Detail: fault.Message(unusable)})
	}
	if err == nil || unusable == nil {
		return nil
	}
	return err
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
