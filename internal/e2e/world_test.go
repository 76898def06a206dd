package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The credentials of every world. They must not be found anywhere.
const (
	webhookSecret  = "secret-of-the-webhook-0123456789-abcdef"
	apiKey         = "key-of-firstpromoter-0123456789"
	providerSecret = "secret-of-the-provider-0123456789"
)

// settings are what one test wants of its world. Zero fields have defaults.
type settings struct {
	// Policy holds rules as YAML; "pay everything" by default.
	Policy string
	// More is YAML that goes to the end of the configuration.
	More string
	// CloseByAnswerAfter is far away by default.
	CloseByAnswerAfter time.Duration
	// CheckEvery and RetryEvery are FirstPromoter's; an hour by default, so
	// that nothing is fired again by itself.
	CheckEvery, RetryEvery time.Duration
	// BaseURL and APIKey are right by default.
	BaseURL, APIKey string
	// Listen is any free port by default.
	Listen string
	// Database is the URL of the ledger in PostgreSQL; a SQLite file by default.
	Database string
	// TeamKeys are further keys of the provider, with a comma before each.
	TeamKeys string
	// Around wraps both doubles.
	Around func(http.Handler) http.Handler
}

// world is one team: its data directory and configuration, and the doubles of
// FirstPromoter and of the team's own reward service, which outlive every
// process of rewardflow.
type world struct {
	t        *testing.T
	set      settings
	dir      string
	fp       *simulator.Simulator
	provider *sandbox.Sandbox
	fpURL    string
	teamURL  string
	// process is the newest child; nil before the first.
	process *process
	http    *http.Client
}

// newWorld starts the doubles, and no process.
func newWorld(t *testing.T, set settings) *world {
	t.Helper()
	if set.Around == nil {
		set.Around = func(h http.Handler) http.Handler { return h }
	}
	w := &world{t: t, set: set, dir: t.TempDir(), http: newClient(t)}

	provider, err := sandbox.New(sandbox.Config{Secret: providerSecret, BooksPath: filepath.Join(w.dir, "provider.jsonl")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, provider.Close()) })
	w.provider, w.teamURL = provider, w.serve(provider)+"/rewards"

	fp, err := simulator.New(simulator.Config{
		APIKey: apiKey, BooksPath: filepath.Join(w.dir, "firstpromoter.jsonl"),
		CheckEvery: cmp.Or(set.CheckEvery, time.Hour), RetryEvery: cmp.Or(set.RetryEvery, time.Hour),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fp.Close()) })
	w.fp, w.fpURL = fp, w.serve(fp)

	firing, stop := context.WithCancel(context.Background())
	var fired sync.WaitGroup
	fired.Go(func() { fp.Run(firing) })
	t.Cleanup(func() { stop(); fired.Wait() })

	w.configure()
	return w
}

// newClient returns an HTTP client that keeps nothing open after the test.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 40 * time.Second}
}

