// Package doubles holds what a contender works against: a FirstPromoter that
// owes rewards and a provider that pays them. They live outside the contender's
// process and keep fsynced books, which are the oracle: whatever a contender
// believes, the books say how often a reward was paid and closed.
//
// They are smaller than the module's own doubles (internal/firstpromoter/simulator,
// internal/payout/sandbox): every call takes the same time however many rewards
// there are, and syncs are shared, so that they do not level the contenders.
// They speak the same protocols, but verify no signature, because only one of the
// contenders signs.
package doubles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	// FirstReward is the ID of the first reward that is owed.
	FirstReward = 2_400_001
	// promoterOffset makes the promoter's ID of a reward's: each reward has a
	// promoter of its own.
	promoterOffset = 3_000_000
	// CampaignID is the one campaign's.
	CampaignID = 17_476
	// The reward that everybody is owed.
	amount = 3
	unit   = "free_months"
)

// Doubles are one FirstPromoter and one provider.
type Doubles struct {
	// FirstPromoterURL is the base URL of the v1 API, ProviderURL takes payouts.
	FirstPromoterURL, ProviderURL string
	// Trip kills at a call.
	Trip *Tripwire

	books  *books
	server *httptest.Server
	owed   int64
}

// Start starts doubles that owe nothing yet. Their books are a file in dir.
func Start(dir string) (*Doubles, error) {
	b, err := openBooks(dir)
	if err != nil {
		return nil, err
	}
	d := &Doubles{books: b, Trip: &Tripwire{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/payouts/list", d.list)
	mux.HandleFunc("PUT /api/v1/payouts/update", d.update)
	mux.HandleFunc("POST /rewards", d.pay)
	mux.HandleFunc("GET /rewards/{key}", d.lookup)
	d.server = httptest.NewServer(d.Trip.around(mux))
	d.FirstPromoterURL, d.ProviderURL = d.server.URL+"/api/v1", d.server.URL+"/rewards"
	return d, nil
}

// Close ends the doubles.
func (d *Doubles) Close() error {
	d.server.CloseClientConnections()
	d.server.Close()
	return d.books.journal.close()
}

// Owe makes n more rewards pending and returns their IDs.
func (d *Doubles) Owe(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = FirstReward + d.owed
		d.owed++
		d.books.owe(ids[i], ids[i]+promoterOffset)
	}
	return ids
}

// Accounts returns what became of each reward.
func (d *Doubles) Accounts() map[int64]Account { return d.books.copy() }

// Calls returns how many calls came in.
func (d *Doubles) Calls() int {
	d.Trip.mu.Lock()
	defer d.Trip.mu.Unlock()
	return d.Trip.calls
}

// Settled waits until every reward is completed. The error is the context's.
func (d *Doubles) Settled(ctx context.Context) error {
	for {
		left, changed := d.books.left()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d rewards are not fulfilled: %w", left, ctx.Err())
		}
	}
}

// Event returns the body of the webhook by which FirstPromoter asks for a
// reward (https://docs.firstpromoter.com/webhooks).
func Event(id int64) []byte {
	event, err := json.Marshal(map[string]any{
		"event": map[string]any{"id": id + 70_000_000, "type": "fulfilment_pending", "created_at": stamp()},
		"data":  record(id, id+promoterOffset, false),
	})
	if err != nil {
		panic(err) // It holds numbers and texts only.
	}
	return event
}

func stamp() string { return time.Now().UTC().Format(time.RFC3339) }

// Promoter is who receives a reward.
type Promoter struct {
	ID            int64
	CustID, Email string
}

// PromoterOf returns who receives the reward with an ID.
func PromoterOf(id int64) Promoter { return promoter(id + promoterOffset) }

func promoter(id int64) Promoter {
	return Promoter{ID: id, CustID: "cus_" + strconv.FormatInt(id, 10), Email: fmt.Sprintf("promoter-%d@example.net", id)}
}

// record is a reward in the shape of FirstPromoter's API and events.
func record(id, promoterID int64, completed bool) map[string]any {
	who := promoter(promoterID)
	status := "pending"
	if completed {
		status = "completed"
	}
	return map[string]any{
		"id": id, "status": status, "amount": amount, "unit": unit, "created_at": stamp(), "has_issues": false,
		"promoter": map[string]any{
			"id": who.ID, "status": "active", "cust_id": who.CustID,
			"email": who.Email, "created_at": "2025-01-10T09:00:00Z",
			"auth_token": "t-" + strconv.FormatInt(who.ID, 10), "default_ref_id": "r" + strconv.FormatInt(who.ID, 10),
			"earnings_balance": map[string]int{"free_months": 9}, "current_balance": map[string]int{"free_months": 3},
		},
		"campaign": map[string]any{"id": CampaignID, "name": "Partners", "landing_url": "https://shop.example.net/"},
	}
}

// list answers with a promoter's payouts.
func (d *Doubles) list(w http.ResponseWriter, r *http.Request) {
	promoter, err := strconv.ParseInt(r.FormValue("promoter_id"), 10, 64)
	if err != nil {
		say(w, http.StatusUnprocessableEntity, map[string]string{"error": "promoter_id is missing"})
		return
	}
	id, completed, found := d.books.find(promoter)
	page := []any{}
	wanted := r.FormValue("status")
	if found && (wanted == "" || (wanted == "completed") == completed) {
		page = append(page, record(id, promoter, completed))
	}
	w.Header().Set("Total", strconv.Itoa(len(page)))
	w.Header().Set("Per-Page", "50")
	say(w, http.StatusOK, page)
}

// update completes a reward.
func (d *Doubles) update(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.FormValue("id"), 10, 64)
	if err != nil || r.FormValue("status") != "completed" {
		say(w, http.StatusUnprocessableEntity, map[string]string{"error": "id or status is missing"})
		return
	}
	promoter, known, err := d.books.complete(id)
	switch {
	case err != nil:
		say(w, http.StatusInternalServerError, map[string]string{"error": "the books cannot be written"})
	case !known:
		say(w, http.StatusNotFound, map[string]string{"error": "there is no such payout"})
	default:
		say(w, http.StatusOK, record(id, promoter, true))
	}
}

// pay answers one payout request, by docs/providers/webhook.md.
func (d *Doubles) pay(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct {
			Key    string
			Reward struct{ ID int64 }
		}
	}
	key := r.Header.Get("webhook-id")
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil || key == "" || body.Data.Key != key {
		say(w, http.StatusBadRequest, map[string]string{"error": "the body is not a payout whose key is the webhook-id"})
		return
	}
	known, err := d.books.pay(body.Data.Reward.ID, key)
	switch {
	case err != nil:
		say(w, http.StatusServiceUnavailable, map[string]string{"error": "the books cannot be written"})
	case !known:
		say(w, http.StatusUnprocessableEntity, map[string]string{"error": "nobody is owed this reward"})
	default:
		say(w, http.StatusOK, map[string]string{"status": "fulfilled", "reference": "ref-" + key})
	}
}

// lookup answers whether a key is known.
func (d *Doubles) lookup(w http.ResponseWriter, r *http.Request) {
	key := path.Base(strings.TrimSuffix(r.URL.Path, "/"))
	if !d.books.paid(key) {
		say(w, http.StatusNotFound, map[string]string{"error": "the key is not known"})
		return
	}
	say(w, http.StatusOK, map[string]string{"status": "fulfilled", "reference": "ref-" + key})
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // A caller that is gone asks again.
}

// hangUp resets the connection instead of answering.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if errors.Is(err, http.ErrHijacked) {
			return
		}
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
