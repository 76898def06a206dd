package nemesis

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// lookedUp judges the provider's requests: after a payout whose outcome its
// sender cannot have known, the same key is not said again before a look-up.
// Where the wire to the provider was bad in between, look-ups may have been lost
// on it, and after three of them the contract allows to send blindly.
func lookedUp(e *evidence) (broken []Broken) {
	last := map[string]request{} // The last payout of each key.
	looked := map[string]bool{}
	for _, r := range e.requests {
		if r.Method == "" {
			continue
		}
		if r.Method == http.MethodGet {
			looked[r.Key] = true
			continue
		}
		before, sent := last[r.Key]
		last[r.Key] = r
		if sent && !looked[r.Key] && e.mayBeDone(before.Number) && !e.wireWasBad(before.At, r.At) {
			broken = append(broken, Broken{
				Reward: rewardOf(r.Key), Why: fmt.Sprintf("the key %s was sent at %s and again at %s, and not looked up in between",
					r.Key, stamp(before.At), stamp(r.At)),
			})
		}
		looked[r.Key] = false
	}
	return broken
}

// mayBeDone reports whether the sender of a payout could not know that nothing
// was done: it was not turned away in so many words.
func (e *evidence) mayBeDone(number int64) bool {
	return !slices.ContainsFunc(e.requests, func(r request) bool {
		return r.Number == number && r.Method == "" && r.Whole &&
			slices.Contains([]int{400, 401, 403, 404, 410, 422, 429}, r.Answer)
	})
}

// wireWasBad reports whether a wire to the provider was bad at some time in
// between.
func (e *evidence) wireWasBad(from, to time.Time) bool {
	return slices.ContainsFunc(e.happened, func(h happening) bool {
		wire, length, ok := h.wire()
		return ok && wire[len(wire)-len(">provider"):] == ">provider" && h.At.Before(to) && h.At.Add(length+2*time.Second).After(from)
	})
}

// wire returns the wire that an act harms, and for how long.
func (h happening) wire() (string, time.Duration, bool) {
	act, ok := h.More["act"].(map[string]any)
	if !ok {
		return "", 0, false
	}
	wire, _ := act["wire"].(string)
	length, _ := act["for"].(float64)
	return wire, time.Duration(length), len(wire) >= len(">provider")
}

// keyOf returns the key of a request by its number.
func (e *evidence) keyOf(number int64) string {
	for _, r := range e.requests {
		if r.Number == number && r.Method != "" {
			return r.Key
		}
	}
	return ""
}

// noIssues judges the records that FirstPromoter gave up.
func noIssues(e *evidence) (broken []Broken) {
	for _, g := range e.givenUp() {
		if e.reached(g.errors) {
			broken = append(broken, Broken{Reward: g.reward, Why: "FirstPromoter gave it up after eight errors, some of which rewardflow answered"})
		}
	}
	return broken
}

// givenUp is a reward that FirstPromoter gave up, with the eight errors in a row
// after which it did.
type givenUp struct {
	reward reward.ID
	errors []fact
}

func (e *evidence) givenUp() (all []givenUp) {
	errorsOf := map[reward.ID][]fact{}
	for _, f := range e.facts {
		if f.Kind != "answered" || f.ID == 0 || e.forged(f.Delivery) {
			continue
		}
		if f.Answer/100 == 2 {
			errorsOf[f.ID] = nil
			continue
		}
		errorsOf[f.ID] = append(errorsOf[f.ID], f)
		if len(errorsOf[f.ID]) == 8 {
			all = append(all, givenUp{f.ID, errorsOf[f.ID]})
		}
	}
	return all
}

// reached reports whether a process answered one of these errors. A 503 while its
// disk was full is not held against it.
func (e *evidence) reached(failed []fact) bool {
	return slices.ContainsFunc(failed, func(f fact) bool { return f.Answer != 0 && !e.diskWasFull(f.At) })
}

func (e *evidence) diskWasFull(at time.Time) bool {
	return slices.ContainsFunc(e.happened, func(h happening) bool {
		act, ok := h.More["act"].(map[string]any)
		if !ok || act["kind"] != string(DiskFull) {
			return false
		}
		length, _ := act["for"].(float64)
		return !at.Before(h.At) && at.Before(h.At.Add(time.Duration(length)+10*time.Second))
	})
}

func stamp(at time.Time) string { return at.UTC().Format("15:04:05.000") }
