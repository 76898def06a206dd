package slackapproval_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/desk"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/slackapproval"
	"github.com/rewardflow/rewardflow/internal/slackapproval/slackdouble"
	"github.com/rewardflow/rewardflow/workflows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token         = "xoxb-1-not-to-be-seen"
	signingSecret = "signing-secret-not-to-be-seen"
	channel       = "C0REWARDS"
	team, app     = "T0OURS", "A0OURS"
	email         = "promoter@example.com"

	approve = "rewardflow_approve"
	reject  = "rewardflow_reject"
)

// The people of the tests. Carol may look; mallory is nobody.
var (
	alice   = slackdouble.Member{User: "U0ALICE", Team: team, App: app}
	bob     = slackdouble.Member{User: "U0BOB", Team: team, App: app}
	carol   = slackdouble.Member{User: "U0CAROL", Team: team, App: app}
	mallory = slackdouble.Member{User: "U0MALLORY", Team: team, App: app}
)

func people() map[string]slackapproval.Person {
	return map[string]slackapproval.Person{
		alice.User: {Name: "alice", Roles: []string{"approver", "finance"}},
		bob.User:   {Name: "bob", Roles: []string{"approver"}},
		carol.User: {Name: "carol", Roles: []string{"viewer"}},
	}
}

// engine is Temporal as far as approvals need it. It keeps what it is asked,
// and hangs, when told so, until the caller gives up.
type engine struct {
	mu      sync.Mutex
	hanging bool
	redraws []workflows.Redraw
	votes   []workflows.Vote
}

func (e *engine) wait(ctx context.Context) error {
	e.mu.Lock()
	hanging := e.hanging
	e.mu.Unlock()
	if hanging {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (e *engine) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.votes = append(e.votes, o.Args[0].(workflows.Vote))
	return heard{}, nil
}

func (e *engine) SignalWorkflow(ctx context.Context, _, _, _ string, _ any) error { return e.wait(ctx) }

func (e *engine) SignalWithStartWorkflow(ctx context.Context, id, signal string, arg any,
	o client.StartWorkflowOptions, workflow any, in ...any,
) (client.WorkflowRun, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	asked := in[0].(workflows.SlackApprovalInput)
	if id != "slack-approval-"+asked.RewardID.String() || o.ID != id || signal != "redraw" || workflow != "SlackApproval" {
		return nil, errors.New("another workflow")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.redraws = append(e.redraws, arg.(workflows.Redraw))
	return nil, nil
}

func (e *engine) told() []workflows.Vote {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]workflows.Vote{}, e.votes...)
}

func (e *engine) asked() []workflows.Redraw {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]workflows.Redraw{}, e.redraws...)
}

type heard struct{}

func (heard) WorkflowID() string             { return "" }
func (heard) RunID() string                  { return "" }
func (heard) UpdateID() string               { return "" }
func (heard) Get(context.Context, any) error { return nil }

// world is the whole way of an approval in Slack, but for Temporal: the real
// router, desk and ledger, and Slack's double over HTTP.
type world struct {
	t            *testing.T
	slack        *slackdouble.Slack
	url          string
	ledger       *sqlite.Ledger
	engine       *engine
	board        *slackapproval.Board
	follower     *slackapproval.Follower
	interactions *slackapproval.Interactions
	handler      http.Handler
	logs         *logs
}

type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newWorld(t *testing.T, edits ...func(*slackapproval.Config)) *world {
	t.Helper()
	w := &world{t: t, slack: slackdouble.New(token, channel), engine: &engine{}, logs: &logs{}}
	server := httptest.NewServer(w.slack)
	t.Cleanup(server.Close)
	w.url = server.URL + "/api"
	logger := slog.New(slog.NewJSONHandler(w.logs, nil))

	var err error
	w.ledger, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })

	cfg := slackapproval.Config{
		BotToken: token, SigningSecret: signingSecret, Channel: channel, TeamID: team, AppID: app,
		BaseURL: w.url, People: people(),
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	slack, err := slackapproval.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(slack.CloseIdleConnections)
	d := desk.New(w.ledger, w.engine, true, logger)
	w.board = slackapproval.NewBoard(slack, w.ledger, logger)
	w.follower = slackapproval.NewFollower(w.ledger, w.engine, workflows.TaskQueue)
	w.interactions = slackapproval.NewInteractions(slack, w.ledger, d, w.follower, logger)
	w.interactions.SetWithin(time.Minute) // A slow disk decides nothing.
	t.Cleanup(w.interactions.Wait)
	registry := prometheus.NewRegistry()
	w.handler, err = api.New(api.Config{
		WebhookSecret: "secret", WorkflowID: workflows.FulfilmentID, MetricsHandler: promhttp.Handler(), Logger: logger,
		Operators: []api.Operator{
			{Name: "alice", TokenSHA256: sha256.Sum256([]byte("alice")), Roles: []string{"approver", "finance"}},
			{Name: "bob", TokenSHA256: sha256.Sum256([]byte("bob")), Roles: []string{"approver"}},
		},
	}, api.Deps{
		Intake: idle{}, Ledger: w.ledger, Desk: d, Engine: idle{}, Callbacks: idle{}, Policy: idle{}, Slack: w.interactions, Registerer: registry,
	})
	require.NoError(t, err)
	return w
}

