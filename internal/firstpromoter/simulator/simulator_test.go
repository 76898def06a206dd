package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const testKey = "legacy-key"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2025, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// arrival is one event as the receiver saw it.
type arrival struct {
	url      string
	user     string
	password string
	body     string
	EventID  int64
	Type     string
	RewardID int64
	Data     map[string]any
}

// receiver is the service's end of the webhooks.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer int
	seen   []arrival
	hold   chan struct{} // An arrival waits until it is closed; nil holds nothing.
}

func newReceiver(t *testing.T, answer int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var parsed struct {
		Event struct {
			ID   int64  `json:"id"`
			Type string `json:"type"`
		} `json:"event"`
		Data map[string]any `json:"data"`
	}
	_ = json.Unmarshal(body, &parsed)
	user, password, _ := req.BasicAuth()
	id, _ := parsed.Data["id"].(float64)

	r.mu.Lock()
	r.seen = append(r.seen, arrival{
		req.URL.Path, user, password, string(body), parsed.Event.ID, parsed.Event.Type, int64(id), parsed.Data,
	})
	answer, hold := r.answer, r.hold
	r.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if answer == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer)
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *receiver) holdUntil(release chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold = release
}

func (r *receiver) arrivals() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.seen...)
}

// bundle is a double, its clock, and the receiver of its events.
type bundle struct {
	*simulator.Simulator
	clock *clock
	hooks *receiver
	api   *httptest.Server
}

func setup(t *testing.T, answer int, change func(*simulator.Config)) bundle {
	t.Helper()
	b := bundle{clock: newClock(), hooks: newReceiver(t, answer)}
	b.Simulator = start(t, b.clock, b.hooks, change)
	b.api = httptest.NewServer(b.Simulator)
	t.Cleanup(b.api.Close)
	return b
}

func start(t *testing.T, c *clock, hooks *receiver, change func(*simulator.Config)) *simulator.Simulator {
	t.Helper()
	cfg := simulator.Config{
		WebhookURL: hooks.URL + "/default", FulfilmentURL: hooks.URL + "/fulfilment",
		BasicAuth: "fp:hook-password", APIKey: testKey, Now: c.Now,
		CheckEvery: time.Hour, RetryEvery: 10 * time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := simulator.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func create(t *testing.T, s *simulator.Simulator, spec simulator.Spec) reward.ID {
	t.Helper()
	id, err := s.CreateReward(t.Context(), spec)
	require.NoError(t, err)
	return id
}

func TestExactly200Completes(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3, Unit: reward.FreeMonths})

	books := b.Books()
	require.Equal(t, "completed", books.Rewards[id].Status)
	require.Equal(t, []simulator.Completer{simulator.ByAnswer}, books.Rewards[id].Completions)
	require.Equal(t, 1, books.Answered200)
	require.Zero(t, books.DoubleCompletions)

	b.clock.Advance(48 * time.Hour)
	require.Zero(t, b.Step(t.Context()), "a completed reward fires no more")
	require.Len(t, b.hooks.arrivals(), 1)
	got := b.hooks.arrivals()[0]
	require.Equal(t, "/fulfilment", got.url)
	require.Equal(t, "fp", got.user)
	require.Equal(t, "hook-password", got.password)
	require.Equal(t, int64(id), got.RewardID)
}

func TestAnyOther2xxStaysPendingUntilTheNextCheck(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	b.hooks.answers(http.StatusNoContent)
	for range 20 { // Without an end: a 2xx is no error.
		b.clock.Advance(59 * time.Minute)
		require.Zero(t, b.Step(t.Context()))
		b.clock.Advance(time.Minute)
		require.Equal(t, 1, b.Step(t.Context()))
	}
	account := b.Books().Rewards[id]
	require.Equal(t, "pending", account.Status)
	require.False(t, account.HasIssues)
	require.Equal(t, 21, account.Sent)

	seen := b.hooks.arrivals()
	require.NotEqual(t, seen[0].EventID, seen[1].EventID, "a check is a new event")
	require.Equal(t, seen[0].RewardID, seen[1].RewardID)

	b.hooks.answers(http.StatusOK)
	b.clock.Advance(time.Hour)
	b.Step(t.Context())
	require.Equal(t, "completed", b.Books().Rewards[id].Status)
}

