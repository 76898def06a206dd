// Package simulator is FirstPromoter's double: it sends v1 webhooks, obeys the
// answers to them, serves the two v1 calls that matter, and keeps its own
// books, bad days included.
//
// It is an ordinary HTTP handler on an injected clock, for tests, for the demo,
// and as the oracle of fault tests: whatever the service believes, the books
// say how often a reward was completed, and by what. It shares no code with
// the decoder or the client, so that a misreading there does not cancel out
// here. Where FirstPromoter's documentation (https://docs.firstpromoter.com)
// says nothing, the double does what is least convenient.
package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// BasePath is where the handler serves the API: a client's base URL is the
// server's URL and this path.
const BasePath = "/api/v1"

// maxRetries is how often a fulfilment_pending event is tried again after an
// error, within one day, before its record has issues
// (https://docs.firstpromoter.com/webhooks/deliveries).
const maxRetries = 7

// Config describes a double.
type Config struct {
	// WebhookURL gets all events; FulfilmentURL, when it is set, gets
	// fulfilment_pending instead. Without a URL an event is an error.
	WebhookURL    string
	FulfilmentURL string
	// BasicAuth is "user:password", sent with every event; empty sends none.
	BasicAuth string
	// APIKey is what the API wants in X-API-KEY.
	APIKey string
	// Now is the clock that all schedules follow; nil means time.Now.
	Now func() time.Time
	// BooksPath is a file of JSON lines that grows with every change, and that
	// the next start continues; empty keeps the books in memory.
	BooksPath string
	// CheckEvery is when an event that was answered with a 2xx other than 200
	// fires again; zero means an hour. FirstPromoter does not say.
	CheckEvery time.Duration
	// RetryEvery is the pause between tries after an error; zero means a
	// seventh of a day.
	RetryEvery time.Duration
	// Timeout is how long an answer may take; zero means 15 seconds, as documented.
	Timeout time.Duration
	// HTTP sends the events; nil means a client of its own.
	HTTP *http.Client
	// Logger gets IDs and answers, no payloads; nil discards them.
	Logger *slog.Logger
}

// Simulator is FirstPromoter's double. It is safe for concurrent use.
type Simulator struct {
	cfg    Config
	mux    *http.ServeMux
	http   *http.Client
	wake   chan struct{}
	closed chan struct{}

	mu     sync.Mutex
	book   *book
	file   *booksFile // Nil when the books are in memory.
	faults []Fault
	down   bool
	// flying holds the rewards whose event is on the wire.
	flying map[reward.ID]bool
	lists  int
}

