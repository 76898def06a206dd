package cli_test

import (
	"context"
	"crypto/sha256"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/callback"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/silentport"
	"github.com/rewardflow/rewardflow/workflows"
)

// The tokens of the operators.
const (
	aliceToken = "alice-0123456789"
	frankToken = "frank-0123456789"
	olgaToken  = "olga-0123456789"
	vicToken   = "vic-0123456789"
)

// noon is when the scripts run.
func noon() time.Time { return time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC) }

// world is what a script's commands speak to: the real API over a real ledger,
// with doubles of Temporal and FirstPromoter behind it.
type world struct {
	ledger ledger.Ledger
	desk   *desk
	// minutes is what the ledger's clock has gone on since nine o'clock.
	minutes atomic.Int64
	// swapped is a reward that changes once it was shown; zero is none.
	swapped atomic.Int64
	closers []func()
}

// worldKey is where a script finds its world.
type worldKey struct{}

// newWorld builds the world of one script, and tells the script where it is.
func newWorld(env *testscript.Env) error {
	w := &world{}
	env.Defer(w.close)
	env.Values[worldKey{}] = w
	box, err := sqlite.Open(context.Background(), filepath.Join(env.WorkDir, ".world", "ledger.db"), sqlite.Options{Now: w.now})
	if err != nil {
		return err
	}
	w.ledger = box
	w.closers = append(w.closers, func() { _ = box.Close() })
	w.desk = &desk{ledger: box}
	if err := w.fill(context.Background()); err != nil {
		return err
	}
	temporal, err := startTemporal(env.Defer)
	if err != nil {
		return err
	}
	open, err := w.serve(nil)
	if err != nil {
		return err
	}
	guarded, err := w.serve(operators())
	if err != nil {
		return err
	}
	wrong := w.start(http.NotFoundHandler())
	silent, err := w.silentPort()
	if err != nil {
		return err
	}
	free, err := freePort()
	if err != nil {
		return err
	}
	providers, err := newProviders()
	if err != nil {
		return err
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // It tells of clients that do not trust it.
	secure.StartTLS()
	w.closers = append(w.closers, secure.Close)
	env.Vars = append(env.Vars,
		"SILENT_PORT="+silent, "FREE_PORT="+free,
		"TEST_NOW="+noon().Format(time.RFC3339),
		"REWARDFLOW_URL="+guarded,
		"REWARDFLOW_TOKEN="+aliceToken,
		"WITHOUT_OPERATORS="+open,
		"ALICE="+aliceToken, "FRANK="+frankToken, "OLGA="+olgaToken, "VIC="+vicToken,
		"FIRSTPROMOTER="+w.start(http.HandlerFunc(answerAsFirstPromoter)),
		"WRONG_SERVER="+wrong, "WRONG_LISTEN="+strings.TrimPrefix(wrong, "http://"),
		"PROVIDERS="+w.start(providers), "FRONT="+w.start(http.HandlerFunc(answerAsFront)), "SECURE_FRONT="+secure.URL,
		"TEMPORAL="+temporal,
		// A program built with the race detector would sleep a second at its end.
		"GORACE=atexit_sleep_ms=0",
	)
	return nil
}

// silentPort returns a port on which nobody listens while the script runs.
func (w *world) silentPort() (string, error) {
	silent, err := silentport.Open()
	if err != nil {
		return "", err
	}
	w.closers = append(w.closers, func() { _ = silent.Close() })
	_, port, err := net.SplitHostPort(silent.Address)
	return port, err
}

// freePort returns a port for the script to listen on.
func freePort() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

func (w *world) now() time.Time {
	return noon().Add(-3*time.Hour + time.Duration(w.minutes.Load())*time.Minute)
}

func (w *world) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// start serves on loopback and returns the address.
func (w *world) start(h http.Handler) string {
	server := httptest.NewServer(h)
	w.closers = append(w.closers, server.Close)
	return server.URL
}

// serve starts the real API.
func (w *world) serve(operators []api.Operator) (string, error) {
	handler, err := api.New(api.Config{
		WebhookSecret:  webhookSecret,
		Operators:      operators,
		Providers:      []api.Provider{{Name: "team"}, {Name: "billing"}, {Name: "people", ByHand: true}},
		Caps:           ledger.Caps{MaxSingle: map[string]int64{"credits": 50000}, MaxPerDay: map[string]int64{"credits": 90000, "USD": 500000}},
		WorkflowID:     workflows.FulfilmentID,
		TemporalUIURL:  "http://temporal.example:8233",
		Listen:         "127.0.0.1:0",
		MetricsHandler: http.NotFoundHandler(),
		Now:            noon,
	}, api.Deps{
		Intake:     intake{},
		Ledger:     w.ledger,
		Desk:       w.desk,
		Engine:     engine{},
		Callbacks:  callback.New(callback.Config{}, w.ledger, nil),
		Policy:     rules{},
		Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		return "", err
	}
	return w.start(w.swapping(handler)), nil
}

// swapping shows a reward as it is, and makes it ten times as large then.
func (w *world) swapping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r)
		id := reward.ID(w.swapped.Load())
		if r.Method != http.MethodGet || id == 0 || r.URL.Path != "/api/v1/rewards/"+id.String() || !w.swapped.CompareAndSwap(int64(id), 0) {
			return
		}
		rec, err := w.ledger.Reward(r.Context(), id)
		if err == nil {
			rec.Reward.Quantity.Amount *= 10
			err = w.ledger.Assess(r.Context(), asked(rec.Reward), "policy")
		}
		if err != nil {
			panic(err)
		}
	})
}