func TestAnErrorIsRetriedSevenTimesAndThenHasIssues(t *testing.T) {
	t.Parallel()

	for name, answer := range map[string]int{
		"ServerError": 500, "BadRequest": 400, "Redirect": 302, "NotModified": 304, "Dropped": 0,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, answer, nil)
			id := create(t, b.Simulator, simulator.Spec{Amount: 3})
			for range 7 {
				require.False(t, b.Books().Rewards[id].HasIssues)
				require.Zero(t, b.Step(t.Context()), "not before its time")
				b.clock.Advance(10 * time.Minute)
				require.Equal(t, 1, b.Step(t.Context()))
			}
			books := b.Books()
			require.True(t, books.Rewards[id].HasIssues)
			require.Equal(t, 1, books.HasIssues)
			require.Equal(t, "pending", books.Rewards[id].Status)
			b.clock.Advance(30 * 24 * time.Hour)
			require.Zero(t, b.Step(t.Context()))

			seen := b.hooks.arrivals()
			require.Len(t, seen, 8)
			require.Equal(t, seen[0].EventID, seen[7].EventID, "a retry is the same event")

			b.hooks.answers(http.StatusOK)
			delivery, err := b.Refire(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, 200, delivery.Answer)
			require.Equal(t, true, b.hooks.arrivals()[8].Data["has_issues"])
			require.Equal(t, "completed", b.Books().Rewards[id].Status)
		})
	}
}

func TestA2xxEndsASeriesOfErrors(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusBadGateway, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	for range 6 {
		b.clock.Advance(10 * time.Minute)
		b.Step(t.Context())
	}
	b.hooks.answers(http.StatusAccepted)
	b.clock.Advance(10 * time.Minute)
	b.Step(t.Context())
	b.hooks.answers(http.StatusBadGateway)
	b.clock.Advance(time.Hour)
	b.Step(t.Context())
	account := b.Books().Rewards[id]
	require.False(t, account.HasIssues)
	require.Equal(t, b.clock.Now().Add(10*time.Minute), account.Next)
}

func TestASlowAnswerIsAnError(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, func(cfg *simulator.Config) { cfg.Timeout = 50 * time.Millisecond })
	release := make(chan struct{})
	b.hooks.holdUntil(release)
	t.Cleanup(func() { close(release) })
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	books := b.Books()
	require.Equal(t, "timed out", books.Deliveries[0].Problem)
	require.Zero(t, books.Deliveries[0].Answer)
	require.Equal(t, "pending", books.Rewards[id].Status, "the receiver says 200, and too late")
}

// Both ways of closing, each right by itself, meet: the books see it.
func TestAnAnswerAfterTheAPIIsADoubleCompletion(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	release := make(chan struct{})
	b.hooks.holdUntil(release)
	done := make(chan reward.ID)
	go func() {
		id, _ := b.CreateReward(context.WithoutCancel(t.Context()), simulator.Spec{Amount: 3})
		done <- id
	}()
	require.Eventually(t, func() bool { return len(b.hooks.arrivals()) == 1 }, time.Minute, time.Millisecond)
	require.Zero(t, b.Step(t.Context()), "what is on the wire is not sent again")
	id := reward.ID(b.hooks.arrivals()[0].RewardID)
	_, err := b.Refire(t.Context(), id)
	require.ErrorContains(t, err, "on the wire")

	status, _ := b.call(t, http.MethodPut, "update?id="+id.String()+"&status=completed", "", "")
	require.Equal(t, http.StatusOK, status)
	close(release)
	require.Equal(t, id, <-done)

	books := b.Books()
	require.Equal(t, 1, books.DoubleCompletions)
	require.Equal(t, []simulator.Completer{simulator.ByAPI, simulator.ByAnswer}, books.Rewards[id].Completions)
}

