package stripe_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// documented is one answer, and the class that it must have.
type documented struct {
	status int
	body   string
	header http.Header
	class  payout.Class
	kind   fault.Kind
}

// The table of docs/providers/stripe.md.
func documentedAnswers() []documented {
	body := func(kind, code string) string {
		return `{"error":{"type":"` + kind + `","code":"` + code + `","param":"amount","message":"See https://stripe.com or ` + email + ` ` + apiKey + `"}}`
	}
	const invalid, api, card, idempotency = "invalid_request_error", "api_error", "card_error", "idempotency_error"
	return []documented{
		{400, body(invalid, "parameter_invalid_integer"), nil, payout.ClassRefused, ""},
		{400, body(invalid, "resource_missing"), nil, payout.ClassRefused, ""},
		{402, body(card, "card_declined"), nil, payout.ClassRefused, ""},
		{404, body(invalid, "resource_missing"), nil, payout.ClassRefused, ""},
		{400, body(invalid, ""), http.Header{"Idempotent-Replayed": {"true"}}, payout.ClassRefused, ""},
		{400, body(invalid, "x"), http.Header{"Stripe-Should-Retry": {"true"}}, payout.ClassUnknown, ""},
		{400, body(invalid, "x"), http.Header{"Stripe-Should-Retry": {"false"}}, payout.ClassRefused, ""},
		{400, body(idempotency, ""), nil, payout.ClassConflict, ""},
		{409, body(idempotency, "idempotency_key_in_use"), nil, payout.ClassUnknown, ""},
		{409, body(invalid, "idempotency_key_in_use"), nil, payout.ClassUnknown, ""},
		{400, body(idempotency, "idempotency_key_in_use"), nil, payout.ClassUnknown, ""},
		{409, body(invalid, ""), nil, payout.ClassUnknown, ""},
		{400, body(invalid, "balance_insufficient"), nil, payout.ClassNotSent, fault.Denied},
		{401, body(invalid, ""), nil, payout.ClassNotSent, fault.Denied},
		{403, body(invalid, ""), nil, payout.ClassNotSent, fault.Denied},
		{429, body(invalid, "rate_limit"), http.Header{"Retry-After": {"7"}}, payout.ClassNotSent, fault.Throttled},
		{429, body(invalid, "lock_timeout"), http.Header{"Retry-After": {"7"}}, payout.ClassNotSent, fault.Throttled},
		{400, body(api, ""), nil, payout.ClassUnknown, ""},
		{400, body("something_new", ""), nil, payout.ClassUnknown, ""},
		{418, body(invalid, ""), nil, payout.ClassUnknown, ""},
		{424, body(api, ""), nil, payout.ClassUnknown, ""},
		{500, body(api, ""), nil, payout.ClassUnknown, ""},
		{500, body(invalid, ""), nil, payout.ClassUnknown, ""},
		{500, body(api, ""), http.Header{"Idempotent-Replayed": {"true"}}, payout.ClassUnknown, ""},
		{502, "<html>Bad Gateway", nil, payout.ClassUnknown, ""},
		{400, "<html>", nil, payout.ClassUnknown, ""},
		{401, "<html>", nil, payout.ClassUnknown, ""},
		{429, "", nil, payout.ClassUnknown, ""},
		{400, `{"error":null}`, nil, payout.ClassUnknown, ""},
		{400, `{"error":"no"}`, nil, payout.ClassUnknown, ""},
		{200, `{}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1"}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1","amount":-600,"currency":"usd","customer":"cus_9"}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1","amount":500,"currency":"usd","customer":"cus_9"}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1","amount":-500,"currency":"eur","customer":"cus_9"}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1","amount":-500,"currency":"usd","customer":"cus_8"}`, nil, payout.ClassUnknown, ""},
		{307, `{"id":"cbtxn_1","amount":-500,"currency":"usd","customer":"cus_9"}`, nil, payout.ClassUnknown, ""},
		{200, `{"id":"cbtxn_1","amount":-500,"currency":"usd","customer":"cus_9"}`, nil, payout.ClassAccepted, ""},
		{201, `{"id":"cbtxn_1","amount":-500,"currency":"usd","customer":"cus_9"}`, nil, payout.ClassAccepted, ""},
	}
}

func TestEveryDocumentedAnswerHasItsClass(t *testing.T) {
	t.Parallel()

	for _, c := range documentedAnswers() {
		var calls atomic.Int64
		answer := answering(c.status, c.body, c.header)
		p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			answer.ServeHTTP(w, r)
		}))
		out := p.Send(t.Context(), creditRequest())
		require.EqualValues(t, 1, calls.Load(), "%d %s: it is said once", c.status, c.body)
		require.Equal(t, c.class, out.Class, "%d %s: %s", c.status, c.body, out.Detail)
		require.Equal(t, c.kind, out.Kind, "%d %s", c.status, c.body)
		require.Equal(t, c.class == payout.ClassAccepted, out.Settled)
		require.NotEmpty(t, out.Detail)
		requireSafe(t, out.Detail)
		if c.kind == fault.Throttled {
			require.Equal(t, 7*time.Second, out.RetryAfter)
		}
		if c.class == payout.ClassAccepted {
			require.Equal(t, "cbtxn_1", out.Reference)
		}
	}
}

func creditRequest() payout.Request {
	return payout.Request{
		Key:  key,
		Body: []byte(`{"credit":{"customer":"cus_9","amount":-500,"currency":"usd","description":"Reward 2429153"}}`),
	}
}

