package stripe_test

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// fakeStripe is a small Stripe: it keeps what is made, checks what is sent,
// and honours idempotency keys for 24 hours of its own clock, as
// https://docs.stripe.com/api/idempotent_requests says: what an endpoint
// answered, even with 500, is kept and said again; another body under the same
// key is an error; so is a second request while the first is at work.
type fakeStripe struct {
	mu        sync.Mutex
	now       time.Time
	serial    int
	customers map[string]object
	accounts  map[string]object
	coupons   map[string]object
	subs      []object
	txns      []object
	transfers []object
	balance   map[string]int64
	effects   map[string]int
	kept      map[string]*keptAnswer
	// lacks are the permissions that the key does not have, as "GET coupons".
	lacks map[string]bool
	// single is an account that is no Connect platform.
	single bool
	// calls are the requests, as "METHOD path key".
	calls []string
	// fault, when set, is asked about every POST.
	fault func(r *http.Request) failing
}

// failing is what goes wrong with one POST.
type failing int

const (
	healthy failing = iota
	// failsBefore answers 500 before anything was done, and keeps the answer.
	failsBefore
	// failsAfter answers 500 after it was done, and keeps the answer.
	failsAfter
	// losesAnswer does it, keeps the answer, and hangs up.
	losesAnswer
)

type object = map[string]any

type keptAnswer struct {
	request [sha256.Size]byte
	at      time.Time
	done    bool
	status  int
	body    []byte
}

const (
	customerID = "cus_9"
	subID      = "sub_7"
	accountID  = "acct_5"
	email      = "p@example.com"
)

// periodEnds is when the fake's subscription ends its period.
func periodEnds() time.Time { return time.Date(2027, 1, 31, 10, 30, 0, 0, time.UTC) }

func newFake() *fakeStripe {
	return &fakeStripe{
		now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
		customers: map[string]object{
			customerID: {"id": customerID, "object": "customer", "email": "P@Example.com", "currency": "usd"},
		},
		accounts: map[string]object{
			accountID: {"id": accountID, "object": "account", "email": email},
		},
		subs:    []object{subscription(subID)},
		coupons: map[string]object{},
		balance: map[string]int64{"usd": 1_000_000},
		effects: map[string]int{},
		kept:    map[string]*keptAnswer{},
	}
}

func subscription(id string) object {
	return object{
		"id": id, "object": "subscription", "customer": customerID, "status": "active", "currency": "usd",
		"metadata": map[string]string{}, "discounts": []object{}, "trial_end": nil,
		"items": object{"object": "list", "has_more": false, "data": []object{
			{"id": "si_1", "object": "subscription_item", "current_period_end": periodEnds().Unix()},
		}},
	}
}

// do runs f while nothing else happens.
func (f *fakeStripe) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeStripe) sub() object { return f.subs[0] }

func (f *fakeStripe) markers() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sub()["metadata"].(map[string]string)
}

// Effects counts what was done under a key.
func (f *fakeStripe) Effects(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.effects[key]
}

// posts returns the POSTs, as "path key".
func (f *fakeStripe) posts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var posts []string
	for _, call := range f.calls {
		if rest, ok := strings.CutPrefix(call, "POST "); ok {
			posts = append(posts, rest)
		}
	}
	return posts
}

// ServeHTTP implements http.Handler.
func (f *fakeStripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Header.Get("Idempotency-Key")
	f.do(func() { f.calls = append(f.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+key)) })
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		write(w, http.StatusUnauthorized, failure("invalid_request_error", "", "Invalid API Key provided: "+apiKey))
		return
	}
	if refusal := f.refuses(r.Method, r.URL.Path); refusal != nil {
		write(w, http.StatusForbidden, refusal)
		return
	}
	form, err := url.ParseQuery(string(body))
	if r.Method == http.MethodGet {
		form, err = r.URL.Query(), nil
	}
	if err != nil {
		write(w, http.StatusBadRequest, failure("invalid_request_error", "", "not a form"))
		return
	}
	if r.Method == http.MethodGet {
		f.mu.Lock()
		defer f.mu.Unlock()
		status, answer := f.read(r.URL.Path, form)
		write(w, status, answer)
		return
	}
	f.post(w, r, key, body, form)
}

// refuses returns what Stripe says to a restricted key that lacks a permission,
// and to an account that is no platform; nil to every other request.
func (f *fakeStripe) refuses(method, path string) object {
	f.mu.Lock()
	defer f.mu.Unlock()
	what, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	if strings.HasSuffix(path, "/balance_transactions") {
		what = "customer balance"
	}
	switch {
	case f.lacks[method+" "+what]:
		return failure("invalid_request_error", "", "The provided key '"+apiKey+"' does not have the required permissions for this endpoint on account '"+
			accountID+"'. Having the 'rak_"+what+"' permission would allow this request to continue.")
	case f.single && what == "accounts":
		return failure("invalid_request_error", "platform_account_required", "Only Stripe Connect platforms can work with other accounts.")
	}
	return nil
}

// post runs an endpoint behind the idempotency layer.
func (f *fakeStripe) post(w http.ResponseWriter, r *http.Request, key string, body []byte, form url.Values) {
	request := sha256.Sum256(append([]byte(r.URL.Path+"\n"), body...))
	f.mu.Lock()
	kept := f.kept[key]
	if kept != nil && f.now.Sub(kept.at) >= 24*time.Hour {
		kept = nil
	}
	fresh := kept == nil
	if fresh {
		kept = &keptAnswer{request: request, at: f.now}
		f.kept[key] = kept
	}
	done := kept.done
	wrong := healthy
	if f.fault != nil {
		wrong = f.fault(r)
	}
	f.mu.Unlock()

	switch {
	case !fresh && kept.request != request:
		write(w, http.StatusBadRequest, failure("idempotency_error", "", "Keys can only be used with the same parameters"))
	case !fresh && !done:
		write(w, http.StatusConflict, failure("invalid_request_error", "idempotency_key_in_use", "at work"))
	case !fresh:
		w.Header().Set("Idempotent-Replayed", "true")
		writeBytes(w, kept.status, kept.body)
	default:
		f.execute(w, r.URL.Path, form, kept, wrong)
	}
}

func (f *fakeStripe) execute(w http.ResponseWriter, path string, form url.Values, kept *keptAnswer, wrong failing) {
	f.mu.Lock()
	status, answer := http.StatusInternalServerError, failure("api_error", "", "An unknown error occurred")
	if wrong != failsBefore {
		did, result := f.write(path, form)
		if wrong != failsAfter {
			status, answer = did, result
		}
	}
	recorder := httptest.NewRecorder()
	write(recorder, status, answer)
	kept.status, kept.body, kept.done = status, recorder.Body.Bytes(), true
	f.mu.Unlock()
	if wrong == losesAnswer {
		panic(http.ErrAbortHandler)
	}
	writeBytes(w, status, kept.body)
}
