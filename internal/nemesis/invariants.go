package nemesis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Broken is an invariant that did not hold, with the reward that it is about;
// zero where it is about none.
type Broken struct {
	Invariant string    `json:"invariant"`
	Reward    reward.ID `json:"reward,omitempty"`
	Why       string    `json:"why"`
	// History is what happened to the reward, from all books.
	History []line `json:"history,omitempty"`
}

// invariant is one promise, and how the oracle judges it.
type invariant struct {
	name, promise string
	judge         func(e *evidence) []Broken
}

// invariants returns all of them, in the order in which they matter.
func invariants() []invariant {
	return []invariant{
		{"one_effect", "a reward is paid at most once", oneEffect},
		{"approved", "an effect is of what policy or enough people approved: quantity, destination, before it", approvedEffect},
		{"completed_once", "FirstPromoter is told once, after the effect", completedOnce},
		{"no_empty_200", "200 is answered only for what is settled", noEmpty200},
		{"accepted_is_known", "every event that was answered 2xx is known", acceptedIsKnown},
		{"rests", "a minute after the faults a reward has ended, or names who or what it waits for", rests},
		{"moves_on", "nothing that moves by itself stands still", movesOn},
		{"decisions_once", "every decision is in the record once", decisionsOnce},
		{"caps", "no cap is exceeded", capsHold},
		{"no_issues", "FirstPromoter gives up no reward whose inbox could be reached", noIssues},
		{"looked_up", "nothing is sent again before it was looked up", lookedUp},
		{"own_key", "a payout's key is made of its reward and generation", ownKey},
		{"same_bytes", "a key is never said with other bytes, nor without a signature", sameBytes},
		{"turned_away", "what is no event of FirstPromoter is answered with an error", turnedAway},
		{"one_fulfilment", "a fulfilment that completed is not run again", oneFulfilment},
		{"no_secrets", "no secret of an event or of the configuration is kept", noSecrets},
	}
}

// judge holds the evidence against every invariant.
func judge(e *evidence) []Broken {
	var all []Broken
	for _, in := range invariants() {
		for _, b := range in.judge(e) {
			b.Invariant = in.name
			if b.Reward != 0 {
				b.History = e.history(b.Reward)
			}
			all = append(all, b)
		}
	}
	return all
}

func oneEffect(e *evidence) (broken []Broken) {
	seen := map[reward.ID]int{}
	for _, f := range e.effects {
		if f.paid() {
			seen[f.Reward]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			broken = append(broken, Broken{Reward: id, Why: fmt.Sprintf("the provider's books hold %d effects", n)})
		}
	}
	return sorted(broken)
}

func completedOnce(e *evidence) (broken []Broken) {
	type closing struct {
		done   []fact
		byHand bool
		// calls and answers are the two ways to close.
		calls, answers int
	}
	closed := map[reward.ID]*closing{}
	for _, f := range e.facts {
		answered := f.Kind == "answered" && f.Answer == 200 && !f.Forged && f.ID != 0 && !e.forged(f.Delivery)
		called := f.Kind == "updated" && f.Status == "completed"
		if !answered && !called {
			continue
		}
		if closed[f.ID] == nil {
			closed[f.ID] = &closing{}
		}
		c := closed[f.ID]
		c.byHand = c.byHand || f.By == "hand"
		if called {
			c.calls++
		} else {
			c.answers++
		}
		c.done = append(c.done, f)
	}
	for id, c := range closed {
		effects := e.effectsOf(id)
		switch {
		case c.byHand && len(effects) > 0 && effects[0].At.After(c.done[0].At.Add(settlingTime)):
			broken = append(broken, Broken{Reward: id, Why: "it was paid after somebody had completed it by hand"})
		case c.byHand:
		case len(effects) == 0:
			broken = append(broken, Broken{Reward: id, Why: "it was completed and never paid"})
		case c.done[0].At.Before(effects[0].At):
			broken = append(broken, Broken{Reward: id, Why: "it was completed before it was paid"})
		}
		// An answer of 200 may be lost, so it must be the same again when the event
		// comes again: that is one closing. A second call is not, nor are both ways.
		if !c.byHand && (c.calls > 1 || c.calls > 0 && c.answers > 0) {
			broken = append(broken, Broken{Reward: id, Why: fmt.Sprintf("it was completed by %d calls and by %d answers", c.calls, c.answers)})
		}
	}
	return sorted(broken)
}

// settlingTime is how long a payout that was verified just before somebody
// interfered may take to reach the provider: the longest life of an attempt.
const settlingTime = 25 * time.Second

