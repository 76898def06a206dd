package nemesis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The books of FirstPromoter's double: what it knows, and every event on every
// wire.
const (
	firstPromoterFile = "firstpromoter.jsonl"
	wireFile          = "firstpromoter-wire.jsonl"
)

// FirstPromoter's day is short here: an event that was answered 2xx comes again
// after checkEvery, and one that was not after retryEvery, seven times.
const (
	checkEvery = 4 * time.Second
	retryEvery = 5 * time.Second
)

// command is what the nemesis tells the double to do.
type command struct {
	Do     string    `json:"do"`
	ID     reward.ID `json:"id,omitempty"`
	Amount int64     `json:"amount,omitempty"`
	Owed   *Owed     `json:"owed,omitempty"`
	Type   string    `json:"type,omitempty"`
	Fault  *Fault    `json:"fault,omitempty"`
	Which  string    `json:"which,omitempty"`
}

// newFirstPromoter is the simulator, which sends its events to the processes in
// turn.
func newFirstPromoter(ctx context.Context, dir string, urls []string) (double, control http.Handler, closing func() error, err error) {
	if len(urls) == 0 {
		return nil, nil, nil, errors.New("FirstPromoter needs the URL of an API")
	}
	wire, err := openBook(filepath.Join(dir, wireFile))
	if err != nil {
		return nil, nil, nil, err
	}
	send := &sender{urls: urls, book: wire, doubled: map[reward.ID]bool{}, http: &http.Transport{MaxIdleConnsPerHost: 16}}
	s, err := simulator.New(simulator.Config{
		WebhookURL: urls[0] + "/webhooks/firstpromoter/" + webhookSecret, APIKey: apiKey,
		BooksPath: filepath.Join(dir, firstPromoterFile), CheckEvery: checkEvery, RetryEvery: retryEvery,
		HTTP: &http.Client{Transport: send},
	})
	if err != nil {
		return nil, nil, nil, err
	}
	go s.Run(ctx)
	return s, &firstPromoterControl{s: s, send: send, ctx: ctx}, s.Close, nil
}

// firstPromoterControl obeys the nemesis.
type firstPromoterControl struct {
	s    *simulator.Simulator
	send *sender
	ctx  context.Context
}

// ServeHTTP implements http.Handler.
func (c *firstPromoterControl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var cmd command
	if err := json.NewDecoder(r.Body).Decode(&cmd); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id, err := c.obey(cmd)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]reward.ID{"id": id})
}

func (c *firstPromoterControl) obey(cmd command) (reward.ID, error) {
	switch cmd.Do {
	case "create":
		id, err := c.s.CreateReward(c.ctx, simulator.Spec{
			Amount: cmd.Owed.Amount, Unit: cmd.Owed.Unit, Silent: true,
			Promoter: reward.Promoter{ID: cmd.Owed.Promoter, CustID: cmd.Owed.Cust},
		})
		if err == nil && cmd.Owed.Twice {
			c.send.twice(id)
		}
		if err == nil && !cmd.Owed.Late {
			go c.s.Refire(c.ctx, id) //nolint:errcheck // What became of it stands in the books.
		}
		return id, err
	case "refire":
		go c.s.Refire(c.ctx, cmd.ID) //nolint:errcheck // As above.
	case "amend":
		a, ok := c.s.Books().Rewards[cmd.ID]
		if !ok || a.Status != "pending" {
			return cmd.ID, fmt.Errorf("reward %s is not pending", cmd.ID)
		}
		return cmd.ID, c.s.Amend(cmd.ID, simulator.Spec{Amount: cmd.Amount, Unit: a.Unit, Promoter: a.Promoter, Campaign: a.Campaign})
	case "by_hand":
		return cmd.ID, c.s.SetStatus(cmd.ID, "completed")
	case "forge":
		go c.forge(cmd)
	case "notice":
		go c.s.Fire(c.ctx, simulator.Occasion{Type: cmd.Type}) //nolint:errcheck // As above.
	case "fault":
		f := cmd.Fault
		c.s.Fail(simulator.Fault{
			On: simulator.Operation(f.On), Times: f.Times, Delay: f.Delay, AfterEffect: f.AfterEffect,
			Status: f.Status, Reset: f.Reset, Cut: f.Cut,
		})
	default:
		return 0, fmt.Errorf("%q is no command", cmd.Do)
	}
	return cmd.ID, nil
}

// forge sends an event that FirstPromoter never sent: of a reward that does not
// exist, with another amount, or the same as a genuine one.
func (c *firstPromoterControl) forge(cmd command) {
	f := simulator.Forgery{Reward: cmd.ID, Spec: simulator.Spec{Amount: cmd.Amount}}
	if cmd.Which == "same" {
		f.Spec.Amount = 0
	}
	_, _ = c.s.FireForged(c.ctx, f) // What became of it stands in the books.
}

// delivery is a line of the wire's book: one event that reached the network,
// and the answer that came back.
type delivery struct {
	At      time.Time `json:"at"`
	Reward  reward.ID `json:"reward,omitempty"`
	EventID int64     `json:"event_id"`
	Type    string    `json:"type"`
	// Answer is zero where none came.
	Answer int `json:"answer,omitempty"`
	// Copy says that FirstPromoter itself does not know of this one: the
	// network delivered it a second time.
	Copy bool   `json:"copy,omitempty"`
	To   string `json:"to"`
}

// sender sends events to the processes in turn. The next event of a reward that
// was named by twice arrives at two of them at once.
type sender struct {
	urls []string
	http http.RoundTripper
	book *book
	turn atomic.Int64

	mu      sync.Mutex
	doubled map[reward.ID]bool
}

func (s *sender) twice(id reward.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubled[id] = true
}

// RoundTrip implements http.RoundTripper.
func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	var ev struct {
		Event struct {
			ID   int64
			Type string
		}
		Data struct {
			ID reward.ID
		}
	}
	if err := json.Unmarshal(body, &ev); err != nil {
		return nil, err
	}
	d := delivery{EventID: ev.Event.ID, Type: ev.Event.Type}
	if d.Type == "fulfilment_pending" {
		d.Reward = ev.Data.ID
	}
	s.mu.Lock()
	both := s.doubled[d.Reward] && d.Reward != 0
	delete(s.doubled, d.Reward)
	s.mu.Unlock()
	if both {
		again := d
		again.Copy = true
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			if resp, err := s.post(req.Clone(ctx), body, again); err == nil {
				_ = resp.Body.Close()
			}
		}()
	}
	return s.post(req, body, d)
}

func (s *sender) post(req *http.Request, body []byte, d delivery) (*http.Response, error) {
	d.To = s.urls[int(s.turn.Add(1))%len(s.urls)]
	target, err := http.NewRequestWithContext(req.Context(), req.Method, d.To+req.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	target.Header = req.Header.Clone()
	resp, err := s.http.RoundTrip(target)
	if err == nil {
		d.Answer = resp.StatusCode
	}
	d.At = time.Now().UTC()
	if noted := s.book.write(d); noted != nil {
		return nil, errors.Join(noted, err)
	}
	return resp, err
}