func TestEveryOtherEventIsSentOnce(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusInternalServerError, nil)
	for _, kind := range []string{
		"lead_signup", "lead_becomes_referral", "new_customer", "lead_cancelled", "lead_subscribed",
		"promoter_accepted", "promoter_signed_up", "promoter_signs_up", "reward_created", "something_new",
	} {
		delivery, err := b.Fire(t.Context(), simulator.Occasion{Type: kind})
		require.NoError(t, err)
		require.Equal(t, 500, delivery.Answer)
		seen := b.hooks.arrivals()
		last := seen[len(seen)-1]
		require.Equal(t, kind, last.Type)
		require.Equal(t, delivery.EventID, last.EventID)
		require.Equal(t, "/default", last.url)
		require.Contains(t, last.body, simulator.Canary)
	}
	b.clock.Advance(48 * time.Hour)
	require.Zero(t, b.Step(t.Context()))
	require.Len(t, b.hooks.arrivals(), 10)

	_, err := b.Fire(t.Context(), simulator.Occasion{Type: "fulfilment_pending"})
	require.Error(t, err)
}

func TestAnEventCanBeRepeatedUnderASecondName(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	first, err := b.Fire(t.Context(), simulator.Occasion{Type: "lead_becomes_referral"})
	require.NoError(t, err)
	_, err = b.Fire(t.Context(), simulator.Occasion{Type: "new_customer", EventID: first.EventID})
	require.NoError(t, err)
	seen := b.hooks.arrivals()
	require.Equal(t, seen[0].EventID, seen[1].EventID)
	next, err := b.Fire(t.Context(), simulator.Occasion{Type: "lead_signup"})
	require.NoError(t, err)
	require.Equal(t, first.EventID+1, next.EventID)
}

func TestAForgeryChangesNothingInTheBooks(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusAccepted, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3, Promoter: reward.Promoter{ID: 41, CustID: "c-41"}})
	b.hooks.answers(http.StatusOK)

	_, err := b.FireForged(t.Context(), simulator.Forgery{Reward: id, Spec: simulator.Spec{Amount: 900}})
	require.NoError(t, err)
	_, err = b.FireForged(t.Context(), simulator.Forgery{})
	require.NoError(t, err)

	books := b.Books()
	require.Equal(t, "pending", books.Rewards[id].Status)
	require.Equal(t, 1, books.Rewards[id].Sent)
	require.Len(t, books.Rewards, 1)
	require.Equal(t, 2, books.ForgedAnswered200)
	require.Zero(t, books.Answered200)

	seen := b.hooks.arrivals()
	require.Equal(t, int64(id), seen[1].RewardID)
	require.InDelta(t, 900, seen[1].Data["amount"], 0)
	require.Equal(t, "c-41", seen[1].Data["promoter"].(map[string]any)["cust_id"])
	require.NotEqual(t, int64(id), seen[2].RewardID)
}

func TestTheBooksSurviveARestart(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "books.jsonl")
	withBooks := func(cfg *simulator.Config) { cfg.BooksPath = path }
	c, hooks := newClock(), newReceiver(t, http.StatusBadGateway)

	first, err := simulator.New(simulator.Config{WebhookURL: hooks.URL, Now: c.Now, RetryEvery: 10 * time.Minute, BooksPath: path})
	require.NoError(t, err)
	failing := create(t, first, simulator.Spec{Amount: 3, Promoter: reward.Promoter{ID: 7, CustID: "seven"}})
	hooks.answers(http.StatusOK)
	completed := create(t, first, simulator.Spec{Amount: 5, Unit: reward.Points})
	require.NoError(t, first.Amend(failing, simulator.Spec{RawAmount: `"4"`}))
	require.NoError(t, first.SetStatus(completed, "completed"))
	_, err = first.FireForged(t.Context(), simulator.Forgery{})
	require.NoError(t, err)
	_, err = first.Fire(t.Context(), simulator.Occasion{Type: "lead_signup"})
	require.NoError(t, err)
	want := first.Books()
	require.Equal(t, 1, want.DoubleCompletions)
	require.NoError(t, first.Close())

	// A crash cuts the last line off.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"kind":"updated","id":290`)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	second := start(t, c, hooks, withBooks)
	require.Equal(t, want, second.Books())
	third := create(t, second, simulator.Spec{Amount: 1})
	require.Equal(t, completed+1, third, "IDs go on")

	c.Advance(10 * time.Minute)
	require.Equal(t, 1, second.Step(t.Context()), "retries go on")
	seen := hooks.arrivals()
	require.Equal(t, seen[0].EventID, seen[len(seen)-1].EventID)
	require.Equal(t, "4", seen[len(seen)-1].Data["amount"])

	again := start(t, c, hooks, withBooks)
	require.Equal(t, second.Books(), again.Books())
}

