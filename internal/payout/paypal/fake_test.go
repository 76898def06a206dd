package paypal_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

const (
	clientID     = "AbCdClientIdOfTheApp"
	clientSecret = "EfGhClientSecretOfTheApp"
	// tokenPrefix begins every access token that the double gives out.
	tokenPrefix = "A21AAaccesstoken"
)

// double is PayPal as its documentation and reports of its sandbox have it: it
// keeps batches, recognises a sender_batch_id for 30 days on its own clock
// unless its batch was denied, and never looks at anything else to tell a
// duplicate. It works in memory and is safe for concurrent use.
type double struct {
	// host is what its links name; PayPal's are another host than is asked.
	host string
	// linksOnTop puts a duplicate's link where the OpenAPI file has it, instead
	// of where PayPal is seen to put it.
	linksOnTop bool
	// lifetime of access tokens.
	lifetime time.Duration
	// scopes are the app's: one without the feature Payouts may use no payout.
	scopes string
	// closed is an account that PayPal does not let use Payouts.
	closed bool

	mu      sync.Mutex
	now     time.Time
	tokens  map[string]time.Time
	issued  int
	batches []*doubleBatch
	mishaps []mishap
}

type doubleBatch struct {
	id, key, status string
	made            time.Time
	item            json.RawMessage
	itemStatus      string
	itemError       string
}

// mishap is what happens to one POST of a batch: act has the effect.
type mishap func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))

func newDouble() *double {
	return &double{
		host: "https://api.sandbox.paypal.com", lifetime: 9 * time.Hour,
		scopes: "https://uri.paypal.com/services/invoicing https://uri.paypal.com/payments/payouts",
		now:    time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), tokens: map[string]time.Time{},
	}
}

// Now is the double's clock.
func (d *double) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// pass moves the clock.
func (d *double) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// set sets the clock.
func (d *double) set(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// script sets what happens to the next batches, in their order.
func (d *double) script(mishaps ...mishap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mishaps = mishaps
}

// revoke ends every access token.
func (d *double) revoke() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.tokens)
}

// Issued counts the access tokens that were given out.
func (d *double) Issued() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.issued
}

// Effects counts the batches of a key that PayPal pays, or has paid; one whose
// item failed is none.
func (d *double) Effects(key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, b := range d.batches {
		if b.key == key && b.status != "DENIED" && b.itemStatus != "FAILED" {
			n++
		}
	}
	return n
}

// become sets the statuses of the newest batch and its item.
func (d *double) become(batchStatus, itemStatus, itemError string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.batches[len(d.batches)-1]
	b.status, b.itemStatus, b.itemError = batchStatus, itemStatus, itemError
}

// develop is become for every batch that PayPal has not finished.
func (d *double) develop(batchStatus, itemStatus, itemError string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.batches {
		if b.status != "DENIED" && (b.itemStatus == "PENDING" || b.itemStatus == "UNCLAIMED") {
			b.status, b.itemStatus, b.itemError = batchStatus, itemStatus, itemError
		}
	}
}

// ServeHTTP implements http.Handler.
func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, get := strings.CutPrefix(r.URL.Path, "/v1/payments/payouts/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/oauth2/token":
		d.giveToken(w, r)
	case !d.authorized(r):
		problem(w, http.StatusUnauthorized, "AUTHENTICATION_FAILURE", "Authentication failed.", nil)
	case !strings.HasSuffix(d.scopes, "/payments/payouts"):
		problem(w, http.StatusForbidden, "REQUIRED_SCOPE_MISSING", "Access token does not have required scope.", nil)
	case d.closed:
		problem(w, http.StatusForbidden, "AUTHORIZATION_ERROR", "Authorization error occurred.", nil)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/payments/payouts":
		d.post(w, r)
	case r.Method == http.MethodGet && get:
		d.show(w, id)
	default:
		problem(w, http.StatusNotFound, "RESOURCE_NOT_FOUND", "The specified resource does not exist.", nil)
	}
}

func (d *double) giveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != clientID || secret != clientSecret || r.PostFormValue("grant_type") != "client_credentials" {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Client Authentication failed"})
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.issued++
	token := fmt.Sprintf("%s%d", tokenPrefix, d.issued)
	d.tokens[token] = d.now.Add(d.lifetime)
	reply(w, http.StatusOK, map[string]any{
		"scope": d.scopes, "access_token": token, "token_type": "Bearer",
		"app_id": "APP-80W284485P519543T", "expires_in": int(d.lifetime.Seconds()), "nonce": "n",
	})
}

