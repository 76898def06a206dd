package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// fulfilmentPending is the one event whose answer matters.
const fulfilmentPending = "fulfilment_pending"

// wires is how many events are on the wire at once.
const wires = 8

// errOnTheWire says that the reward's event is being delivered already.
var errOnTheWire = errors.New("the event of this reward is on the wire")

// outgoing is an event that the books know to have left.
type outgoing struct {
	number int
	reward reward.ID
	forged bool
	url    string
	body   []byte
}

// Run fires what is due until the context ends, and returns when nothing is on
// the wire any more.
func (s *Simulator) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		s.Step(ctx)
		timer.Reset(s.untilNext())
	}
}

// Step fires every event that is due now, each once, and returns how many were
// answered or given up.
func (s *Simulator) Step(ctx context.Context) int {
	s.mu.Lock()
	var due []reward.ID
	if now := s.cfg.Now(); !s.down {
		for id, a := range s.book.accounts {
			if a.due(now) && !s.flying[id] {
				due = append(due, id)
			}
		}
	}
	s.mu.Unlock()
	slices.Sort(due) // Oldest first.

	var wg sync.WaitGroup
	free := make(chan struct{}, wires)
	for _, id := range due {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			s.deliverDue(ctx, id)
		})
	}
	wg.Wait()
	return len(due)
}

// due reports whether the event fires by itself.
func (a *Account) due(now time.Time) bool {
	return a.Status == statusPending && !a.Next.IsZero() && !a.Next.After(now)
}

// untilNext is how long Run may rest. It looks at the clock at least once a
// second, because an injected clock may jump.
func (s *Simulator) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := time.Second
	for _, a := range s.book.accounts {
		if a.Status == statusPending && !a.Next.IsZero() {
			rest = min(rest, a.Next.Sub(s.cfg.Now()))
		}
	}
	return max(rest, 10*time.Millisecond)
}

// deliverDue fires one reward's event if it is still due and not on the wire.
func (s *Simulator) deliverDue(ctx context.Context, id reward.ID) {
	s.mu.Lock()
	a := s.book.accounts[id]
	if s.down || !a.due(s.cfg.Now()) {
		s.mu.Unlock()
		return
	}
	// A retry repeats its event; a new check makes a new one. FirstPromoter
	// does not say which it does, so a consumer must bear both.
	out, err := s.begin(a, a.errors == 0)
	s.mu.Unlock()
	if err == nil {
		_, err = s.finish(ctx, out)
	}
	if err != nil && !errors.Is(err, errOnTheWire) {
		s.cfg.Logger.Error("delivery.failed", "reward", id, "error", err)
	}
}

// begin writes into the books that a reward's event leaves. If no answer ever
// comes, it leaves again after RetryEvery. The caller holds mu.
func (s *Simulator) begin(a *Account, fresh bool) (outgoing, error) {
	id := a.record.ID
	if s.flying[id] {
		return outgoing{}, errOnTheWire
	}
	eventID, at := a.eventID, a.eventAt
	if fresh || eventID == 0 {
		eventID, at = s.book.nextEvent, s.cfg.Now()
	}
	body, err := event(eventID, fulfilmentPending, at, a.record.asEvent(a.Status))
	if err != nil {
		return outgoing{}, err
	}
	e := entry{Kind: sent, ID: id, EventID: eventID, Type: fulfilmentPending, Delivery: len(s.book.Deliveries) + 1}
	if a.Status == statusPending {
		e.Next = s.cfg.Now().UTC().Add(s.cfg.RetryEvery)
	}
	if err := s.record(e); err != nil {
		return outgoing{}, err
	}
	s.flying[id] = true
	return outgoing{e.Delivery, id, false, cmp.Or(s.cfg.FulfilmentURL, s.cfg.WebhookURL), body}, nil
}

// finish sends an event that has begun and obeys the answer. An event whose
// answer the double did not live to see stays without one.
func (s *Simulator) finish(ctx context.Context, out outgoing) (Delivery, error) {
	status, problem := s.post(ctx, out.url, out.body)

	s.mu.Lock()
	defer s.mu.Unlock()
	if out.reward != 0 && !out.forged {
		delete(s.flying, out.reward)
	}
	if status == 0 && ctx.Err() != nil {
		return s.book.Deliveries[out.number-1], fmt.Errorf("delivering the event: %w", ctx.Err())
	}
	e := entry{Kind: answered, ID: out.reward, Delivery: out.number, Answer: status, Problem: problem}
	if a := s.book.accounts[out.reward]; a != nil && !out.forged {
		e.Next = s.nextAfter(a, status)
	}
	if err := s.record(e); err != nil {
		return Delivery{}, err
	}
	s.cfg.Logger.Debug("event.answered", "delivery", out.number, "reward", out.reward, "answer", status, "problem", problem)
	s.nudge()
	return s.book.Deliveries[out.number-1], nil
}

