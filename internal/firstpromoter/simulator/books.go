package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Completer is what completed a record.
type Completer string

// What can complete a record.
const (
	ByAnswer Completer = "answer" // A 200 to its event.
	ByAPI    Completer = "api"    // PUT payouts/update.
	ByHand   Completer = "hand"   // SetStatus.
)

// Books are what the double knows: the truth that a test compares with.
type Books struct {
	// Deliveries holds every event that was sent, and its answer, oldest first.
	Deliveries []Delivery
	Rewards    map[reward.ID]Account
	// DoubleCompletions counts completions of records that were completed
	// already. It must stay zero.
	DoubleCompletions int
	// UnknownUpdates counts updates of IDs that were never created.
	UnknownUpdates int
	// HasIssues counts the records that gave up trying.
	HasIssues int
	// Answered200 counts the answers 200 to genuine fulfilment_pending events,
	// ForgedAnswered200 those to forged ones: nobody may vouch for a forgery.
	Answered200       int
	ForgedAnswered200 int
	// Lists counts the calls of payouts/list since the start of the process.
	Lists int
}

// Delivery is one event on its way.
type Delivery struct {
	// Number counts deliveries from 1.
	Number  int
	EventID int64
	Type    string
	// Reward is zero for everything but fulfilment_pending.
	Reward reward.ID
	Forged bool
	SentAt time.Time
	// Answer is the status of the answer; zero when there was none, and Problem
	// says why. Both are empty while the event is on the wire, and for ever
	// when the double stopped in between.
	Answer  int
	Problem string
}

// Account is where one reward stands.
type Account struct {
	Status    string
	Amount    int64
	Unit      reward.Unit
	Promoter  reward.Promoter
	Campaign  reward.Campaign
	HasIssues bool
	// Sent counts genuine deliveries of its event.
	Sent int
	// Completions says what completed it, oldest first. A second one without an
	// update to another status in between is a double completion.
	Completions []Completer
	Doubles     int
	// Next is when its event fires again; zero when it does not by itself.
	Next time.Time

	record  *payout
	errors  int   // Errors since the last 2xx.
	eventID int64 // Of the newest genuine event.
	eventAt time.Time
}

// The kinds of entries. They are the format of the file.
const (
	created  = "created"
	amended  = "amended"
	sent     = "sent"
	answered = "answered"
	updated  = "updated"
	strayed  = "strayed" // An update of an unknown ID.
)

