package nemesis

import (
	"cmp"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// fact is a line of the books of FirstPromoter's double.
type fact struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	ID       reward.ID `json:"id"`
	Record   *record   `json:"record"`
	Delivery int       `json:"delivery"`
	EventID  int64     `json:"event_id"`
	Type     string    `json:"type"`
	Forged   bool      `json:"forged"`
	Answer   int       `json:"answer"`
	Problem  string    `json:"problem"`
	Status   string    `json:"status"`
	By       string    `json:"by"`
}

// record is what FirstPromoter holds of a reward.
type record struct {
	Amount   int64       `json:"amount"`
	Unit     reward.Unit `json:"unit"`
	Promoter struct {
		ID     int64  `json:"id"`
		CustID string `json:"cust_id"`
	} `json:"promoter"`
}

func (r record) quantity() quantity { return quantity{r.Amount, r.Unit} }

// effect is a line of the books of the provider's double.
type effect struct {
	At       time.Time       `json:"at"`
	Key      string          `json:"key"`
	Reward   reward.ID       `json:"reward_id"`
	Quantity reward.Quantity `json:"quantity"`
	Promoter int64           `json:"promoter_id"`
	Cust     string          `json:"cust_id"`
	Status   string          `json:"status"`
	Final    string          `json:"final"`
	FinalAt  time.Time       `json:"final_at"`
}

// paid reports whether somebody got something: a payout that was refused, that
// conflicted, or that failed later, gave nobody anything.
func (e effect) paid() bool {
	return e.Status != "refused" && e.Status != "conflict" && e.Final != "failed"
}

// settledBy reports whether the payout was delivered at a time.
func (e effect) settledBy(at time.Time) bool {
	if !e.paid() || e.At.After(at) {
		return false
	}
	return e.Final != "fulfilled" || !e.FinalAt.After(at)
}

// evidence is all that the oracle knows. Of rewardflow it holds only what the
// invariants allow to ask: what a reward waits for, which decisions are in its
// record, which events are known.
type evidence struct {
	facts    []fact
	wire     []delivery
	effects  []effect
	requests []request
	shown    []shown
	spoken   []spoken
	probes   []probed
	happened []happening

	// shows is what the API said of each reward after the faults; what it does not
	// know is missing.
	shows map[reward.ID]detail
	// stuck are rewards that still moved by themselves when the patience for that
	// was over, and late those that named nothing a minute after the faults.
	stuck, late map[reward.ID]string
	// events are the events that the API knows, as "type id".
	events map[string]bool
	// completed counts the fulfilments in Temporal that ran to their end.
	completed map[reward.ID]int
	// leaks are files that hold what must not be kept.
	leaks []string
}

// readBooks reads what is on the disk.
func (w *world) readBooks() (e evidence, err error) {
	if e.facts, err = readLines[fact](w.books(firstPromoterFile)); err != nil {
		return e, err
	}
	if e.wire, err = readLines[delivery](w.books(wireFile)); err != nil {
		return e, err
	}
	if e.effects, err = readLines[effect](w.books(effectsFile)); err != nil {
		return e, err
	}
	if e.requests, err = readLines[request](w.books(requestsFile)); err != nil {
		return e, err
	}
	if e.shown, err = readLines[shown](w.books(shownFile)); err != nil {
		return e, err
	}
	if e.spoken, err = readLines[spoken](w.books(spokenFile)); err != nil {
		return e, err
	}
	if e.probes, err = readLines[probed](w.books(probesFile)); err != nil {
		return e, err
	}
	e.happened, err = readLines[happening](w.books(happenedFile))
	return e, err
}

// rewards returns what FirstPromoter owes, in the order of their IDs.
func (e *evidence) rewards() []reward.ID {
	var ids []reward.ID
	for _, f := range e.facts {
		if f.Kind == "created" {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// effectsOf returns what a reward brought, in the order of time.
func (e *evidence) effectsOf(id reward.ID) []effect {
	var of []effect
	for _, f := range e.effects {
		if f.Reward == id && f.paid() {
			of = append(of, f)
		}
	}
	slices.SortFunc(of, func(a, b effect) int { return a.At.Compare(b.At) })
	return of
}

// records returns what FirstPromoter held of a reward up to a time.
func (e *evidence) records(id reward.ID, until time.Time) []record {
	var held []record
	for _, f := range e.facts {
		if f.ID == id && f.Record != nil && !f.At.After(until) {
			held = append(held, *f.Record)
		}
	}
	return held
}

// line is one thing that happened to a reward.
type line struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	What string    `json:"what"`
}

func sortLines(lines []line) {
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
}
