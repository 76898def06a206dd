package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)} }

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

// bundle is a running sandbox and a provider that speaks to it.
type bundle struct {
	*sandbox.Sandbox
	clock    *clock
	url      string
	provider *webhook.Provider
}

func setup(t *testing.T, booksPath string) bundle {
	t.Helper()
	c := newClock()
	s, err := sandbox.New(sandbox.Config{Secret: secret, BooksPath: booksPath, Now: c.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	p, err := webhook.New(webhook.Config{
		Name: "team", URL: server.URL + "/rewards", Secret: secret, AllowPrivateNetworks: true, Now: c.Now,
	})
	require.NoError(t, err)
	return bundle{Sandbox: s, clock: c, url: server.URL, provider: p}
}

// request prepares a payout of one reward to the promoter with a customer ID.
func (b bundle) request(t *testing.T, id reward.ID, generation int, custID string) payout.Request {
	t.Helper()
	req, err := b.provider.Prepare(t.Context(), payout.Order{
		Key: payout.Key(id, generation),
		Reward: reward.Reward{
			ID:       id,
			Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
			Promoter: reward.Promoter{ID: 5272969, CustID: custID, Email: "p@example.com"},
		},
		At: newClock().Now(),
	})
	require.NoError(t, err)
	return req
}

func TestBooksShowEffectsAndWhoWasPaidTwice(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	b.Script(sandbox.CustID("refuse-me"), sandbox.Refuse("the account is closed"))
	once, refused := b.request(t, 1, 1, "cus_1"), b.request(t, 2, 1, "refuse-me")
	require.Equal(t, "sbx-1", b.provider.Send(t.Context(), once).Reference)
	require.Equal(t, payout.ClassAccepted, b.provider.Send(t.Context(), once).Class)
	other := once
	other.Body = []byte(strings.Replace(string(once.Body), `"amount":3`, `"amount":4`, 1))
	require.Equal(t, payout.ClassConflict, b.provider.Send(t.Context(), other).Class)
	for range 2 {
		out := b.provider.Send(t.Context(), refused)
		require.Equal(t, payout.ClassRefused, out.Class)
		require.Contains(t, out.Detail, "the account is closed")
	}
	require.Empty(t, b.Books().Doubles)
	require.Equal(t, payout.ClassAccepted, b.provider.Send(t.Context(), b.request(t, 1, 2, "cus_1")).Class)

	books := b.Books()
	require.Equal(t, []reward.ID{1}, books.Doubles)
	require.Equal(t, map[reward.ID]int{1: 2}, books.ByReward)
	require.Equal(t, map[string]int{"rf_1_1": 1, "rf_1_2": 1}, books.ByKey)
	require.Equal(t, sandbox.Effect{
		At: b.clock.Now(), Key: "rf_1_1", RewardID: 1, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		PromoterID: 5272969, CustID: "cus_1", Reference: "sbx-1", Status: "fulfilled",
	}, books.Effects[0])
	require.Equal(t, []int{1, 1, 2, 0}, []int{books.Refused, books.Conflicts, books.Repeats, books.Denied})
	require.Equal(t, 1, b.Effects("rf_1_1"))
	require.Zero(t, b.Effects("rf_2_1"))
}

func TestBooksSurviveARestart(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "books.jsonl")
	first := setup(t, path)
	first.Script(sandbox.CustID("later"), sandbox.SettleLater(time.Hour))
	first.Script(sandbox.CustID("refuse-me"), sandbox.Refuse("no"))
	paid, later := first.request(t, 1, 1, "cus_1"), first.request(t, 2, 1, "later")
	refused := first.request(t, 3, 1, "refuse-me")
	first.provider.Send(t.Context(), paid)
	first.provider.Send(t.Context(), later)
	first.provider.Send(t.Context(), refused)
	other := paid
	other.Body = later.Body
	require.Equal(t, payout.ClassRefused, first.provider.Send(t.Context(), other).Class, "the key must be the webhook-id")
	other.Body = append([]byte(" "), paid.Body...)
	require.Equal(t, payout.ClassConflict, first.provider.Send(t.Context(), other).Class)
	before := first.Books()
	require.NoError(t, first.Close())

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(content), "@", "the books hold no email address")
	require.NoError(t, os.WriteFile(path, append(content, `{"key":"rf_9_1","sta`...), 0o600))

	second := setup(t, path)
	require.Equal(t, before, second.Books())
	require.Equal(t, "sbx-1", second.provider.Send(t.Context(), paid).Reference)
	require.Equal(t, payout.ClassRefused, second.provider.Send(t.Context(), refused).Class)
	require.Equal(t, payout.FoundPending, second.provider.Lookup(t.Context(), later).Answer)
	require.Equal(t, "sbx-4", second.provider.Send(t.Context(), second.request(t, 4, 1, "cus_1")).Reference)
	require.NoError(t, second.Close())

	third := setup(t, path)
	third.clock.Advance(time.Hour)
	require.Equal(t, payout.FoundSettled, third.provider.Lookup(t.Context(), later).Answer)
	require.Len(t, third.Books().Effects, 3)
}

