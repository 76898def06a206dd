package tremendous_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

const (
	apiKey   = "TEST_aPiKeyOfTheOrganization"
	campaign = "CAMPAIGN1234"
	apiPath  = "/api/v2"
)

// double is Tremendous as its documentation has it: it keeps orders, makes one
// for an external_id whatever the clock says, answers the same request by 201 and
// another one by 409. It works in memory and is safe for concurrent use.
type double struct {
	// replays answers 201 to every request with a known external_id, whatever it
	// asks for, as older descriptions of the API had it.
	replays bool
	// approvals makes every order wait for an approval: 202.
	approvals bool
	// keepsFailed keeps an order that it could not pay for, FAILED.
	keepsFailed bool
	// forgets is after what time an external_id makes another order; zero is
	// never, as Tremendous documents no end. Orders can be read for good. now is
	// its clock where it forgets.
	forgets time.Duration
	now     func() time.Time

	// sources are its funding sources; nil is the balance alone. unreadable is an
	// API key that may not read what it asks for.
	sources    []any
	unreadable bool

	mu sync.Mutex
	// broke is an account whose balance covers nothing: 402.
	broke   bool
	orders  []*doubleOrder
	mishaps []mishap
}

type doubleOrder struct {
	id, key, status  string
	deliver          string
	asked            []byte
	value, recipient json.RawMessage
	refund           string
	made             time.Time
}

// mishap is what happens to one POST: act has the effect.
type mishap func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))

// script sets what happens to the next orders, in their order.
func (d *double) script(mishaps ...mishap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mishaps = mishaps
}

// Effects counts the orders of a key that Tremendous pays for, or may.
func (d *double) Effects(key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, o := range d.orders {
		if o.key == key && o.status != "FAILED" && o.status != "CANCELED" {
			n++
		}
	}
	return n
}

// become sets the statuses of the newest order and its delivery.
func (d *double) become(status, deliver string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.orders[len(d.orders)-1]
	o.status, o.deliver = status, deliver
}

// develop sets the statuses of every order that is still on its way.
func (d *double) develop(status, deliver string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.orders {
		waits := o.status == "PENDING APPROVAL"
		if waits || o.status == "EXECUTED" && status == "EXECUTED" && o.deliver == "PENDING" {
			o.status, o.deliver = status, deliver
		}
	}
}

// recognises reports whether a request with the key is answered by the order.
func (d *double) recognises(o *doubleOrder, key string) bool {
	return o.key == key && (d.forgets == 0 || d.now().Before(o.made.Add(d.forgets)))
}

// empty empties the account, or fills it again.
func (d *double) empty(broke bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broke = broke
}

// refundNewest cancels the reward of the newest order.
func (d *double) refundNewest(total string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders[len(d.orders)-1].refund = total
}

// ServeHTTP implements http.Handler.
func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer "+apiKey:
		problem(w, http.StatusUnauthorized, "Unauthorized", nil)
	case d.unreadable:
		problem(w, http.StatusForbidden, "Forbidden", nil)
	case r.Method == http.MethodGet && r.URL.Path == apiPath+"/funding_sources":
		reply(w, http.StatusOK, map[string]any{"funding_sources": d.funding()})
	case r.Method == http.MethodGet && r.URL.Path == apiPath+"/campaigns/"+campaign:
		reply(w, http.StatusOK, map[string]any{"campaign": map[string]any{"id": campaign, "name": "Friends"}})
	case r.URL.Path != apiPath+"/orders":
		problem(w, http.StatusNotFound, "Not found", nil)
	case r.Method == http.MethodPost:
		d.post(w, r)
	default:
		d.list(w, r.URL.Query().Get("external_id"))
	}
}

// funding lists the funding sources, as
// https://developers.tremendous.com/docs/paying-for-orders shows them.
func (d *double) funding() []any {
	if d.sources != nil {
		return d.sources
	}
	return []any{fundingSource("GCTHLCMFVYMD", "balance", "active", "api_orders", "dashboard_orders")}
}

