// Package console is the operators' pages: what waits for whom, what approving
// will do, and the brake.
//
// It is plain net/http and html/template, with what it serves embedded. Every
// page works without JavaScript, by forms and redirects; scripts only hasten.
// It holds no rules: a decision is the desk's to take and the ledger's to
// judge, and both are reached through the small interfaces below. What it shows
// of events and promoters is text, and is escaped as text everywhere.
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Root is the path that every page stands below.
const Root = "/console/"

// Config says how the console behaves. It is read once, by New.
type Config struct {
	// Providers are the configured providers.
	Providers []Provider
	// Caps are shown beside the brake.
	Caps ledger.Caps
	// WorkflowURL is a reward's workflow in the Temporal UI; it returns the
	// empty text where there is none. Required.
	WorkflowURL func(reward.ID) string
	Version     string
	// Decided hears of every decision, for the metrics; nil hears nothing.
	Decided func(reward.Verdict, ledger.Tally)
	// Logger hears what a page could not show; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Provider is what the console must know of a configured provider.
type Provider struct {
	Name string
	// Type is the configured type, "stripe" for one; it says what the
	// destination is.
	Type string
	// ByHand says that a person pays, and tells with a reference.
	ByHand bool
}

// Deps are what the console hands work to. Every field is required.
type Deps struct {
	Ledger   Ledger
	Desk     Desk
	Identity *identity.Authenticator
}

// Ledger is everything that the console reads from the ledger, and the brake's
// switch.
type Ledger interface {
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error)
	LatestClaim(ctx context.Context, id reward.ID) (ledger.Claimed, error)
	Changes(ctx context.Context, id reward.ID) ([]ledger.Change, error)
	Deliveries(ctx context.Context, id reward.ID) ([]ledger.Delivery, error)
	Attempts(ctx context.Context, id reward.ID) ([]ledger.Attempt, error)
	TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error)
	DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error)
	ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error)
	Payout(ctx context.Context, id reward.ID) (ledger.Payout, error)
	Overview(ctx context.Context, who ledger.Caller, since time.Time) (ledger.Overview, error)
	Brakes(ctx context.Context) ([]ledger.BrakeState, error)
	SetBrake(ctx context.Context, s ledger.BrakeState) error
}

// Desk takes what people decide: it commits it, and tells the workflow.
type Desk interface {
	Decide(ctx context.Context, d reward.Decision) (ledger.Tally, error)
	DecideAll(ctx context.Context, ds []reward.Decision) ([]ledger.Tally, []error)
	Resolve(ctx context.Context, r reward.Resolution) (reward.Status, error)
	BrakeChanged(ctx context.Context)
}

// Console serves the pages.
type Console struct {
	cfg      Config
	ledger   Ledger
	desk     Desk
	identity *identity.Authenticator
	pages    *pages
	assets   *assets
	handler  http.Handler
}

// New returns the console.
func New(cfg Config, deps Deps) (*Console, error) {
	if deps.Ledger == nil || deps.Desk == nil || deps.Identity == nil || cfg.WorkflowURL == nil {
		return nil, errors.New("setting up the console: a dependency is missing")
	}
	if cfg.Decided == nil {
		cfg.Decided = func(reward.Verdict, ledger.Tally) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Console{cfg: cfg, ledger: deps.Ledger, desk: deps.Desk, identity: deps.Identity}
	var err error
	if c.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = newPages(c.assets, cfg.Now); err != nil {
		return nil, err
	}
	c.handler = http.NewCrossOriginProtection().Handler(secured(c.mux()))
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// contentPolicy lets a page load what this server sends it, and nothing else.
// No script and no style stands in a page.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