func TestBrokenBooksAreNotOpened(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "books.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{}\nnot json\n"), 0o600))
	_, err := sandbox.New(sandbox.Config{Secret: secret, BooksPath: path})
	require.ErrorContains(t, err, "line 2")

	_, err = sandbox.New(sandbox.Config{Secret: secret, BooksPath: filepath.Join(path, "below-a-file")})
	require.Error(t, err)
	_, err = sandbox.New(sandbox.Config{})
	require.Error(t, err)
}

func TestOnlySignedRequestsCount(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	good := b.request(t, 1, 1, "cus_1")
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	now := b.clock.Now()
	for name, c := range map[string]struct {
		at   time.Time
		body string
		want int
	}{
		"right":            {now, string(good.Body), http.StatusOK},
		"a little old":     {now.Add(-5 * time.Minute), string(good.Body), http.StatusOK},
		"too old":          {now.Add(-5*time.Minute - time.Second), string(good.Body), http.StatusUnauthorized},
		"too new":          {now.Add(5*time.Minute + time.Second), string(good.Body), http.StatusUnauthorized},
		"no payout":        {now, `{"type":"something.else"}`, http.StatusBadRequest},
		"no JSON":          {now, `hello`, http.StatusBadRequest},
		"another key's ID": {now, strings.Replace(string(good.Body), "rf_1_1", "rf_1_2", 1), http.StatusBadRequest},
	} {
		signature, err := verifier.Sign(good.Key, c.at, []byte(c.body))
		require.NoError(t, err)
		require.Equal(t, c.want, do(t, http.MethodPost, b.url, good.Key, c.at, signature, c.body), name)
	}
	require.Equal(t, http.StatusUnauthorized, do(t, http.MethodPost, b.url, good.Key, now, "v1,AAAA", string(good.Body)))
	require.Equal(t, http.StatusUnauthorized, do(t, http.MethodGet, b.url+"/rewards/rf_1_1", "", now, "", ""))
	require.Equal(t, 4, b.Books().Denied)
	require.Len(t, b.Books().Effects, 1)
}