// New returns a double that continues the books at BooksPath. Nothing is sent
// before Run, Step, or a call that sends.
func New(cfg Config) (*Simulator, error) {
	cfg = withDefaults(cfg)
	s := &Simulator{
		cfg:    cfg,
		http:   cfg.HTTP,
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
		book:   newBook(),
		flying: map[reward.ID]bool{},
	}
	if cfg.BooksPath != "" {
		file, entries, err := openBooks(cfg.BooksPath)
		if err != nil {
			return nil, fmt.Errorf("opening the books: %w", err)
		}
		for _, e := range entries {
			s.book.apply(e)
		}
		s.file = file
	}
	s.mux = s.routes()
	return s, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CheckEvery <= 0 {
		cfg.CheckEvery = time.Hour
	}
	if cfg.RetryEvery <= 0 {
		cfg.RetryEvery = 24 * time.Hour / maxRetries
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client := *cfg.HTTP
	client.Timeout = cfg.Timeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.HTTP = &client
	return cfg
}

// ServeHTTP serves the API under BasePath.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// SetWebhookURLs changes where events go from now on.
func (s *Simulator) SetWebhookURLs(webhook, fulfilment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.WebhookURL, s.cfg.FulfilmentURL = webhook, fulfilment
}

// Close ends delayed answers and closes the books. It is called once, after
// the server and Run have stopped.
func (s *Simulator) Close() error {
	close(s.closed)
	s.http.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// record writes one entry to the books. What it says has happened once it
// returns nil, and has not when it returns an error. The caller holds mu.
func (s *Simulator) record(e entry) error {
	e.At = s.cfg.Now().UTC()
	if s.file != nil {
		if err := s.file.append(e); err != nil {
			return fmt.Errorf("writing the books: %w", err)
		}
	}
	s.book.apply(e)
	return nil
}

// Spec describes a reward to create. Zero fields get values.
type Spec struct {
	// Amount counts whole units, for cash minor units. It is sent as it is,
	// zero and negative amounts included.
	Amount int64
	// RawAmount is JSON to send in place of Amount: "3.5", `"3"`, "null".
	RawAmount string
	// Unit is credits when empty.
	Unit reward.Unit
	// Promoter has an ID and an email when it has none; its CustID stays empty.
	Promoter reward.Promoter
	Campaign reward.Campaign
	// Silent creates the record, and sends nothing until Refire: all
	// deliveries of the event were lost.
	Silent bool
}

func (spec Spec) validate() error {
	if spec.RawAmount != "" && !json.Valid([]byte(spec.RawAmount)) {
		return fmt.Errorf("the raw amount %q is not JSON", spec.RawAmount)
	}
	return nil
}

// CreateReward creates a pending record and sends its fulfilment_pending
// event, once. It returns when the event was answered or given up; what became
// of it stands in the books, and Step and Run carry on from there. An error
// says that the record was not created.
func (s *Simulator) CreateReward(ctx context.Context, spec Spec) (reward.ID, error) {
	if err := spec.validate(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	id := s.book.nextPayout
	e := entry{Kind: created, ID: id, Record: s.newRecord(id, spec)}
	if !spec.Silent {
		e.Next = s.cfg.Now().UTC()
	}
	err := s.record(e)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if !spec.Silent {
		s.deliverDue(ctx, id)
	}
	return id, nil
}

// Amend changes a record's quantity, promoter and campaign, as when a reward
// is corrected while its event is on its way. It sends nothing.
func (s *Simulator) Amend(id reward.ID, spec Spec) error {
	if err := spec.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.book.accounts[id] == nil {
		return fmt.Errorf("there is no reward %s", id)
	}
	return s.record(entry{Kind: amended, ID: id, Record: s.newRecord(id, spec)})
}

// SetStatus changes a record's status by hand, as a person in the dashboard
// can. Completing a completed record by hand is a double completion too.
func (s *Simulator) SetStatus(id reward.ID, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.book.accounts[id] == nil {
		return fmt.Errorf("there is no reward %s", id)
	}
	if !validStatus(status) {
		return fmt.Errorf("%q is not a status of a payout", status)
	}
	return s.record(s.updateEntry(id, status, ByHand))
}

// updateEntry says that a status was set. A record that is pending again fires
// at the next check. The caller holds mu.
func (s *Simulator) updateEntry(id reward.ID, status string, by Completer) entry {
	e := entry{Kind: updated, ID: id, Status: status, By: by}
	if status == statusPending {
		e.Next = s.cfg.Now().UTC().Add(s.cfg.CheckEvery)
	}
	return e
}

// Refire sends the reward's event now, under a new event ID, whatever its
// status and however many tries it had, and returns the delivery.
func (s *Simulator) Refire(ctx context.Context, id reward.ID) (Delivery, error) {
	s.mu.Lock()
	a := s.book.accounts[id]
	if a == nil {
		s.mu.Unlock()
		return Delivery{}, fmt.Errorf("there is no reward %s", id)
	}
	out, err := s.begin(a, true)
	s.mu.Unlock()
	if err != nil {
		return Delivery{}, err
	}
	return s.finish(ctx, out)
}

// Down switches the double off and on. While it is off the API drops every
// connection, and no event leaves by Step or Run.
func (s *Simulator) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Books returns a copy of the books.
func (s *Simulator) Books() Books {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.book.copy()
	b.Lists = s.lists
	return b
}

// post sends one event and returns the status, or zero and what went wrong.
func (s *Simulator) post(ctx context.Context, url string, body []byte) (int, string) {
	if url == "" {
		return 0, "no webhook URL"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "the webhook URL cannot be used"
	}
	req.Header.Set("Content-Type", "application/json")
	if user, password, ok := splitBasic(s.cfg.BasicAuth); ok {
		req.SetBasicAuth(user, password)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			return 0, "timed out"
		}
		return 0, "no answer"
	}
	_ = resp.Body.Close()
	return resp.StatusCode, ""
}