func operators() []api.Operator {
	return []api.Operator{
		{Name: "alice", TokenSHA256: sha256.Sum256([]byte(aliceToken)), Roles: []string{api.RoleApprover, api.RoleFinance}},
		{Name: "frank", TokenSHA256: sha256.Sum256([]byte(frankToken)), Roles: []string{api.RoleFinance}},
		{Name: "olga", TokenSHA256: sha256.Sum256([]byte(olgaToken)), Roles: []string{api.RoleOperator}},
		{Name: "vic", TokenSHA256: sha256.Sum256([]byte(vicToken)), Roles: []string{api.RoleViewer}},
	}
}

// desk stands for the desk without a Temporal behind it. Decisions are judged
// by the ledger, as always.
type desk struct{ ledger ledger.Ledger }

func (d *desk) Decide(ctx context.Context, decision reward.Decision) (ledger.Tally, error) {
	return d.ledger.Decide(ctx, decision, true)
}

// DecideAll is the console's; no command decides many at once.
func (d *desk) DecideAll(ctx context.Context, all []reward.Decision) ([]ledger.Tally, []error) {
	tallies, errs := make([]ledger.Tally, len(all)), make([]error, len(all))
	for i := range all {
		tallies[i], errs[i] = d.Decide(ctx, all[i])
	}
	return tallies, errs
}

// Resolve does what the fulfilment workflow would be told by the instruction,
// as far as the status shows it.
func (d *desk) Resolve(ctx context.Context, r reward.Resolution) (reward.Status, error) {
	rec, err := d.ledger.Reward(ctx, r.RewardID)
	if err != nil {
		return "", err
	}
	if rec.Status.Final() {
		return "", fault.New(fault.Conflict, "desk.resolve", "the reward has ended: it is "+string(rec.Status))
	}
	if rec.Reward.ID == lost {
		return "", fault.New(fault.Unavailable, "desk.resolve", "the workflow could not be asked, and nothing was done")
	}
	if err := d.ledger.RecordResolution(ctx, r); err != nil {
		return "", err
	}
	to := map[reward.Action]reward.Status{
		reward.ActionRetry: reward.Verifying, reward.ActionReroute: reward.Paying, reward.ActionPaid: reward.Paid,
		reward.ActionReject: reward.Rejected, reward.ActionAbandon: reward.Abandoned,
	}[r.Action]
	return to, d.ledger.Move(ctx, ledger.Transition{ID: r.RewardID, To: to, Reason: "told by " + r.By, Actor: r.By})
}

func (d *desk) BrakeChanged(context.Context) {}

type intake struct{}

func (intake) Accept(context.Context, []byte) (ledger.Taken, error) {
	return ledger.Taken{}, fault.New(fault.Invalid, "test.accept", "no events are sent here")
}

// rules say the same of everything.
type rules struct{}

func (rules) Explain(string) (api.Explanation, error) {
	return api.Explanation{Version: "7f3b", Verdict: "ask", Reason: "rule 2 (line 9): amount > 100: ask 2 people", Rules: []api.ExplainedRule{
		{Rule: "rule 1 (line 8)", When: "promoter_age >= 30", Then: "pay", Outcome: "differs"},
		{Rule: "rule 2 (line 9)", When: "amount > 100", Then: "ask", Outcome: "matches"},
		{Rule: "default", Then: "ask", Outcome: "not_reached"},
	}}, nil
}

type engine struct{}

func (engine) Healthy(context.Context) (bool, string) { return true, "Temporal answers" }