// do makes one request with the three headers and returns the status.
func do(t *testing.T, method, url, id string, at time.Time, signature, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestScriptsTreatEachKeyFromTheirStart(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	b.Script(sandbox.RewardID(1), sandbox.FailBefore(), sandbox.LoseAnswer().Times(2), sandbox.Throttle(9*time.Second))
	b.Script(sandbox.CustID("cus_1"), sandbox.FailAfter())
	b.Script(sandbox.CustID("denied"), sandbox.Deny().Always())

	type step struct {
		class   payout.Class
		effects int
	}
	var got []step
	one := b.request(t, 1, 1, "cus_1")
	for range 6 {
		out := b.provider.Send(t.Context(), one)
		got = append(got, step{out.Class, b.Effects("rf_1_1")})
		if out.Class == payout.ClassNotSent {
			require.Equal(t, 9*time.Second, out.RetryAfter)
		}
	}
	require.Equal(t, []step{
		{payout.ClassUnknown, 0},
		{payout.ClassUnknown, 1},
		{payout.ClassUnknown, 1},
		{payout.ClassNotSent, 1},
		{payout.ClassUnknown, 1},
		{payout.ClassAccepted, 1},
	}, got)

	two := b.request(t, 2, 1, "cus_1")
	require.Equal(t, payout.ClassUnknown, b.provider.Send(t.Context(), two).Class)
	require.Equal(t, 1, b.Effects("rf_2_1"))
	require.Equal(t, payout.ClassAccepted, b.provider.Send(t.Context(), two).Class)

	denied := b.request(t, 3, 1, "denied")
	for range 5 {
		require.Equal(t, fault.Denied, b.provider.Send(t.Context(), denied).Kind)
	}
	require.Equal(t, payout.Absent, b.provider.Lookup(t.Context(), denied).Answer)
}

func TestPayoutsGoOnByTheClock(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	b.Script(sandbox.CustID("settles"), sandbox.SettleLater(time.Minute))
	b.Script(sandbox.CustID("fails"), sandbox.FailLater(time.Minute))
	b.Script(sandbox.CustID("returns"), sandbox.ReturnLater(time.Minute))
	settles, fails := b.request(t, 1, 1, "settles"), b.request(t, 2, 1, "fails")
	returns := b.request(t, 3, 1, "returns")
	for _, req := range []payout.Request{settles, fails} {
		out := b.provider.Send(t.Context(), req)
		require.Equal(t, payout.MoveAccepted, out.Move())
		require.Equal(t, payout.FoundPending, b.provider.Lookup(t.Context(), req).Answer)
	}
	require.Equal(t, payout.MoveSettled, b.provider.Send(t.Context(), returns).Move())
	require.Len(t, b.Books().Effects, 3)

	b.clock.Advance(time.Minute - time.Nanosecond)
	require.Equal(t, payout.FoundPending, b.provider.Lookup(t.Context(), settles).Answer)
	b.clock.Advance(time.Nanosecond)
	require.Equal(t, payout.FoundSettled, b.provider.Lookup(t.Context(), settles).Answer)
	require.Equal(t, payout.FoundFailed, b.provider.Lookup(t.Context(), fails).Answer)
	require.Equal(t, payout.FoundReturned, b.provider.Lookup(t.Context(), returns).Answer)
	require.Equal(t, payout.MoveSettled, b.provider.Send(t.Context(), settles).Move())
	require.Equal(t, payout.ClassRefused, b.provider.Send(t.Context(), fails).Class)
	require.Equal(t, payout.ClassUnknown, b.provider.Send(t.Context(), returns).Class)
	require.Equal(t, map[reward.ID]int{1: 1, 3: 1}, b.Books().ByReward)
}

func TestASlowDayEndsWithTheSandbox(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	b.Script(sandbox.RewardID(1), sandbox.SlowAnswer(time.Hour))
	b.Script(sandbox.RewardID(2), sandbox.SlowEffect(time.Hour))
	b.Script(sandbox.RewardID(3), sandbox.SlowEffect(time.Millisecond))
	require.Equal(t, payout.ClassAccepted, b.provider.Send(t.Context(), b.request(t, 3, 1, "")).Class)

	var sends sync.WaitGroup
	outcomes := make([]payout.Outcome, 2)
	for i := range outcomes {
		req := b.request(t, reward.ID(i+1), 1, "")
		sends.Go(func() { outcomes[i] = b.provider.Send(t.Context(), req) })
	}
	require.Eventually(t, func() bool { return b.Effects("rf_1_1") == 1 }, time.Minute, time.Millisecond)
	require.Zero(t, b.Effects("rf_2_1"))
	require.NoError(t, b.Close())
	sends.Wait()
	require.Equal(t, payout.ClassAccepted, outcomes[0].Class)
	require.Equal(t, payout.ClassUnknown, outcomes[1].Class, "closed books take no effect")
	require.Zero(t, b.Effects("rf_2_1"))
}

func TestOnlyGetAndPostOfTheKeyAreKnown(t *testing.T) {
	t.Parallel()

	b := setup(t, "")
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	signature, err := verifier.Sign("rf_1_1", b.clock.Now(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusMethodNotAllowed,
		do(t, http.MethodDelete, b.url+"/rf_1_1", "rf_1_1", b.clock.Now(), signature, ""))
	require.Equal(t, http.StatusMethodNotAllowed,
		do(t, "PRI", b.url, "", b.clock.Now(), "", ""))
	require.Zero(t, b.Books().Denied, "who speaks another protocol forges nothing")
	require.Equal(t, http.StatusNotFound,
		do(t, http.MethodGet, b.url+"/rf_1_1", "rf_1_1", b.clock.Now(), signature, ""))
	require.Equal(t, http.StatusBadRequest,
		do(t, http.MethodGet, b.url+"/rf_2_1", "rf_1_1", b.clock.Now(), signature, ""))
}
