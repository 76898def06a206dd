package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// webhookPath is where FirstPromoter delivers. It takes whatever follows, so
// that a wrong secret of any shape is answered as a wrong secret.
const (
	webhookRoot = "/webhooks/firstpromoter"
	webhookPath = webhookRoot + "/*secret"
)

// The routes that a machine asks again and again.
const (
	livezPath   = "/livez"
	readyzPath  = "/readyz"
	metricsPath = "/metrics"
)

// handler answers a request, or returns the error that is to be answered.
type handler func(c *gin.Context) error

// route is one row of the table: what it is, and who may use it.
type route struct {
	method string
	path   string
	access access
	handle handler
}

// newRoutes is the whole surface. openapi.yaml describes the same rows, and a
// test compares the two.
func newRoutes(cfg Config, deps Deps, m *metrics, document []byte) []route {
	words := presenter{
		workflowID: cfg.WorkflowID,
		temporalUI: cfg.TemporalUIURL,
		namespace:  cfg.TemporalNamespace,
		byHand:     byHand(cfg.Providers),
	}
	known := providerNames(cfg.Providers)

	webhook := newWebhookHandler(cfg, deps.Intake)
	callbacks := &callbackHandler{callbacks: deps.Callbacks}
	slack := &slackHandler{interactions: deps.Slack}
	rewards := &rewardsHandler{ledger: deps.Ledger, unstored: deps.Unstored, present: words}
	rules := &policyHandler{ledger: deps.Ledger, policy: deps.Policy}
	approvals := &approvalsHandler{ledger: deps.Ledger, present: words}
	decisions := &decisionHandler{desk: deps.Desk, metrics: m, now: cfg.Now}
	resolutions := &resolutionHandler{desk: deps.Desk, ledger: deps.Ledger, providers: known, now: cfg.Now}
	brake := &brakeHandler{ledger: deps.Ledger, desk: deps.Desk, caps: cfg.Caps, providers: known, now: cfg.Now}
	payouts := &payoutsHandler{ledger: deps.Ledger}
	summary := &summaryHandler{ledger: deps.Ledger}
	events := newEventsHandler(deps)
	health := newHealthHandler(cfg, deps)
	keys := &keysHandler{keys: deps.Keys, log: cfg.Logger}
	promoters := &promotersHandler{ledger: deps.Ledger, log: cfg.Logger}

	return []route{
		{http.MethodPost, webhookPath, anyone, webhook.receive},
		{http.MethodPost, webhookRoot, anyone, webhook.receive}, // Without a secret: always 401.
		{http.MethodPost, callbackPath, anyone, callbacks.receive},
		{http.MethodPost, slackPath, anyone, slack.receive},

		{http.MethodGet, "/api/v1/rewards", reads, rewards.list},
		{http.MethodGet, "/api/v1/rewards/:id", reads, rewards.show},
		{http.MethodGet, "/api/v1/rewards/:id/policy", reads, rules.explain},
		{http.MethodPost, "/api/v1/rewards/:id/decision", decides, decisions.decide},
		{http.MethodPost, "/api/v1/rewards/:id/resolve", operates, resolutions.resolve},
		{http.MethodGet, "/api/v1/approvals", reads, approvals.list},
		{http.MethodGet, "/api/v1/payouts", reads, payouts.list},
		{http.MethodGet, "/api/v1/payouts/totals", reads, payouts.totals},
		{http.MethodGet, "/api/v1/brake", reads, brake.show},
		{http.MethodPut, "/api/v1/brake", operates, brake.set},
		{http.MethodGet, "/api/v1/summary", reads, summary.show},
		{http.MethodGet, "/api/v1/events", reads, events.list},
		{http.MethodGet, "/api/v1/events/:id", reads, events.show},
		{http.MethodPost, "/api/v1/events/:id/replay", operates, events.replay},
		{http.MethodPost, "/api/v1/events/replay", operates, events.replayRange},

		{http.MethodPost, "/api/v1/keys/rotate", administers, keys.rotate},
		{http.MethodPost, "/api/v1/promoters/:id/erase", administers, promoters.erase},

		{http.MethodGet, "/api/v1/openapi.json", anyone, showDocument(document)},
		{http.MethodGet, livezPath, anyone, health.live},
		{http.MethodGet, readyzPath, anyone, health.ready},
		{http.MethodGet, metricsPath, anyone, showMetrics(cfg.MetricsHandler)},
		{http.MethodGet, "/", anyone, showStart(cfg.Version)},
	}
}

// serve admits the caller and runs the route's handler.
func (e *edge) serve(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := e.admit(c, r.access); err != nil {
			_ = c.Error(err)
			return
		}
		if err := r.handle(c); err != nil {
			_ = c.Error(err)
		}
	}
}

// admit identifies the caller, unless anyone may come in, and checks its roles.
func (e *edge) admit(c *gin.Context, a access) error {
	if a == anyone {
		return nil
	}
	who, err := e.auth.Identify(c.Request)
	if err != nil {
		if _, unknown := errors.AsType[*identity.Refusal](err); unknown {
			c.Header("WWW-Authenticate", `Bearer realm="rewardflow"`)
		}
		return refused(err)
	}
	c.Set(principalKey, who)
	if !a.Allows(who.Roles) {
		return roleMissing(a)
	}
	return nil
}

func showMetrics(metrics http.Handler) handler {
	return func(c *gin.Context) error {
		c.Status(http.StatusOK)
		metrics.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}

func byHand(providers []Provider) map[string]bool {
	// A reward without a payout, paid by a person's word, settles under this name.
	hands := map[string]bool{string(ledger.AttemptByHand): true}
	for _, p := range providers {
		hands[p.Name] = p.ByHand
	}
	return hands
}

// providerNames returns the names in their order, for messages.
func providerNames(providers []Provider) []string {
	names := make([]string, 0, len(providers))
	for _, p := range providers {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// rewardID reads the reward that the path names.
func rewardID(c *gin.Context) (reward.ID, error) {
	id, err := reward.ParseID(c.Param("id"))
	if err != nil {
		return 0, invalid("the address names no reward: an ID is a whole number above zero")
	}
	return id, nil
}