func TestARefusalIsExplained(t *testing.T) {
	t.Parallel()

	p := serve(t, answering(400, `{"error":{"type":"invalid_request_error","code":"parameter_invalid","param":"amount",`+
		`"message":"Invalid integer,\n see https://stripe.com"}}`, http.Header{"Request-Id": {"req_8"}}))
	require.Equal(t, "Stripe refuses: parameter_invalid; parameter amount; Invalid integer, see [...]; req_8",
		p.Send(t.Context(), creditRequest()).Detail)
}

func TestAnAnswerWithoutAnEndIsUnknown(t *testing.T) {
	t.Parallel()

	p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"cbtxn_1","amount":-500,"currency":"usd","customer":"cus_9","x":"`)
		_, _ = io.WriteString(w, strings.Repeat("x", 5<<20)+`"}`)
	}))
	require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), creditRequest()).Class)
}

// What goes on the wire, as Stripe sees it.
func TestTheWire(t *testing.T) {
	t.Parallel()

	for name, want := range map[string][]string{
		"Credits": {"/v1/customers/cus_9/balance_transactions rf_2429153_1 amount=-500&currency=usd&description=Reward+2429153&" +
			"metadata[rewardflow]=rf_2429153_1"},
		"FreeMonths": {
			"/v1/subscriptions/sub_7 rf_turn_* metadata[rewardflow_turn]=reward+2429153",
			"/v1/subscriptions/sub_7 rf_2429153_1 metadata[rf_2429153_1]=2026-11-23T15%3A00%3A00Z+months%3D3+until%3D2027-04-30T10%3A30%3A00Z&" +
				"proration_behavior=none&trial_end=1809081000",
		},
		"DiscountPer": {
			"/v1/subscriptions/sub_7 rf_turn_* metadata[rewardflow_turn]=reward+2429153",
			"/v1/coupons rf_2429153_1-c duration=once&id=rf_2429153_1&max_redemptions=1&metadata[rewardflow]=rf_2429153_1&" +
				"name=Reward+2429153&percent_off=20.0000",
			"/v1/subscriptions/sub_7 rf_2429153_1 discounts[0][coupon]=rf_2429153_1&expand[0]=discounts",
		},
		"DiscountMon": {
			"/v1/subscriptions/sub_7 rf_turn_* metadata[rewardflow_turn]=reward+2429153",
			"/v1/coupons rf_2429153_1-c amount_off=750&currency=usd&duration=once&id=rf_2429153_1&max_redemptions=1&" +
				"metadata[rewardflow]=rf_2429153_1&name=Reward+2429153",
			"/v1/subscriptions/sub_7 rf_2429153_1 discounts[0][coupon]=rf_2429153_1&expand[0]=discounts",
		},
		"Cash": {"/v1/transfers rf_2429153_1 amount=1250&currency=usd&description=Reward+2429153&destination=acct_5&" +
			"metadata[rewardflow]=rf_2429153_1&transfer_group=rf_2429153_1"},
	} {
		fake := newFake()
		var mu sync.Mutex
		var posts, versions []string
		p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			mu.Lock()
			if r.Method == http.MethodPost {
				posts = append(posts, wire(r, string(body)))
			}
			versions = append(versions, r.Header.Get("Stripe-Version")+r.Header.Get("X-Stripe-Client-Telemetry"))
			mu.Unlock()
			fake.ServeHTTP(w, r)
		}))
		out := p.Send(t.Context(), prepare(t, p, order(kinds()[name].quantity)))
		require.Equal(t, payout.ClassAccepted, out.Class, "%s: %s", name, out.Detail)
		mu.Lock()
		require.Equal(t, want, posts, name)
		require.Equal(t, []string{"2026-08-26.dahlia"}, slices.Compact(versions), "one version, and no telemetry")
		mu.Unlock()
	}
}

// wire shows a POST as one line, with its fields in order and brackets as such.
func wire(r *http.Request, body string) string {
	key := r.Header.Get("Idempotency-Key")
	if strings.HasPrefix(key, "rf_turn_") && len(key) == len("rf_turn_")+40 {
		key = "rf_turn_*"
	}
	fields := strings.Split(strings.NewReplacer("%5B", "[", "%5D", "]").Replace(body), "&")
	return r.URL.Path + " " + key + " " + strings.Join(slices.Sorted(slices.Values(fields)), "&")
}

func TestAStoredRequestThatIsNotUnderstoodIsNotSent(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	for _, body := range []string{
		``, `{}`, `null`, `[]`,
		`{"credit":{"customer":"cus_9","amount":500,"currency":"usd","description":""}}`,
		`{"credit":{"customer":"","amount":-500,"currency":"usd","description":""}}`,
		`{"credit":{"customer":"cus_9","amount":-500,"currency":"usd","description":"","fee":3}}`,
		`{"transfer":{"account":"acct_5","amount":-1,"currency":"usd","description":""}}`,
		`{"transfer":{"account":"acct_5","amount":1.5,"currency":"usd","description":""}}`,
		`{"free_months":{"customer":"cus_9","subscription":"sub_7","months":3}}`,
		`{"discount":{"customer":"cus_9","subscription":"sub_7","percent":20,"amount":5,"currency":"usd","name":"","turn":"x"}}`,
		`{"credit":{"customer":"cus_9","amount":-5,"currency":"usd","description":""},` +
			`"transfer":{"account":"acct_5","amount":1,"currency":"usd","description":""}}`,
	} {
		req := payout.Request{Key: key, Body: []byte(body)}
		out := p.Send(t.Context(), req)
		require.Equal(t, payout.ClassNotSent, out.Class, body)
		require.Equal(t, fault.Denied, out.Kind, body)
		require.Equal(t, payout.CannotTell, p.Lookup(t.Context(), req).Answer, body)
	}
	require.Empty(t, fake.calls)
}
