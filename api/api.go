// Package api is the HTTP edge: it takes FirstPromoter's webhooks in, shows
// rewards to people and programs, and takes their decisions.
//
// It is the only package that knows gin. It holds no rules: what a webhook
// means is intake's to say, what a decision counts is the ledger's, and both
// are reached through the small interfaces that this package declares beside
// the handlers that use them. A handler returns its error; one middleware
// turns it into an answer (problem.go).
package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/rewardflow/rewardflow/api/console"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Config says how the edge behaves. It is read once, by New.
type Config struct {
	// WebhookSecret is the last part of the webhook's URL, unescaped. Required.
	WebhookSecret string
	// BasicAuth is "user:password", which a webhook must bring as well; empty
	// asks for none.
	BasicAuth string
	// Operators may use the operator API. With none, and without a proxy or a
	// provider that names people, it answers the machine that it runs on and
	// nobody else.
	Operators []Operator
	// Proxy names people in headers; the zero value trusts none.
	Proxy identity.Proxy
	// OpenID signs people in to the console; the zero value signs in nobody.
	OpenID identity.OpenID
	// SessionLifetime is how long somebody stays signed in; zero means 12 hours.
	SessionLifetime time.Duration
	// Providers are the configured providers. With none, any name is taken for
	// one.
	Providers []Provider
	// EventTypes are the known event types in their canonical spelling, for labels
	// and filters.
	EventTypes []string
	// Caps are shown beside the brake.
	Caps ledger.Caps
	// WorkflowID names the workflow that carries a reward. Required.
	WorkflowID func(reward.ID) string
	// TemporalUIURL is where people open the Temporal UI; empty gives no links.
	TemporalUIURL string
	// TemporalNamespace is what links into the Temporal UI name; empty means
	// "default".
	TemporalNamespace string
	// Version is the program's version, for the start page.
	Version string
	// Listen is the address that the handler will be served on. It serves one
	// warning: an operator API without operators that others could reach.
	Listen string
	// MetricsHandler answers /metrics. Required.
	MetricsHandler http.Handler
	// Logger gets one line for each request; nil discards them.
	Logger *slog.Logger
	// TracerProvider makes one span for each request; nil makes none.
	TracerProvider trace.TracerProvider
	// Propagator reads the caller's trace context; nil reads W3C's.
	Propagator propagation.TextMapPropagator
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Provider is what the edge must know of a configured provider.
type Provider struct {
	// Name is the configured name, the one that routes use.
	Name string
	// Type is the configured type, "stripe" for one.
	Type string
	// ByHand says that a person pays, and tells with a reference.
	ByHand bool
}

// Deps are what the edge hands work to. Spool, Unstored, Replays, Troubles, Keys,
// Slack and Draining may be left out.
type Deps struct {
	Intake Intake
	Ledger Ledger
	Desk   Desk
	Engine Engine
	// Callbacks takes what providers say by themselves.
	Callbacks Callbacks
	Policy    Policy
	// Unstored counts deliveries that were not stored; nil counts none.
	Unstored Unstored
	// Replays hears that events were queued to be replayed; nil leaves them until
	// the queue is looked at by itself.
	Replays interface{ Wake() }
	// Troubles tell of parts that do not work, for /readyz.
	Troubles []Troubles
	// Spool keeps events while the inbox cannot commit, and counts for /readyz;
	// nil without one.
	Spool Spool
	// Slack takes what people do with the buttons in Slack; nil where it is not
	// configured.
	Slack SlackInteractions
	// Keys changes the ledger to another key; nil where nothing is encrypted.
	Keys Keys
	// Registerer gets the edge's metrics.
	Registerer prometheus.Registerer
	// Draining reports that the process is about to stop: /readyz then sends
	// callers elsewhere, and every answer ends its connection. Nil means never.
	Draining func() bool
}

// Ledger is everything that the edge reads from the ledger, and the brake's
// switch.
type Ledger interface {
	rewardReader
	approvalReader
	resolutionReader
	brakeSwitch
	statementReader
	summaryReader
	eventLog
	budgetReader
	inboxProbe
	eraser
	identity.Sessions
	console.Ledger
}

// Desk takes what people decide: it commits it, and tells the workflow.
type Desk interface {
	decider
	resolver
	brakeListener
	console.Desk
}

// New returns the whole HTTP surface as one handler. It refuses a
// configuration that would leave a door open, naming every mistake. Metrics
// are registered once, so two handlers need two registerers.
func New(cfg Config, deps Deps) (http.Handler, error) {
	if err := errors.Join(cfg.validate(), deps.validate()); err != nil {
		return nil, fmt.Errorf("setting up the HTTP API: %w", err)
	}
	cfg = cfg.withDefaults()

	metrics, err := newMetrics(deps.Registerer, cfg.EventTypes)
	if err != nil {
		return nil, fmt.Errorf("setting up the HTTP API: %w", err)
	}
	document, err := openAPIDocument()
	if err != nil {
		return nil, fmt.Errorf("setting up the HTTP API: %w", err)
	}

	auth := identity.New(identity.Config{
		Operators: cfg.Operators, Proxy: cfg.Proxy, OpenID: cfg.OpenID, SessionLifetime: cfg.SessionLifetime, Logger: cfg.Logger, Now: cfg.Now,
	}, deps.Ledger)
	pages, err := newConsole(cfg, deps, metrics, auth)
	if err != nil {
		return nil, fmt.Errorf("setting up the HTTP API: %w", err)
	}
	e := &edge{
		auth:     auth,
		log:      cfg.Logger,
		metrics:  metrics,
		unstored: deps.Unstored,
		now:      cfg.Now,
		leaving:  deps.Draining,
	}
	routes := newRoutes(cfg, deps, metrics, document)
	metrics.register(routes)
	if auth.Open() && !identity.LoopbackHost(cfg.Listen) {
		cfg.Logger.Warn("the operator API answers this machine only: no operators are configured",
			slog.String("listen", cfg.Listen))
	}
	return e.engine(routes, pages, newTracing(cfg.TracerProvider, cfg.Propagator)), nil
}

// edge holds what every request needs, whatever its route.
type edge struct {
	auth     *identity.Authenticator
	log      *slog.Logger
	metrics  *metrics
	unstored Unstored // May be nil.
	now      func() time.Time
	leaving  func() bool // Nil means never.
}

// engine builds the router. The order of the middleware is part of its
// meaning: the outer ones see the final status, so they come first.
func (e *edge) engine(routes []route, pages http.Handler, tracing gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.ContextWithFallback = true
	engine.HandleMethodNotAllowed = true
	// A redirect would repeat the secret path in its Location.
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	// SetTrustedProxies fails on malformed addresses only, and here are none.
	_ = engine.SetTrustedProxies(nil)

	engine.Use(
		identifyRequest,
		e.sendElsewhere,
		tracing,
		e.observe,
		e.renderProblems,
		recoverPanics,
		refuseCrossOrigin(http.NewCrossOriginProtection()),
		limitBody,
	)
	for _, r := range routes {
		engine.Handle(r.method, r.path, e.serve(r))
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		engine.Handle(method, consolePath, serveConsole(pages))
	}
	engine.NoRoute(fail(newProblem(http.StatusNotFound, "no_such_route",
		"there is nothing at this address: GET /api/v1/openapi.json lists what there is")))
	engine.NoMethod(fail(newProblem(http.StatusMethodNotAllowed, "method_not_allowed",
		"this address does not know the method: the Allow header lists those that it knows")))
	return engine
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.TracerProvider == nil {
		c.TracerProvider = noop.NewTracerProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.TraceContext{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TemporalNamespace == "" {
		c.TemporalNamespace = "default"
	}
	return c
}

// validate names every mistake at once. It repeats no secret.
func (c Config) validate() error {
	var errs []error
	if c.WebhookSecret == "" {
		errs = append(errs, errors.New("the webhook secret is missing: without it anybody could send events"))
	}
	if user, password, _ := strings.Cut(c.BasicAuth, ":"); c.BasicAuth != "" && (user == "" || password == "") {
		errs = append(errs, errors.New(`basic auth is not of the form "user:password"`))
	}
	if c.WorkflowID == nil {
		errs = append(errs, errors.New("WorkflowID is missing"))
	}
	if c.MetricsHandler == nil {
		errs = append(errs, errors.New("MetricsHandler is missing"))
	}
	if u, err := url.Parse(c.TemporalUIURL); c.TemporalUIURL != "" && (err != nil || u.Host == "") {
		errs = append(errs, errors.New("the address of the Temporal UI is not a URL"))
	}
	return errors.Join(append(errs, validateOperators(c.Operators)...)...)
}

func validateOperators(operators []Operator) []error {
	var errs []error
	names := make(map[string]bool, len(operators))
	tokens := make(map[[32]byte]string, len(operators))
	for i, o := range operators {
		if o.Name == "" {
			errs = append(errs, fmt.Errorf("operator %d has no name", i+1))
		}
		if names[o.Name] {
			errs = append(errs, fmt.Errorf("two operators are named %q", o.Name))
		}
		if other, taken := tokens[o.TokenSHA256]; taken {
			errs = append(errs, fmt.Errorf("operators %q and %q have the same token", other, o.Name))
		}
		if o.TokenSHA256 == ([32]byte{}) || o.TokenSHA256 == sha256.Sum256(nil) {
			errs = append(errs, fmt.Errorf("operator %q has no token", o.Name))
		}
		if len(o.Roles) == 0 {
			errs = append(errs, fmt.Errorf("operator %q has no role", o.Name))
		}
		for _, r := range o.Roles {
			if !slices.Contains(Roles(), r) {
				errs = append(errs, fmt.Errorf("operator %q has the unknown role %q: the roles are %s",
					o.Name, r, strings.Join(Roles(), ", ")))
			}
		}
		names[o.Name] = true
		tokens[o.TokenSHA256] = o.Name
	}
	return errs
}

func (d Deps) validate() error {
	var errs []error
	for _, dep := range []struct {
		name    string
		missing bool
	}{
		{"Intake", d.Intake == nil},
		{"Ledger", d.Ledger == nil},
		{"Desk", d.Desk == nil},
		{"Engine", d.Engine == nil},
		{"Callbacks", d.Callbacks == nil},
		{"Policy", d.Policy == nil},
		{"Registerer", d.Registerer == nil},
	} {
		if dep.missing {
			errs = append(errs, fmt.Errorf("%s is missing", dep.name))
		}
	}
	return errors.Join(errs...)
}
