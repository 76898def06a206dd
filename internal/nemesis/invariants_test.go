package nemesis

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// at is a time in the hand-made books.
func at(second float64) time.Time {
	return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
}

// owed is a record of FirstPromoter.
func owed(amount int64, unit reward.Unit) *record {
	r := &record{Amount: amount, Unit: unit}
	r.Promoter.ID, r.Promoter.CustID = 7, "good-1"
	return r
}

// good are books in which everything went as it should: a gift that the policy
// pays, and credits that alice approved.
func good() *evidence {
	e := &evidence{
		facts: []fact{
			{At: at(0), Kind: "created", ID: 1, Record: owed(3, reward.FreeMonths)},
			{At: at(0), Kind: "created", ID: 2, Record: owed(600, reward.Credits)},
			{At: at(1), Kind: "sent", ID: 1, EventID: 11, Type: "fulfilment_pending", Delivery: 1},
			{At: at(1.1), Kind: "answered", ID: 1, Delivery: 1, Answer: 202},
			{At: at(3), Kind: "updated", ID: 1, Status: "completed", By: "api"},
			{At: at(9), Kind: "updated", ID: 2, Status: "completed", By: "api"},
		},
		wire: []delivery{{At: at(1.1), Reward: 1, EventID: 11, Type: "fulfilment_pending", Answer: 202}},
		effects: []effect{
			{At: at(2), Key: "rf_1_1", Reward: 1, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths}, Promoter: 7, Cust: "good-1", Status: "fulfilled"},
			{At: at(8), Key: "rf_2_1", Reward: 2, Quantity: reward.Quantity{Amount: 600, Unit: reward.Credits}, Promoter: 7, Cust: "good-1", Status: "fulfilled"},
		},
		requests: []request{
			{At: at(2), Number: 1, Method: "POST", Key: "rf_1_1"},
			{At: at(2), Number: 1, Answer: 200, Whole: true},
			{At: at(8), Number: 2, Method: "POST", Key: "rf_2_1"},
			{At: at(8), Number: 2, Answer: 200, Whole: true},
		},
		shown: []shown{{At: at(5), Reward: 2, Who: "alice", Digest: "d1", Quantity: quantity{600, reward.Credits}, Promoter: 7, Cust: "good-1"}},
		spoken: []spoken{
			{At: at(6), Key: "k1", Reward: 2, Who: "alice", Verdict: reward.Approve, Digest: "d1", Lane: "api"},
			{At: at(6.1), Key: "k1", Reward: 2, Who: "alice", Verdict: reward.Approve, Digest: "d1", Lane: "api", Answer: 200},
		},
		probes:    []probed{{Which: "not_json", Answer: 400}, {Which: "wrong_url", Answer: 401}, {Which: "huge", Answer: 413}},
		shows:     map[reward.ID]detail{1: {ID: 1, Status: reward.Fulfilled}, 2: {ID: 2, Status: reward.Fulfilled}},
		events:    map[string]bool{"fulfilment_pending 11": true},
		completed: map[reward.ID]int{1: 1, 2: 1},
	}
	e.record(2, "k1", "alice", true)
	return e
}

// record puts a decision into what the API shows.
func (e *evidence) record(id reward.ID, key, by string, verified bool) {
	show := e.shows[id]
	show.Decisions = append(show.Decisions, struct {
		ID       string         `json:"id"`
		Decision reward.Verdict `json:"decision"`
		By       string         `json:"by"`
		Verified bool           `json:"verified"`
		Counted  bool           `json:"counted"`
		Comment  string         `json:"comment"`
	}{Comment: key, By: by, Verified: verified, Counted: true})
	e.shows[id] = show
}

func TestGoodBooksBreakNothing(t *testing.T) {
	t.Parallel()

	require.Empty(t, judge(good()))
}

