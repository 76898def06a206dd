package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/api/console"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// consolePath takes everything below the console's root; the console has a
// route table of its own.
const consolePath = console.Root + "*page"

// newConsole returns the operators' pages.
func newConsole(cfg Config, deps Deps, m *metrics, auth *identity.Authenticator) (http.Handler, error) {
	words := presenter{workflowID: cfg.WorkflowID, temporalUI: cfg.TemporalUIURL, namespace: cfg.TemporalNamespace}
	providers := make([]console.Provider, 0, len(cfg.Providers))
	for _, p := range cfg.Providers {
		providers = append(providers, console.Provider{Name: p.Name, Type: p.Type, ByHand: p.ByHand})
	}
	return console.New(console.Config{
		Providers:   providers,
		Caps:        cfg.Caps,
		WorkflowURL: func(id reward.ID) string { return words.links(id).Workflow },
		Version:     cfg.Version,
		Decided:     func(v reward.Verdict, tally ledger.Tally) { m.decided(v, tally) },
		Logger:      cfg.Logger,
		Now:         cfg.Now,
	}, console.Deps{Ledger: deps.Ledger, Desk: deps.Desk, Identity: auth})
}

func serveConsole(pages http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Status(http.StatusOK)
		pages.ServeHTTP(c.Writer, c.Request)
	}
}

// wantsPage reports whether a person asks with a browser: programs that take
// anything, or JSON, are answered as ever.
func wantsPage(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch kind {
		case "application/json", "application/problem+json":
			return false
		case "text/html":
			return true
		}
	}
	return false
}