// entry is one line of the books: something that has happened. The books are
// the sum of their entries, so that a restart is only an addition.
type entry struct {
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`
	ID       reward.ID `json:"id,omitzero"`
	Record   *payout   `json:"record,omitempty"`
	Delivery int       `json:"delivery,omitzero"`
	EventID  int64     `json:"event_id,omitzero"`
	Type     string    `json:"type,omitzero"`
	Forged   bool      `json:"forged,omitzero"`
	Answer   int       `json:"answer,omitzero"`
	Problem  string    `json:"problem,omitzero"`
	Status   string    `json:"status,omitzero"`
	By       Completer `json:"by,omitzero"`
	// Next is when the reward's event fires next; zero when it does not.
	Next time.Time `json:"next,omitzero"`
}

// The numbers that the series of IDs begin with.
const (
	firstPayout = 2_900_001
	firstEvent  = 13_900_001
)

type book struct {
	Books
	accounts   map[reward.ID]*Account
	nextPayout reward.ID
	nextEvent  int64
}

func newBook() *book {
	return &book{accounts: map[reward.ID]*Account{}, nextPayout: firstPayout, nextEvent: firstEvent}
}

// apply adds one entry. It does not fail and asks no clock.
func (b *book) apply(e entry) {
	a := b.accounts[e.ID]
	switch e.Kind {
	case created:
		a = &Account{Status: statusPending, Next: e.Next}
		a.setRecord(e.Record)
		b.accounts[e.ID] = a
		b.nextPayout = max(b.nextPayout, e.ID+1)
	case amended:
		a.setRecord(e.Record)
	case sent:
		b.applySent(a, e)
	case answered:
		b.applyAnswer(a, e)
	case updated:
		a.Next = e.Next
		if e.Status == statusCompleted {
			b.complete(a, e.By, e.At)
			return
		}
		a.Status, a.record.DatePaid = e.Status, nil
	case strayed:
		b.UnknownUpdates++
	}
}

func (b *book) applySent(a *Account, e entry) {
	b.Deliveries = append(b.Deliveries, Delivery{
		Number: e.Delivery, EventID: e.EventID, Type: e.Type, Reward: e.ID, Forged: e.Forged, SentAt: e.At,
	})
	b.nextEvent = max(b.nextEvent, e.EventID+1)
	if a == nil || e.Forged {
		return
	}
	if a.eventID != e.EventID {
		a.eventID, a.eventAt = e.EventID, e.At
	}
	a.Sent++
	a.Next = e.Next
}

// applyAnswer obeys the answer to an event: 200 completes, any other 2xx
// leaves the record pending, and anything else is an error.
func (b *book) applyAnswer(a *Account, e entry) {
	d := &b.Deliveries[e.Delivery-1]
	d.Answer, d.Problem = e.Answer, e.Problem
	if d.Forged {
		if e.Answer == 200 {
			b.ForgedAnswered200++
		}
		return
	}
	if a == nil {
		return
	}
	if a.Status == statusPending {
		a.Next = e.Next
	}
	switch {
	case e.Answer == 200:
		b.Answered200++
		b.complete(a, ByAnswer, e.At)
	case e.Answer > 200 && e.Answer < 300:
		a.errors = 0
	default:
		if a.errors++; a.errors > maxRetries && !a.HasIssues {
			a.HasIssues, a.record.HasIssues = true, true
			b.HasIssues++
		}
	}
}

// complete moves the record to completed, and counts when it was already.
func (b *book) complete(a *Account, by Completer, at time.Time) {
	if a.Status == statusCompleted {
		a.Doubles++
		b.DoubleCompletions++
	}
	a.Status, a.Next = statusCompleted, time.Time{}
	a.Completions = append(a.Completions, by)
	paid := stamp(at)
	a.record.DatePaid = &paid
}

func (a *Account) setRecord(r *payout) {
	hasIssues, paid := a.HasIssues, (*string)(nil)
	if a.record != nil {
		paid = a.record.DatePaid
		r.CreatedAt = a.record.CreatedAt
	}
	a.record = r
	r.HasIssues, r.DatePaid = hasIssues, paid
	a.Unit, a.Promoter, a.Campaign = r.Unit, r.Promoter.words(), r.Campaign.words()
	if json.Unmarshal(r.Amount, &a.Amount) != nil {
		a.Amount = 0
	}
}

// copy returns what a reader may keep.
func (b *book) copy() Books {
	out := b.Books
	out.Deliveries = slices.Clone(b.Deliveries)
	out.Rewards = make(map[reward.ID]Account, len(b.accounts))
	for id, a := range b.accounts {
		public := *a
		public.record = nil
		public.Completions = slices.Clone(a.Completions)
		out.Rewards[id] = public
	}
	return out
}

// newestFirst returns the IDs of all records.
func (b *book) newestFirst() []reward.ID {
	ids := slices.Sorted(maps.Keys(b.accounts))
	slices.Reverse(ids)
	return ids
}

// booksFile is the append-only file of entries.
type booksFile struct{ *os.File }

// openBooks opens or makes the file and reads its entries. A last line that
// was cut off by a crash never happened: it is removed.
func openBooks(path string) (*booksFile, []entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		whole := bytes.LastIndexByte(data, '\n') + 1
		data = data[:whole]
		err = f.Truncate(int64(whole))
	}
	var entries []entry
	for line := range bytes.Lines(data) {
		if err != nil {
			break
		}
		var e entry
		if err = json.Unmarshal(line, &e); err != nil {
			err = fmt.Errorf("line %d of %s is damaged: %w", len(entries)+1, path, err)
		}
		entries = append(entries, e)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return &booksFile{f}, entries, nil
}

// append writes one entry and waits until the disk has it.
func (f *booksFile) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}