func fundingSource(id, method, status string, uses ...string) map[string]any {
	source := map[string]any{
		"id": id, "method": method, "status": status, "meta": map[string]any{"available_cents": 600000, "pending_cents": 0},
	}
	if len(uses) > 0 {
		source["usage_permissions"] = uses
	}
	return source
}

func (d *double) post(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	var next mishap
	if len(d.mishaps) > 0 {
		next, d.mishaps = d.mishaps[0], d.mishaps[1:]
	}
	d.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	act := func(w http.ResponseWriter) { d.create(w, body) }
	if next == nil {
		act(w)
		return
	}
	next(w, r, act)
}

func (d *double) create(w http.ResponseWriter, body []byte) {
	var asked struct {
		Key    string `json:"external_id"`
		Reward struct {
			Value     json.RawMessage `json:"value"`
			Recipient json.RawMessage `json:"recipient"`
		} `json:"reward"`
	}
	if json.Unmarshal(body, &asked) != nil || asked.Reward.Value == nil {
		problem(w, http.StatusUnprocessableEntity, "Order failed: validation failure", map[string]any{"reward": map[string]any{"value": "is required"}})
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.orders {
		switch {
		case o.key == "" || !d.recognises(o, asked.Key):
		case d.replays || bytes.Equal(o.asked, body):
			reply(w, http.StatusCreated, map[string]any{"order": o.document()})
			return
		default:
			problem(w, http.StatusConflict, "An order with this external_id exists with other parameters", nil)
			return
		}
	}
	o := &doubleOrder{
		id: fmt.Sprintf("ORDER%07d", len(d.orders)), key: asked.Key, status: "EXECUTED", deliver: "PENDING",
		asked: body, value: asked.Reward.Value, recipient: asked.Reward.Recipient,
	}
	if d.now != nil {
		o.made = d.now()
	}
	code := http.StatusOK
	if d.approvals {
		o.status, o.deliver, code = "PENDING APPROVAL", "SCHEDULED", http.StatusAccepted
	}
	if d.broke {
		if o.status = "FAILED"; d.keepsFailed {
			d.orders = append(d.orders, o)
		}
		problem(w, http.StatusPaymentRequired, "Not enough funds", nil)
		return
	}
	d.orders = append(d.orders, o)
	reply(w, code, map[string]any{"order": o.document()})
}

func (d *double) list(w http.ResponseWriter, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []any{}
	for _, o := range d.orders {
		if key == "" || o.key == key {
			found = append(found, o.document())
		}
	}
	reply(w, http.StatusOK, map[string]any{"orders": found, "total_count": len(found)})
}

func (o *doubleOrder) document() map[string]any {
	made := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Format(time.RFC3339)
	document := map[string]any{
		"id": o.id, "external_id": o.key, "campaign_id": campaign, "created_at": made, "status": o.status,
		"rewards": []any{map[string]any{
			"id": strings.Replace(o.id, "ORDER", "REWARD", 1), "order_id": o.id, "created_at": made,
			"value": o.value, "recipient": o.recipient,
			"delivery": map[string]any{"method": "EMAIL", "status": o.deliver},
		}},
	}
	if o.refund != "" {
		document["payment"] = map[string]any{"refund": map[string]any{"total": json.Number(o.refund)}}
	}
	return document
}

// problem writes an error document.
func problem(w http.ResponseWriter, status int, message string, payload map[string]any) {
	if payload == nil {
		payload = map[string]any{}
	}
	reply(w, status, map[string]any{"errors": map[string]any{"message": message, "payload": payload}})
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// before answers with an error in the place of the effect, and after behind it.
func before(status int) mishap {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		problem(w, status, "Something went wrong", nil)
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

// late answers with an error and has the effect behind the caller's back, when
// the caller lets it.
func late(let <-chan struct{}, done chan<- struct{}) mishap {
	return func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter)) {
		go func() {
			<-let
			act(httptest.NewRecorder())
			close(done)
		}()
		before(http.StatusInternalServerError)(w, r, act)
	}
}