func TestDamagedBooksAreAnError(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "books.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{\"kind\":\"strayed\"}\nnonsense\n"), 0o600))
	_, err := simulator.New(simulator.Config{BooksPath: path})
	require.ErrorContains(t, err, "line 2")
}

func TestRunFiresWhatIsDue(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusServiceUnavailable, func(cfg *simulator.Config) {
		cfg.Now, cfg.RetryEvery = time.Now, 300*time.Millisecond
	})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); b.Run(ctx) }()
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	require.Eventually(t, func() bool { return b.Books().Rewards[id].Sent > 1 }, time.Minute, time.Millisecond)
	b.hooks.answers(http.StatusOK)
	require.Eventually(t, func() bool { return b.Books().Rewards[id].Status == "completed" }, time.Minute, time.Millisecond)
	cancel()
	<-stopped
}

func TestASilentRewardWaitsForARefire(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3, Silent: true})
	b.clock.Advance(48 * time.Hour)
	require.Zero(t, b.Step(t.Context()))
	_, err := b.Refire(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "completed", b.Books().Rewards[id].Status)
	_, err = b.Refire(t.Context(), id+1)
	require.Error(t, err)
}

func TestNothingLeavesWhileItIsDown(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	b.Down(true)
	id := create(t, b.Simulator, simulator.Spec{Amount: 3})
	require.Zero(t, b.Step(t.Context()))
	require.Empty(t, b.hooks.arrivals())
	b.Down(false)
	require.Equal(t, 1, b.Step(t.Context()))
	require.Equal(t, "completed", b.Books().Rewards[id].Status)
}

func TestWithoutAURLAnEventIsAnError(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	b.SetWebhookURLs("", "")
	create(t, b.Simulator, simulator.Spec{Amount: 3})
	require.Equal(t, "no webhook URL", b.Books().Deliveries[0].Problem)
	b.SetWebhookURLs(b.hooks.URL+"/only", "")
	b.clock.Advance(10 * time.Minute)
	require.Equal(t, 1, b.Step(t.Context()))
	require.Equal(t, "/only", b.hooks.arrivals()[0].url)
}

func TestPayloadHasTheDocumentedShape(t *testing.T) {
	t.Parallel()

	b := setup(t, http.StatusOK, nil)
	create(t, b.Simulator, simulator.Spec{RawAmount: "3.5"})
	got := b.hooks.arrivals()[0]
	require.InDelta(t, 3.5, got.Data["amount"], 0)
	for _, key := range strings.Fields("id status amount date_paid due_date unit created_at has_issues reward promoter campaign") {
		require.Contains(t, got.Data, key)
	}
	promoter := got.Data["promoter"].(map[string]any)
	for _, secret := range strings.Fields("auth_token temp_password w8_form_url w9_form_url note") {
		require.Contains(t, promoter[secret], simulator.Canary)
	}
	require.Contains(t, got.Data["campaign"].(map[string]any)["default_webhook_url"], simulator.Canary)
	require.NotEmpty(t, promoter["promotions"])

	_, err := b.CreateReward(t.Context(), simulator.Spec{RawAmount: "not JSON"})
	require.Error(t, err)
}
