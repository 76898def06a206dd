package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace/noop"
)

// Silent returns the surface with handlers that answer nothing, on the
// webhook's route and on another.
func Silent() (http.Handler, error) {
	m, err := newMetrics(prometheus.NewRegistry(), nil)
	if err != nil {
		return nil, err
	}
	e := &edge{log: slog.New(slog.DiscardHandler), metrics: m, now: time.Now}
	silence := func(*gin.Context) error { return nil }
	return e.engine([]route{
		{http.MethodPost, webhookPath, anyone, silence},
		{http.MethodGet, "/silent", anyone, silence},
	}, http.NotFoundHandler(), newTracing(noop.NewTracerProvider(), propagation.TraceContext{})), nil
}

// RouteTable returns the rows of the route table as "METHOD path", each with
// the roles of which the caller needs one; none for a route that is open to
// anyone.
func RouteTable(cfg Config, deps Deps) map[string][]string {
	table := map[string][]string{}
	for _, r := range newRoutes(cfg.withDefaults(), deps, nil, nil) {
		table[r.method+" "+r.path] = r.access.Roles()
	}
	return table
}

// ZeroAccessAllows tells what a row that forgot its access would allow.
func ZeroAccessAllows(role string) bool {
	var forgotten access
	return forgotten.Allows([]string{role})
}

// Gate bounds how many webhooks are inside at once.
type Gate struct{ *gate }

// NewGate returns a gate of the given bounds.
func NewGate(inside int, crowd int64, wait time.Duration) Gate {
	return Gate{newGate(inside, crowd, wait)}
}

// Enter returns the status and the code of the answer to who is not let in.
func (g Gate) Enter(ctx context.Context) (status int, code string) {
	p, refused := errors.AsType[*problem](g.enter(ctx))
	if !refused {
		return 0, ""
	}
	return p.Status, p.Code
}

// Leave ends a turn.
func (g Gate) Leave() { g.leave() }

// Waiting is how many wait for their turn.
func (g Gate) Waiting() int64 { return g.waiting.Load() }