// idle stands for the parts that these tests do not use.
type idle struct{}

func (idle) Explain(string) (api.Explanation, error) {
	return api.Explanation{}, errors.New("unused")
}

func (idle) Accept(context.Context, []byte) (ledger.Taken, error) {
	return ledger.Taken{}, errors.New("unused")
}
func (idle) Healthy(context.Context) (bool, string) { return true, "" }
func (idle) Take(context.Context, string, func(string) string, []byte) error {
	return errors.New("unused")
}

// owed is a reward with everything that could be mistaken for markup.
func owed(id reward.ID) reward.Reward {
	return reward.Reward{
		ID: id, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 5272969, CustID: "cust-7", Email: email},
		Campaign: reward.Campaign{ID: 17476, Name: "Spring <!channel> & more"},
	}
}

// ask brings a reward to wait for approvals, as fulfilment does.
func (w *world) ask(id reward.ID, digest reward.Digest, approvals int, role string) {
	w.t.Helper()
	_, err := w.ledger.Accept(w.t.Context(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: id.String(), EventID: id.String(),
		Reward: &ledger.Claimed{Reward: owed(id)}, Body: []byte("{}"),
	}, time.Hour)
	require.NoError(w.t, err)
	w.assess(id, digest, reward.AwaitingApproval, approvals, role)
}

func (w *world) assess(id reward.ID, digest reward.Digest, to reward.Status, approvals int, role string) {
	w.t.Helper()
	require.NoError(w.t, w.ledger.Assess(w.t.Context(), ledger.Assessment{
		Reward: owed(id), Verified: true, Status: to, Provider: "billing", Digest: digest,
		Approvals: approvals, Role: role, Reason: "rule 2: amount > 2: ask <people>",
	}, "policy"))
}

// work dispatches the inbox and draws what is asked for, as the dispatcher and
// the workflow do, and returns what the board did.
func (w *world) work() []string {
	w.t.Helper()
	ctx := w.t.Context()
	rows, err := w.ledger.Lease(ctx, "test", 100, time.Minute)
	require.NoError(w.t, err)
	before := len(w.engine.asked())
	for _, row := range rows {
		require.NoError(w.t, w.follower.Follow(ctx, row))
		require.NoError(w.t, w.ledger.MarkDispatched(ctx, []ledger.Dispatched{{Inbox: row.Inbox}}))
	}
	var did []string
	for _, r := range w.engine.asked()[before:] {
		what, err := w.board.Show(ctx, 7, r.Always)
		require.NoError(w.t, err)
		did = append(did, what)
	}
	return did
}

// waiting is a world in which reward 7 waits for one approval, and says so.
func waiting(t *testing.T, edits ...func(*slackapproval.Config)) *world {
	t.Helper()
	w := newWorld(t, edits...)
	w.ask(7, "digest-1", 1, "")
	require.Equal(t, []string{slackapproval.Posted}, w.work())
	return w
}

// message is the one that stands in the channel.
func (w *world) message() slackdouble.Message {
	w.t.Helper()
	all := w.slack.Messages()
	require.Len(w.t, all, 1)
	return all[0]
}

// button returns the value of a button that the message has.
func (w *world) button(action string) string {
	w.t.Helper()
	value, there := w.message().Button(action)
	require.True(w.t, there, "%s is missing", action)
	return value
}

// press presses a button of the message.
func (w *world) press(by slackdouble.Member, action string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.post(w.slack.Click(by, w.message(), action, w.button(action)))
}

// post sends what Slack would send now, and lets everything finish.
func (w *world) post(payload []byte) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(slackdouble.Request("/slack/interactions", signingSecret, payload, time.Now()))
}

func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	r.Host, r.RemoteAddr = "rewards.example.com", "203.0.113.9:4711"
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	w.interactions.Wait()
	return rec
}

// viaAPI decides with a token.
func (w *world) viaAPI(who string, verdict reward.Verdict, digest reward.Digest) int {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/rewards/7/decision",
		strings.NewReader(fmt.Sprintf(`{"decision":%q,"digest":%q}`, verdict, digest)))
	r.Header.Set("Authorization", "Bearer "+who)
	return w.send(r).Code
}

func (w *world) decisions() []ledger.Recorded {
	w.t.Helper()
	all, err := w.ledger.DecisionsOf(w.t.Context(), 7)
	require.NoError(w.t, err)
	return all
}

// lastWhisper is what somebody was told last.
func (w *world) lastWhisper(to slackdouble.Member) string {
	w.t.Helper()
	all := w.slack.Whispers()
	require.NotEmpty(w.t, all)
	last := all[len(all)-1]
	require.Equal(w.t, to.User, last.User)
	require.Equal(w.t, channel, last.Channel)
	return last.Text
}