// nextAfter returns when the event fires again after an answer. The caller
// holds mu.
func (s *Simulator) nextAfter(a *Account, status int) time.Time {
	now := s.cfg.Now().UTC()
	switch {
	case status == http.StatusOK:
		return time.Time{}
	case status > 200 && status < 300:
		return now.Add(s.cfg.CheckEvery)
	case a.errors >= maxRetries:
		return time.Time{}
	}
	return now.Add(s.cfg.RetryEvery)
}

// nudge makes Run look at the schedule again.
func (s *Simulator) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Fire sends an event that is not fulfilment_pending, once and never again.
func (s *Simulator) Fire(ctx context.Context, o Occasion) (Delivery, error) {
	if o.Type == fulfilmentPending {
		return Delivery{}, errors.New("fulfilment_pending is fired by CreateReward, Refire and FireForged")
	}
	s.mu.Lock()
	id := cmp.Or(o.EventID, s.book.nextEvent)
	now := s.cfg.Now()
	body, err := event(id, o.Type, now, o.data(id, stamp(now)))
	out := outgoing{number: len(s.book.Deliveries) + 1, url: s.cfg.WebhookURL, body: body}
	if err == nil {
		err = s.record(entry{Kind: sent, EventID: id, Type: o.Type, Delivery: out.number})
	}
	s.mu.Unlock()
	if err != nil {
		return Delivery{}, err
	}
	return s.finish(ctx, out)
}

// Forgery describes a fulfilment_pending event that FirstPromoter never sent.
type Forgery struct {
	// Reward is the ID that is claimed. Of a reward that exists, everything
	// that Spec leaves zero is copied; one that does not exist is invented.
	// Zero claims an ID that does not exist.
	Reward reward.ID
	// EventID is the event's ID; zero means the next one. Naming the ID of a
	// genuine event tries to hide it.
	EventID int64
	Spec    Spec
}

// FireForged sends an event as an attacker would who knows the webhook's URL.
// Its answer changes nothing.
func (s *Simulator) FireForged(ctx context.Context, f Forgery) (Delivery, error) {
	if err := f.Spec.validate(); err != nil {
		return Delivery{}, err
	}
	s.mu.Lock()
	id := f.Reward
	if id == 0 {
		id = s.book.nextPayout + 1_000_000
	}
	spec := f.Spec
	if a := s.book.accounts[id]; a != nil {
		spec = spec.or(a)
	}
	eventID := cmp.Or(f.EventID, s.book.nextEvent)
	body, err := event(eventID, fulfilmentPending, s.cfg.Now(), s.newRecord(id, spec).asEvent(statusPending))
	out := outgoing{len(s.book.Deliveries) + 1, id, true, cmp.Or(s.cfg.FulfilmentURL, s.cfg.WebhookURL), body}
	if err == nil {
		err = s.record(entry{Kind: sent, ID: id, EventID: eventID, Type: fulfilmentPending, Delivery: out.number, Forged: true})
	}
	s.mu.Unlock()
	if err != nil {
		return Delivery{}, err
	}
	return s.finish(ctx, out)
}

// or fills what is zero from a genuine reward.
func (spec Spec) or(a *Account) Spec {
	if spec.Amount == 0 && spec.RawAmount == "" {
		spec.RawAmount = string(a.record.Amount)
	}
	spec.Unit = cmp.Or(spec.Unit, a.Unit)
	spec.Promoter = reward.Promoter{
		ID:     cmp.Or(spec.Promoter.ID, a.Promoter.ID),
		CustID: cmp.Or(spec.Promoter.CustID, a.Promoter.CustID),
		Email:  cmp.Or(spec.Promoter.Email, a.Promoter.Email),
	}
	spec.Campaign = reward.Campaign{
		ID:   cmp.Or(spec.Campaign.ID, a.Campaign.ID),
		Name: cmp.Or(spec.Campaign.Name, a.Campaign.Name),
	}
	return spec
}

func splitBasic(s string) (user, password string, ok bool) { return strings.Cut(s, ":") }
