package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const wantBody = `{"type":"reward.payout","timestamp":"2026-11-23T15:00:00Z","data":{"key":"rf_2429153_1",` +
	`"reward":{"id":2429153},"quantity":{"amount":3,"unit":"free_months"},` +
	`"promoter":{"id":5272969,"cust_id":"cus_9","email":"p@example.com"},` +
	`"campaign":{"id":17476,"name":"Friends \u0026 family"}}}`

// receiver answers every request in one way and keeps what it got.
type receiver struct {
	url    string
	status int
	header http.Header
	body   string

	mu  sync.Mutex
	got []received
}

type received struct {
	method, uri string
	header      http.Header
	body        string
}

func newReceiver(t *testing.T, status int, body string) *receiver {
	t.Helper()
	r := &receiver{status: status, body: body, header: http.Header{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.got = append(r.got, received{req.Method, req.RequestURI, req.Header.Clone(), string(body)})
	r.mu.Unlock()
	for name := range r.header {
		w.Header().Set(name, r.header.Get(name))
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body)
}

// all returns what was received until now.
func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// only returns the one thing that was received.
func (r *receiver) only(t *testing.T) received {
	t.Helper()
	got := r.all()
	require.Len(t, got, 1)
	return got[0]
}

func prepared(t *testing.T, p payout.Provider) payout.Request {
	t.Helper()
	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	return req
}

func TestPrepareFreezesTheWireFormat(t *testing.T) {
	t.Parallel()

	p := connect(t, "http://127.0.0.1:1", time.Second)
	require.Equal(t, "team", p.Name())
	req := prepared(t, p)
	require.Equal(t, "rf_2429153_1", req.Key)
	require.Equal(t, "promoter 5272969 at 127.0.0.1", req.Destination)
	require.Equal(t, wantBody, string(req.Body))

	cash := order()
	cash.Reward.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	req, err := p.Prepare(t.Context(), cash)
	require.NoError(t, err)
	require.Contains(t, string(req.Body), `"quantity":{"amount":1250,"unit":"cash","currency":"USD"}`)
}

func TestPrepareRefusesUnusableOrders(t *testing.T) {
	t.Parallel()

	p := connect(t, "http://127.0.0.1:1", time.Second)
	for name, spoil := range map[string]func(*payout.Order){
		"no key":                func(o *payout.Order) { o.Key = "" },
		"long key":              func(o *payout.Order) { o.Key = strings.Repeat("k", 64) },
		"key with a line break": func(o *payout.Order) { o.Key = "rf_1\r\n_1" },
		"key beyond ASCII":      func(o *payout.Order) { o.Key = "rf_ä_1" },
		"no time":               func(o *payout.Order) { o.At = time.Time{} },
		"cash without currency": func(o *payout.Order) { o.Reward.Quantity.Unit = reward.Cash },
	} {
		o := order()
		spoil(&o)
		_, err := p.Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", name, err)
	}
}

func TestTraitsAreTheContracts(t *testing.T) {
	t.Parallel()

	require.Equal(t, payout.Traits{
		Window:      90 * 24 * time.Hour,
		Margin:      24 * time.Hour,
		SettleDelay: 10 * time.Second,
		ResendBlind: true,
		PollEvery:   15 * time.Second,
		WatchFor:    33 * 24 * time.Hour,
	}, connect(t, "http://127.0.0.1:1", time.Second).Traits())
}

func TestSendSignsTheVeryBytes(t *testing.T) {
	t.Parallel()

	r := newReceiver(t, http.StatusOK, `{"status":"fulfilled","reference":"inv_7"}`)
	p := connect(t, r.url, time.Second)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepared(t, p)).Class)

	got := r.only(t)
	require.Equal(t, http.MethodPost, got.method)
	require.Equal(t, "/rewards", got.uri)
	require.Equal(t, wantBody, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "rf_2429153_1", got.header.Get("webhook-id"))
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte(got.body), got.header))
}