// serve serves a double until the test ends.
func (w *world) serve(double http.Handler) string {
	server := httptest.NewServer(w.set.Around(double))
	w.t.Cleanup(func() {
		// A call that waits for a child which was killed is not waited for.
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// running is a world with a process that serves.
func running(t *testing.T, set settings) *world {
	t.Helper()
	w := newWorld(t, set)
	w.start(spec{})
	return w
}

// dataDir is what the process keeps.
func (w *world) dataDir() string { return filepath.Join(w.dir, "data") }

// ledgerFile is the ledger.
func (w *world) ledgerFile() string { return filepath.Join(w.dataDir(), "ledger.db") }

// configFile is the configuration, which configure writes.
func (w *world) configFile() string { return filepath.Join(w.dir, "rewardflow.yaml") }

// configure writes the configuration of the next start.
func (w *world) configure() {
	w.t.Helper()
	text := fmt.Sprintf(configuration, cmp.Or(w.set.Listen, "127.0.0.1:0"), w.dataDir(), cmp.Or(w.set.Database, "sqlite"),
		cmp.Or(w.set.BaseURL, w.fpURL+simulator.BasePath), cmp.Or(w.set.APIKey, apiKey), webhookSecret,
		cmp.Or(w.set.CloseByAnswerAfter, time.Hour), w.teamURL, providerSecret, w.set.TeamKeys,
		cmp.Or(w.set.Policy, "  - {then: pay}"), w.set.More)
	require.NoError(w.t, os.WriteFile(w.configFile(), []byte(text), 0o600))
}

const configuration = `
listen: %s
data_dir: %q
database: %s
firstpromoter:
  base_url: %s
  api_key: %s
  webhook_secret: %s
  requests_per_minute: 6000
  close_by_answer_after: %s
providers:
  team: {type: webhook, url: %q, secret: %s, allow_private_networks: true%s}
routes:
  - {unit: cash, provider: team, currency: USD}
  - {provider: team}
policy:
%s
%s
`

// start starts a process on the world's data directory and tells FirstPromoter
// where it is.
func (w *world) start(s spec, environ ...string) *process {
	w.t.Helper()
	p := w.launch(s, environ...)
	p.awaitReady(w.t)
	w.announce(p)
	return p
}

// launch starts a process and does not wait for it.
func (w *world) launch(s spec, environ ...string) *process {
	w.t.Helper()
	s.Config = cmp.Or(s.Config, w.configFile())
	s.UIPort = cmp.Or(s.UIPort, noPort)
	w.process = launch(w.t, s, environ...)
	return w.process
}

// announce tells FirstPromoter the address of a process that serves.
func (w *world) announce(p *process) {
	if p.URL != "" {
		w.fp.SetWebhookURLs(hook(p.URL), hook(p.URL))
	}
}

// noPort is for a listener that is not wanted.
const noPort = engine.NoPort

func hook(url string) string { return url + "/webhooks/firstpromoter/" + webhookSecret }

// client returns a client of the process's Temporal server.
func (w *world) client() client.Client {
	w.t.Helper()
	c, err := client.DialContext(w.t.Context(), client.Options{
		HostPort: w.process.Temporal, Identity: "e2e", Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	return c
}

// send lets FirstPromoter owe a reward, and returns when its event was answered
// or given up.
func (w *world) send(s simulator.Spec) reward.ID {
	w.t.Helper()
	id, err := w.fp.CreateReward(w.t.Context(), s)
	require.NoError(w.t, err)
	eventually(w.t, soon, func() (string, bool) {
		// FirstPromoter's own schedule may have been quicker to fire it.
		return "the event of reward " + id.String() + " is on its way", slices.ContainsFunc(w.fp.Books().Deliveries,
			func(d simulator.Delivery) bool { return d.Reward == id && (d.Answer != 0 || d.Problem != "") })
	})
	return id
}

// months is a reward of three free months.
func months() simulator.Spec { return simulator.Spec{Amount: 3, Unit: reward.FreeMonths} }

// to is a reward for the customer with the given ID, by which the provider's
// scripts choose.
func to(cust string) simulator.Spec {
	return simulator.Spec{Amount: 3, Unit: reward.FreeMonths, Promoter: reward.Promoter{CustID: cust}}
}

// requireOnce holds the books of both doubles against what is promised: each
// of the rewards was paid once and completed once, and nothing else happened.
func (w *world) requireOnce(ids ...reward.ID) {
	w.t.Helper()
	paid, owed := w.provider.Books(), w.fp.Books()
	for _, id := range ids {
		require.Equal(w.t, 1, paid.ByReward[id], "effects of reward %s", id)
		require.Equal(w.t, "completed", owed.Rewards[id].Status, "reward %s at FirstPromoter", id)
		require.Len(w.t, owed.Rewards[id].Completions, 1, "completions of reward %s", id)
	}
	require.Len(w.t, paid.ByReward, len(ids), "nothing else was paid")
	w.requireNothingBroken()
}

// requireNothingBroken holds the promises that hold at any moment.
func (w *world) requireNothingBroken() {
	w.t.Helper()
	paid, owed := w.provider.Books(), w.fp.Books()
	require.Empty(w.t, paid.Doubles, "rewards that were paid twice")
	require.Zero(w.t, paid.Conflicts, "keys that were used with another body")
	require.Zero(w.t, paid.Denied, "requests that were not signed")
	require.Zero(w.t, owed.DoubleCompletions, "double completions")
	require.Zero(w.t, owed.UnknownUpdates, "updates of unknown rewards")
	require.Zero(w.t, owed.ForgedAnswered200, "forged events that were answered 200")
	require.Zero(w.t, owed.HasIssues, "rewards that FirstPromoter gave up")
	for id, account := range owed.Rewards {
		if account.Status == "completed" && len(account.Completions) > 0 && account.Completions[0] != simulator.ByHand {
			require.Equal(w.t, 1, paid.ByReward[id], "reward %s is completed and must have been paid", id)
		}
	}
}

// eventually waits until a condition holds. The condition says what it saw
// when it does not hold.
func eventually(t *testing.T, within time.Duration, holds func() (saw string, ok bool)) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		saw, ok := holds()
		if ok {
			return
		}
		select {
		case <-look.C:
		case <-deadline.C:
			require.FailNow(t, "it did not come about within "+within.String(), strings.TrimSpace(saw))
		}
	}
}
