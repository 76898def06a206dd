package lanes_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
	"github.com/rewardflow/rewardflow/workflows"
)

// soon is how long anything may take that waits for nothing, on a busy machine.
const soon = time.Minute

const (
	webhookSecret  = "secret-of-the-webhook-0123456789-abcdef"
	apiKey         = "key-of-firstpromoter-0123456789"
	providerSecret = "secret-of-the-provider-0123456789"
	slackToken     = "xoxb-of-the-app-0123456789"
	slackSecret    = "signing-secret-of-the-app"
	slackChannel   = "C0REWARDS"
	slackTeam      = "T0OURS"
	slackApp       = "A0OURS"
	publicURL      = "https://rewards.example.com"
)

// person is an operator, and who that is on each lane.
type person string

// The people. Alice and bob approve, fay decides for finance, vera may look;
// mallory is no operator.
const (
	alice   person = "alice"
	bob     person = "bob"
	fay     person = "fay"
	vera    person = "vera"
	mallory person = "mallory"
)

func roles() map[person]string {
	return map[person]string{alice: "approver", bob: "approver", fay: "finance", vera: "viewer"}
}

func (p person) token() string { return "token-of-" + string(p) + "-0123456789abcdef" }

func (p person) member() slackdouble.Member {
	return slackdouble.Member{User: "U0" + strings.ToUpper(string(p)), Team: slackTeam, App: slackApp}
}

// The campaigns, each of which a rule of the policy is about.
const (
	askOne     = 1 // One person.
	askTwo     = 2 // Two people.
	askFinance = 3 // One person of the role finance.
	askNotBob  = 4 // One person who is not bob.
	askBriefly = 5 // One person, and it is held soon when nobody answers.
	askThree   = 6 // Three people.
)

const policy = `
  - {when: 'campaign == 1', then: ask}
  - {when: 'campaign == 2', then: ask, approvals: 2}
  - {when: 'campaign == 3', then: ask, role: finance}
  - {when: 'campaign == 4', then: ask, not: [Bob]}
  - {when: 'campaign == 5', then: ask, remind_after: 10ms, escalate_after: 20ms, hold_after: 30ms}
  - {when: 'campaign == 6', then: ask, approvals: 3}
`

// settings are what one test wants of its world. Zero fields have defaults.
type settings struct {
	// Unverified is approvals.unverified, which is "accept" by default: then
	// Temporal's lanes are judged by every other rule.
	Unverified string
	// Routes is "everything to team" by default.
	Routes string
}

// world is one team: its doubles, its Temporal server, and a process of
// rewardflow that restarts on the same data.
type world struct {
	t        *testing.T
	set      settings
	dir      string
	fp       *simulator.Simulator
	provider *sandbox.Sandbox
	slack    *slackdouble.Slack
	urls     struct{ fp, team, other, slack string }
	server   *enginetest.Server
	temporal client.Client
	http     *http.Client
	logs     *logs

	url string
	// stop stops the process, once.
	stop func()
	// ledger is another handle on the ledger, as another process has.
	ledger *sqlite.Ledger
}