// The signature was made with:
//
//	printf '%s' "rf_2429153_1.1795446000.{\"a\":1}" | openssl dgst -sha256 -hmac "$key" -binary | base64
func TestSignatureIsFreshAndOfEverySecret(t *testing.T) {
	t.Parallel()

	r := newReceiver(t, http.StatusAccepted, "")
	now := time.Unix(1795446000, 0)
	p, err := webhook.New(webhook.Config{
		Name: "team", URL: r.url, AllowPrivateNetworks: true,
		Secret: secret, OtherSecrets: []string{"an old plain secret of 24+ characters"},
		Now: func() time.Time { now = now.Add(time.Minute); return now.Add(-time.Minute) },
	})
	require.NoError(t, err)
	req := payout.Request{Key: "rf_2429153_1", Body: []byte(`{"a":1}`)}
	p.Send(t.Context(), req)

	got := r.only(t)
	require.Equal(t, "1795446000", got.header.Get("webhook-timestamp"))
	signatures := strings.Split(got.header.Get("webhook-signature"), " ")
	require.Len(t, signatures, 2)
	require.Equal(t, "v1,6e3lOjJ2Ufvy38Brz/PJ13kh/2Sp5OGwERNFTh/tSPU=", signatures[0])
	require.Equal(t, "v1,pe7TVuxNd2vcaBU8239swMEsZtGoOgmjdq55CxQLs/o=", signatures[1])

	p.Send(t.Context(), req)
	again := r.all()[1]
	require.NotEqual(t, got.header.Get("webhook-timestamp"), again.header.Get("webhook-timestamp"))
	require.Equal(t, got.header.Get("webhook-id"), again.header.Get("webhook-id"))
	require.Equal(t, got.body, again.body)
}

func TestLookupIsASignedGetUnderTheKey(t *testing.T) {
	t.Parallel()

	for base, want := range map[string]string{
		"":                    "/rf_2429153_1",
		"/":                   "/rf_2429153_1",
		"/rewards":            "/rewards/rf_2429153_1",
		"/rewards/":           "/rewards/rf_2429153_1",
		"/a%2Fb/c?tenant=x&y": "/a%2Fb/c/rf_2429153_1?tenant=x&y",
	} {
		r := newReceiver(t, http.StatusOK, `{"status":"fulfilled","reference":"inv_7"}`)
		p, err := webhook.New(webhook.Config{Name: "team", URL: r.url + base, Secret: secret, AllowPrivateNetworks: true})
		require.NoError(t, err)
		require.Equal(t, payout.Finding{
			Answer: payout.FoundSettled, Reference: "inv_7", Detail: "the receiver has fulfilled it",
		}, p.Lookup(t.Context(), prepared(t, p)))

		got := r.only(t)
		require.Equal(t, http.MethodGet, got.method)
		require.Equal(t, want, got.uri)
		require.Empty(t, got.body)
		require.Equal(t, "rf_2429153_1", got.header.Get("webhook-id"))
		verifier, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.NoError(t, verifier.Verify(nil, got.header))
	}
}

func TestLookupEscapesTheKey(t *testing.T) {
	t.Parallel()

	r := newReceiver(t, http.StatusNotFound, "")
	p := connect(t, r.url, time.Second)
	p.Lookup(t.Context(), payout.Request{Key: "a/../b?c"})
	require.Equal(t, "/rewards/a%2F..%2Fb%3Fc", r.only(t).uri)
}

func TestTheGuardRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()

	r := newReceiver(t, http.StatusOK, `{"status":"fulfilled"}`)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.url, "http://"), ":")
	p, err := webhook.New(webhook.Config{Name: "team", URL: "https://localhost:" + port, Secret: secret})
	require.NoError(t, err)
	req := prepared(t, p)

	const detail = "the address is in a private network, and allow_private_networks is false"
	require.Equal(t, payout.Outcome{
		Class: payout.ClassNotSent, Kind: fault.Denied, Detail: detail,
	}, p.Send(t.Context(), req))
	require.Equal(t, payout.Finding{Answer: payout.CannotTell, Detail: detail}, p.Lookup(t.Context(), req))
	require.Empty(t, r.all())
}