// TestEachInvariantCanFail spoils the good books in one way after the other,
// and wants exactly the invariant that must see it.
func TestEachInvariantCanFail(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		spoil func(e *evidence)
		want  string
		about reward.ID
	}{
		"paid twice": {func(e *evidence) {
			again := e.effects[0]
			again.At, again.Key = at(4), "rf_1_2"
			e.effects = append(e.effects, again)
		}, "one_effect", 1},
		"another amount": {func(e *evidence) { e.effects[0].Quantity.Amount = 30 }, "approved", 1},
		"another person": {func(e *evidence) { e.effects[0].Promoter = 8 }, "approved", 1},
		"refused by policy": {func(e *evidence) {
			e.facts[0].Record = owed(5000, reward.Points)
			e.effects[0].Quantity = reward.Quantity{Amount: 5000, Unit: reward.Points}
		}, "approved", 1},
		"nobody approved":     {func(e *evidence) { e.spoken = nil; e.shows[2] = detail{} }, "approved", 2},
		"not held to count":   {func(e *evidence) { e.spoken[1].Answer = 409 }, "approved", 2},
		"approved afterwards": {func(e *evidence) { e.spoken[0].At = at(8.5) }, "approved", 2},
		"another digest":      {func(e *evidence) { e.spoken[0].Digest = "d0" }, "approved", 2},
		"digest of less":      {func(e *evidence) { e.shown[0].Quantity.Amount = 60 }, "approved", 2},
		"by a viewer":         {func(e *evidence) { e.spoken[0].Who = "dave" }, "approved", 2},
		"cash by one":         {cashByOne, "approved", 2},
		"after a rejection":   {rejected, "approved", 2},
		"completed unpaid":    {func(e *evidence) { e.effects, e.requests = e.effects[1:], e.requests[2:] }, "completed_once", 1},
		"completed too early": {func(e *evidence) { e.facts[4].At = at(1.5) }, "completed_once", 1},
		"completed twice":     {func(e *evidence) { e.facts = append(e.facts, e.facts[4]) }, "completed_once", 1},
		"completed both ways": {func(e *evidence) {
			e.facts = append(e.facts, fact{At: at(4), Kind: "answered", ID: 1, Delivery: 7, Answer: 200})
		}, "completed_once", 1},
		"paid after by hand": {func(e *evidence) { e.facts[4].By, e.effects[0].At = "hand", at(40) }, "completed_once", 1},
		"200 for nothing":    {func(e *evidence) { e.wire[0].Answer = 200 }, "no_empty_200", 1},
		"200 before settled": {unsettled200, "no_empty_200", 1},
		"accepted and lost":  {func(e *evidence) { delete(e.shows, 1); e.events = nil }, "accepted_is_known", 1},
		"notice lost":        {func(e *evidence) { e.wire = append(e.wire, delivery{EventID: 5, Type: "lead_signup", Answer: 202}) }, "accepted_is_known", 0},
		"names nothing":      {func(e *evidence) { e.late = map[reward.ID]string{1: "it is received"} }, "rests", 1},
		"stands still":       {func(e *evidence) { e.stuck = map[reward.ID]string{1: "it is paying"} }, "moves_on", 1},
		"decision lost":      {func(e *evidence) { e.shows[2] = detail{} }, "decisions_once", 2},
		"refused one lost":   {refusedOneLost, "decisions_once", 2},
		"decision twice":     {func(e *evidence) { e.record(2, "k1", "alice", true) }, "decisions_once", 2},
		"decision of nobody": {func(e *evidence) { e.record(2, "k9", "alice", true) }, "decisions_once", 2},
		"unproven counts":    {unproven, "decisions_once", 2},
		"over the cap":       {overTheCap, "caps", 0},
		"given up":           {func(e *evidence) { e.giveUp(503) }, "no_issues", 1},
		"given up twice": {func(e *evidence) {
			e.giveUp(503)
			e.facts = append(e.facts, fact{At: at(29), Kind: "answered", ID: 1, Delivery: 60, Answer: 202})
			e.giveUp(0)
		}, "no_issues", 1},
		"sent blindly":         {func(e *evidence) { e.send(3, "rf_1_1", at(3)) }, "looked_up", 1},
		"random key":           {func(e *evidence) { e.effects[0].Key = "rf_1_1_773" }, "own_key", 1},
		"key of another":       {func(e *evidence) { e.effects[0].Key = "rf_2_1" }, "own_key", 1},
		"other bytes":          {func(e *evidence) { e.requests[1].Answer = 409 }, "same_bytes", 1},
		"unsigned":             {func(e *evidence) { e.requests[1].Answer = 401 }, "same_bytes", 1},
		"malformed is taken":   {func(e *evidence) { e.probes[0].Answer = 202 }, "turned_away", 0},
		"wrong secret is fine": {func(e *evidence) { e.probes[1].Answer = 202 }, "turned_away", 0},
		"run again":            {func(e *evidence) { e.completed[1] = 2 }, "one_fulfilment", 1},
		"secret is kept":       {func(e *evidence) { e.leaks = []string{"/data/ledger.db holds a value"} }, "no_secrets", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := good()
			c.spoil(e)
			var found []string
			for _, b := range judge(e) {
				found = append(found, b.Invariant)
				if b.Invariant == c.want {
					require.Equal(t, c.about, b.Reward)
					require.NotEmpty(t, b.Why)
					require.Equal(t, b.Reward != 0, len(b.History) > 0, "a reward's history is told")
				}
			}
			require.Contains(t, found, c.want)
		})
	}
}

func cashByOne(e *evidence) {
	e.facts[1].Record = owed(600, reward.Cash)
	e.effects[1].Quantity = reward.Quantity{Amount: 600, Unit: reward.Cash, Currency: "USD"}
	e.shown[0].Quantity.Unit = reward.Cash
}