func newWorld(t *testing.T, set settings) *world {
	t.Helper()
	w := &world{t: t, set: set, dir: t.TempDir(), logs: &logs{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the process's log:\n%s", w.logs.last(100))
		}
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	w.http = &http.Client{Transport: transport, Timeout: soon, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}

	var err error
	w.provider, err = sandbox.New(sandbox.Config{Secret: providerSecret})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.provider.Close()) })
	w.urls.team = w.serve(w.provider) + "/rewards"
	w.fp, err = simulator.New(simulator.Config{APIKey: apiKey, CheckEvery: time.Hour, RetryEvery: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.fp.Close()) })
	w.urls.fp = w.serve(withoutUnread(w.fp)) + simulator.BasePath
	w.slack = slackdouble.New(slackToken, slackChannel)
	w.urls.slack = w.serve(w.slack) + "/api"

	w.server = enginetest.Start(t, workflows.SearchAttributes()...)
	w.temporal = w.server.Client(t)
	w.start(app.Options{API: true, Worker: true})
	w.ledger, err = sqlite.Open(t.Context(), filepath.Join(w.dir, "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })
	return w
}

func (w *world) serve(h http.Handler) string {
	server := httptest.NewServer(h)
	w.t.Cleanup(server.Close)
	return server.URL
}

// start starts the process, with the roles that the options name.
func (w *world) start(o app.Options) {
	w.t.Helper()
	file := filepath.Join(w.dir, "rewardflow.yaml")
	require.NoError(w.t, os.WriteFile(file, []byte(w.configuration()), 0o600))
	var err error
	o.Config, err = config.Load(file, func(string) (string, bool) { return "", false })
	require.NoError(w.t, err)
	o.Temporal, o.Version = w.server.ClientOptions(), "lanes"
	o.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
	running, err := app.New(w.t.Context(), o)
	require.NoError(w.t, err)
	require.NoError(w.t, running.Start(w.t.Context()))
	w.stop = sync.OnceFunc(func() { require.NoError(w.t, running.Stop(context.WithoutCancel(w.t.Context()))) })
	w.t.Cleanup(w.stop)
	if !o.API {
		return
	}
	w.url = running.URL()
	hook := w.url + "/webhooks/firstpromoter/" + webhookSecret
	w.fp.SetWebhookURLs(hook, hook)
}

func (w *world) configuration() string {
	var operators strings.Builder
	for name, roles := range roles() {
		sum := sha256.Sum256([]byte(name.token()))
		fmt.Fprintf(&operators, "  - {name: %s, token_sha256: %q, roles: [%s], slack_user: %s}\n",
			name, hex.EncodeToString(sum[:]), roles, name.member().User)
	}
	return fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: %q
public_url: %s
firstpromoter: {base_url: %q, api_key: %s, webhook_secret: %s, requests_per_minute: 6000}
providers:
  team: {type: webhook, url: %q, secret: %s, allow_private_networks: true}
  other: {type: webhook, url: %q, secret: %s, allow_private_networks: true}
routes:
%s
policy:%s
approvals: {unverified: %s}
slack: {bot_token: %s, signing_secret: %s, channel: %s, team_id: %s, app_id: %s, base_url: %q}
operators:
%s`, w.dir, publicURL, w.urls.fp, apiKey, webhookSecret, w.urls.team, providerSecret, w.urls.team, providerSecret,
		cmp.Or(w.set.Routes, "  - {provider: team}"), policy, cmp.Or(w.set.Unverified, "accept"),
		slackToken, slackSecret, slackChannel, slackTeam, slackApp, w.urls.slack, operators.String())
}

// unread is a promoter whose rewards FirstPromoter does not let anybody read.
const unread = 666

// withoutUnread is FirstPromoter, as far as it can be read.
func withoutUnread(fp http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("promoter_id") == strconv.Itoa(unread) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fp.ServeHTTP(w, r)
	})
}

// owe lets FirstPromoter owe a reward.
func (w *world) owe(t *testing.T, s simulator.Spec) reward.ID {
	t.Helper()
	s.Amount, s.Unit = 3, reward.FreeMonths
	id, err := w.fp.CreateReward(t.Context(), s)
	require.NoError(t, err)
	return id
}

// asked is a reward of a campaign that waits for approval. cust is the
// customer, by whom the provider's scripts choose.
func (w *world) asked(t *testing.T, campaign int64, cust string) reward.ID {
	t.Helper()
	id := w.owe(t, simulator.Spec{Promoter: reward.Promoter{CustID: cust}, Campaign: reward.Campaign{ID: campaign}})
	w.await(t, id, reward.AwaitingApproval)
	return id
}

// await waits until a reward has the status.
func (w *world) await(t *testing.T, id reward.ID, status reward.Status) ledger.Record {
	t.Helper()
	return w.until(t, id, "is "+string(status), func(r ledger.Record) bool { return r.Status == status })
}

// until waits until a reward is as described.
func (w *world) until(t *testing.T, id reward.ID, how string, holds func(ledger.Record) bool) ledger.Record {
	t.Helper()
	var rec ledger.Record
	eventually(t, func() (string, bool) {
		var err error
		if rec, err = w.ledger.Reward(t.Context(), id); err != nil {
			return err.Error(), false
		}
		// What has ended is not waited for.
		return fmt.Sprintf("reward %s is %s (%s), and not as in %q", id, rec.Status, rec.Reason, how), holds(rec) || rec.Status.Final()
	})
	require.True(t, holds(rec), "reward %s has ended as %s (%s), and not as in %q", id, rec.Status, rec.Reason, how)
	return rec
}

// nudge has a reward's workflow look again at what it waits for, as the process
// does when the policy or the brake has changed.
func (w *world) nudge(t *testing.T, id reward.ID) {
	t.Helper()
	require.NoError(t, w.temporal.SignalWorkflow(t.Context(), workflows.FulfilmentID(id), "", workflows.SignalNudge, nil))
}

func (w *world) record(t *testing.T, id reward.ID) ledger.Record {
	t.Helper()
	rec, err := w.ledger.Reward(t.Context(), id)
	require.NoError(t, err)
	return rec
}

func (w *world) decisions(t *testing.T, id reward.ID) []ledger.Recorded {
	t.Helper()
	made, err := w.ledger.DecisionsOf(t.Context(), id)
	require.NoError(t, err)
	return made
}

// eventually waits until a condition holds, which says what it saw when it
// does not.
func eventually(t *testing.T, holds func() (saw string, ok bool)) {
	t.Helper()
	deadline := time.NewTimer(soon)
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
			require.FailNow(t, "it did not come about within "+soon.String(), saw)
		}
	}
}

// logs keeps what the process logs.
type logs struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

// last returns the last n lines.
func (l *logs) last(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.buffer.String()), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}