// forged reports whether a delivery was an event that FirstPromoter never sent.
func (e *evidence) forged(number int) bool {
	return number != 0 && slices.ContainsFunc(e.facts, func(f fact) bool {
		return f.Kind == "sent" && f.Delivery == number && f.Forged
	})
}

func noEmpty200(e *evidence) (broken []Broken) {
	for _, d := range e.wire {
		if d.Answer != 200 || d.Reward == 0 {
			continue
		}
		settled := slices.ContainsFunc(e.effects, func(f effect) bool { return f.Reward == d.Reward && f.settledBy(d.At) })
		if !settled {
			broken = append(broken, Broken{Reward: d.Reward, Why: fmt.Sprintf("event %d was answered 200, and nothing was settled", d.EventID)})
		}
	}
	return broken
}

func acceptedIsKnown(e *evidence) (broken []Broken) {
	for _, d := range e.wire {
		if d.Answer/100 != 2 {
			continue
		}
		_, shown := e.shows[d.Reward]
		if shown || e.events[d.Type+" "+strconv.FormatInt(d.EventID, 10)] {
			continue
		}
		broken = append(broken, Broken{Reward: d.Reward, Why: fmt.Sprintf("event %d (%s) was answered %d, and nobody knows it", d.EventID, d.Type, d.Answer)})
	}
	return broken
}

func rests(e *evidence) (broken []Broken) {
	for id, why := range e.late {
		broken = append(broken, Broken{Reward: id, Why: why})
	}
	return sorted(broken)
}

func movesOn(e *evidence) (broken []Broken) {
	for id, why := range e.stuck {
		broken = append(broken, Broken{Reward: id, Why: why})
	}
	return sorted(broken)
}

func capsHold(e *evidence) (broken []Broken) {
	sums := map[reward.Unit]int64{}
	days := map[string]bool{}
	for _, f := range e.effects {
		if f.paid() {
			sums[f.Quantity.Unit] += f.Quantity.Amount
			days[f.At.UTC().Format(time.DateOnly)] = true
		}
	}
	for unit, most := range caps() {
		// A payout counts on the day of its claim, which may be the day before.
		if allowed := most * int64(max(1, len(days))); sums[unit] > allowed {
			broken = append(broken, Broken{Why: fmt.Sprintf("%d %s were paid, and the cap is %d", sums[unit], unit, allowed)})
		}
	}
	return broken
}

func ownKey(e *evidence) (broken []Broken) {
	for _, f := range e.effects {
		rest, ok := strings.CutPrefix(f.Key, "rf_"+f.Reward.String()+"_")
		if n, err := strconv.Atoi(rest); !ok || err != nil || n < 1 {
			broken = append(broken, Broken{Reward: f.Reward, Why: fmt.Sprintf("it was paid under the key %q", f.Key)})
		}
	}
	return broken
}

func sameBytes(e *evidence) (broken []Broken) {
	for _, r := range e.requests {
		switch r.Answer {
		case 400, 401, 409:
			broken = append(broken, Broken{Reward: rewardOf(e.keyOf(r.Number)), Why: fmt.Sprintf("the provider had to answer %d", r.Answer)})
		}
	}
	return broken
}

func turnedAway(e *evidence) (broken []Broken) {
	want := map[string]int{"not_json": 400, "no_type": 400, "no_id": 400, "empty": 400, "huge": 413, "wrong_url": 401}
	for _, p := range e.probes {
		// A process that has more to do than it can, or is going away, may say so.
		if p.Answer != want[p.Which] && p.Answer != 503 {
			broken = append(broken, Broken{Why: fmt.Sprintf("%s was answered %d", p.Which, p.Answer)})
		}
	}
	return broken
}

func oneFulfilment(e *evidence) (broken []Broken) {
	for id, n := range e.completed {
		if n > 1 {
			broken = append(broken, Broken{Reward: id, Why: fmt.Sprintf("its fulfilment ran to its end %d times", n)})
		}
	}
	return sorted(broken)
}

func noSecrets(e *evidence) (broken []Broken) {
	for _, leak := range e.leaks {
		broken = append(broken, Broken{Why: leak})
	}
	return broken
}

// sorted brings what comes from a map into a repeatable order.
func sorted(broken []Broken) []Broken {
	slices.SortStableFunc(broken, func(a, b Broken) int { return int(a.Reward - b.Reward) })
	return broken
}

// rewardOf reads the reward from a key; zero where it names none.
func rewardOf(key string) reward.ID {
	parts := strings.Split(key, "_")
	if len(parts) < 2 {
		return 0
	}
	id, err := reward.ParseID(parts[1])
	if err != nil {
		return 0
	}
	return id
}