func rejected(e *evidence) {
	e.spoken = append(e.spoken,
		spoken{At: at(5.5), Key: "k2", Reward: 2, Who: "bob", Verdict: reward.Reject, Digest: "d1", Lane: "api"},
		spoken{At: at(5.6), Key: "k2", Reward: 2, Who: "bob", Verdict: reward.Reject, Digest: "d1", Lane: "api", Answer: 200})
	e.record(2, "k2", "bob", true)
}

func unsettled200(e *evidence) {
	e.wire[0].Answer, e.wire[0].At = 200, at(4)
	e.effects[0].Status, e.effects[0].Final, e.effects[0].FinalAt = "pending", "fulfilled", at(5)
}

func refusedOneLost(e *evidence) {
	e.spoken = append(e.spoken, spoken{At: at(6.2), Key: "k2", Reward: 2, Who: "dave", Verdict: reward.Approve, Lane: "api", Answer: 409})
}

func unproven(e *evidence) {
	e.spoken = append(e.spoken, spoken{At: at(6.2), Key: "s1", Reward: 2, Who: "mallory", Verdict: reward.Approve, Lane: "signal"})
	e.record(2, "s1", "mallory", false)
}

func overTheCap(e *evidence) {
	e.facts[0].Record = owed(121, reward.DiscountMon)
	e.effects[0].Quantity = reward.Quantity{Amount: 121, Unit: reward.DiscountMon}
}

// send adds a payout's request to the provider's book.
func (e *evidence) send(number int64, key string, when time.Time) {
	e.requests = append(e.requests, request{At: when, Number: number, Method: "POST", Key: key},
		request{At: when, Number: number, Answer: 200, Whole: true})
}

// giveUp adds the errors after which FirstPromoter gives a record up.
func (e *evidence) giveUp(answer int) {
	for n := range 8 {
		e.facts = append(e.facts, fact{At: at(20 + float64(n)), Kind: "answered", ID: 1, Delivery: 50 + n, Answer: answer})
	}
}

// TestWhatIsRightIsNotBroken has what looks like a breach and is none.
func TestWhatIsRightIsNotBroken(t *testing.T) {
	t.Parallel()

	for name, allow := range map[string]func(e *evidence){
		"sent again after a look-up": func(e *evidence) {
			e.requests = append(e.requests, request{At: at(2.5), Number: 9, Method: "GET", Key: "rf_1_1"})
			e.send(10, "rf_1_1", at(3))
		},
		"sent again after 429": func(e *evidence) {
			e.requests[1].Answer = 429
			e.send(10, "rf_1_1", at(3))
		},
		"sent blindly over a bad wire": func(e *evidence) {
			e.happened = []happening{{At: at(1), What: "act", More: map[string]any{"act": map[string]any{
				"kind": "cut", "wire": "worker-1>provider", "for": float64(5 * time.Second),
			}}}}
			e.send(10, "rf_1_1", at(3))
		},
		"no answer, and it counted":       func(e *evidence) { e.spoken[1].Answer = -1 },
		"given up, and nothing was there": func(e *evidence) { e.giveUp(0) },
		"refused, and nothing was paid": func(e *evidence) {
			e.effects = append(e.effects, effect{At: at(3), Key: "rf_1_2", Reward: 1, Status: "refused"})
		},
		"answered 200 again and again": func(e *evidence) {
			e.facts[4] = fact{At: at(4), Kind: "answered", ID: 1, Delivery: 7, Answer: 200}
			e.facts = append(e.facts, fact{At: at(5), Kind: "answered", ID: 1, Delivery: 8, Answer: 200})
		},
		"rejected, and then it changed": func(e *evidence) {
			rejected(e)
			e.shown = append(e.shown, shown{At: at(5), Reward: 2, Who: "bob", Digest: "d0", Quantity: quantity{700, reward.Credits}, Promoter: 7, Cust: "good-1"})
			for i := range e.spoken {
				if e.spoken[i].Key == "k2" {
					e.spoken[i].Digest = "d0"
				}
			}
		},
		"200 after it was settled": func(e *evidence) { e.wire[0].Answer, e.wire[0].At = 200, at(2.5) },
		"too busy to say no":       func(e *evidence) { e.probes[0].Answer = 503 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := good()
			allow(e)
			require.Empty(t, judge(e))
		})
	}
}

// TestBooksAreReadToTheirLastWholeLine has a line that was cut off by a crash,
// and one that is damaged.
func TestBooksAreReadToTheirLastWholeLine(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "book.jsonl")
	b, err := openBook(path)
	require.NoError(t, err)
	require.NoError(t, b.write(probed{Which: "one", Answer: 400}))
	require.NoError(t, b.close())
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(`{"which":"tw`)
	require.NoError(t, err)
	lines, err := readLines[probed](path)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.Equal(t, "one", lines[0].Which)
	_, err = file.WriteString("\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = readLines[probed](path)
	require.ErrorContains(t, err, "line 2")
}