func (d *double) authorized(r *http.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && d.now.Before(d.tokens[token])
}

func (d *double) post(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	var next mishap
	if len(d.mishaps) > 0 {
		next, d.mishaps = d.mishaps[0], d.mishaps[1:]
	}
	d.mu.Unlock()
	if next == nil {
		d.create(w, r)
		return
	}
	next(w, r, func(w http.ResponseWriter) { d.create(w, r) })
}

func (d *double) create(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Header struct {
			Key string `json:"sender_batch_id"`
		} `json:"sender_batch_header"`
		Items []json.RawMessage `json:"items"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.Items) != 1 {
		problem(w, http.StatusBadRequest, "VALIDATION_ERROR", "Invalid request - see details", nil)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.batches {
		if b.key == asked.Header.Key && b.key != "" && b.status != "DENIED" && d.now.Before(b.made.Add(30*24*time.Hour)) {
			d.duplicate(w, b)
			return
		}
	}
	b := &doubleBatch{
		id: fmt.Sprintf("5UXD2E8A7EB%02d", len(d.batches)), key: asked.Header.Key, made: d.now,
		status: "PENDING", item: asked.Items[0], itemStatus: "PENDING",
	}
	d.batches = append(d.batches, b)
	reply(w, http.StatusCreated, map[string]any{
		"batch_header": d.header(b), "links": []any{d.link(b)},
	})
}

func (d *double) duplicate(w http.ResponseWriter, b *doubleBatch) {
	detail := map[string]any{
		"field": "SENDER_BATCH_ID", "location": "body", "issue": "Batch with given sender_batch_id already exists",
	}
	more := map[string]any{"details": []any{detail}, "links": []any{}}
	if d.linksOnTop {
		more["links"] = []any{d.link(b)}
	} else {
		detail["link"] = []any{d.link(b)}
	}
	problem(w, http.StatusBadRequest, "USER_BUSINESS_ERROR", "User business error.", more)
}

func (d *double) show(w http.ResponseWriter, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.batches {
		if b.id != id {
			continue
		}
		item := map[string]any{
			"payout_item_id": "I" + b.id, "payout_batch_id": b.id, "payout_item": b.item,
			"payout_item_fee": map[string]any{"currency": "USD", "value": "0.25"}, "transaction_status": b.itemStatus,
		}
		if b.itemError != "" {
			item["errors"] = map[string]any{"name": b.itemError, "message": "See the documentation.", "debug_id": "1", "details": []any{}}
		}
		reply(w, http.StatusOK, map[string]any{
			"total_items": 1, "total_pages": 1, "batch_header": d.header(b), "items": []any{item}, "links": []any{d.link(b)},
		})
		return
	}
	problem(w, http.StatusNotFound, "RESOURCE_NOT_FOUND", "The specified resource does not exist.", nil)
}

func (d *double) header(b *doubleBatch) map[string]any {
	return map[string]any{
		"payout_batch_id": b.id, "batch_status": b.status, "time_created": b.made.Format(time.RFC3339),
		"sender_batch_header": map[string]any{"sender_batch_id": b.key},
	}
}

func (d *double) link(b *doubleBatch) map[string]any {
	return map[string]any{"href": d.host + "/v1/payments/payouts/" + b.id, "rel": "self", "method": "GET"}
}

// problem writes an error document.
func problem(w http.ResponseWriter, status int, name, message string, more map[string]any) {
	body := map[string]any{"name": name, "message": message, "debug_id": "53d95c3d17ae5"}
	for key, value := range more {
		body[key] = value
	}
	reply(w, status, body)
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// before answers with an error in the place of the effect, and after behind it.
func before(status int) mishap {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		problem(w, status, "INTERNAL_SERVICE_ERROR", "An internal service error has occurred.", nil)
	}
}

func after(status int) mishap {
	return func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter)) {
		act(httptest.NewRecorder())
		before(status)(w, r, act)
	}
}

// lostBefore and lostAfter break the connection, before or after the effect.
func lostBefore(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	panic(http.ErrAbortHandler)
}

func lostAfter(_ http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
	act(httptest.NewRecorder())
	panic(http.ErrAbortHandler)
}

// cutShort has the effect and answers with the first half of the answer.
func cutShort(w http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
	answer := httptest.NewRecorder()
	act(answer)
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
}

// tooSlow has the effect, and its caller gives up before it answers.
func tooSlow(giveUp func()) mishap {
	return func(_ http.ResponseWriter, r *http.Request, act func(http.ResponseWriter)) {
		act(httptest.NewRecorder())
		giveUp()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}
