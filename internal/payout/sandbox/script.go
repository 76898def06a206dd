package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Payout is what one POST asks for.
type Payout struct {
	Key    string
	Reward reward.Reward
}

// decode reads the body of a POST.
func decode(body []byte) (Payout, error) {
	var m struct {
		Type string `json:"type"`
		Data struct {
			Key    string `json:"key"`
			Reward struct {
				ID reward.ID `json:"id"`
			} `json:"reward"`
			Quantity reward.Quantity `json:"quantity"`
			Promoter reward.Promoter `json:"promoter"`
			Campaign reward.Campaign `json:"campaign"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Payout{}, fmt.Errorf("reading a payout: %w", err)
	}
	if m.Type != "reward.payout" || m.Data.Key == "" || m.Data.Reward.ID <= 0 {
		return Payout{}, errors.New("reading a payout: type, key or reward ID is missing")
	}
	return Payout{
		Key: m.Data.Key,
		Reward: reward.Reward{
			ID: m.Data.Reward.ID, Quantity: m.Data.Quantity, Promoter: m.Data.Promoter, Campaign: m.Data.Campaign,
		},
	}, nil
}

// Match picks the payouts that a script is about.
type Match func(Payout) bool

// Everything matches every payout.
func Everything() Match { return func(Payout) bool { return true } }

// CustID matches payouts to the promoter with this ID in the team's system.
func CustID(id string) Match {
	return func(p Payout) bool { return p.Reward.Promoter.CustID == id }
}

// RewardID matches the payouts of one reward.
func RewardID(id reward.ID) Match {
	return func(p Payout) bool { return p.Reward.ID == id }
}

// Behaviour is how the sandbox treats one POST. The zero value is a good day.
type Behaviour struct {
	// times is how many POSTs of a key it treats; zero means one.
	times         int
	before, after time.Duration
	// instead is a status that is answered without an effect.
	instead    int
	retryAfter time.Duration
	// afterwards is a status that is answered after the effect.
	afterwards int
	lose       bool
	plan       plan
}

// Times returns the behaviour for the next n POSTs of a key instead of one.
func (b Behaviour) Times(n int) Behaviour {
	b.times = n
	return b
}

// Always returns the behaviour for every POST of a key.
func (b Behaviour) Always() Behaviour { return b.Times(math.MaxInt) }

// Refuse refuses the payout for ever: 422 with the message.
func Refuse(message string) Behaviour {
	return Behaviour{plan: plan{status: statusRefused, message: message}}
}

// SettleLater accepts the payout (202) and fulfils it after d.
func SettleLater(d time.Duration) Behaviour {
	return Behaviour{plan: plan{status: statusPending, after: d, final: statusFulfilled}}
}

// FailLater accepts the payout (202) and fails it after d.
func FailLater(d time.Duration) Behaviour {
	return Behaviour{plan: plan{status: statusPending, after: d, final: statusFailed}}
}

// ReturnLater fulfils the payout, which comes back after d.
func ReturnLater(d time.Duration) Behaviour {
	return Behaviour{plan: plan{status: statusFulfilled, after: d, final: statusReturned}}
}

// LoseAnswer makes the effect and breaks the connection.
func LoseAnswer() Behaviour { return Behaviour{lose: true} }

// FailBefore answers 500 and has made no effect.
func FailBefore() Behaviour { return Behaviour{instead: http.StatusInternalServerError} }

// FailAfter makes the effect and answers 500.
func FailAfter() Behaviour { return Behaviour{afterwards: http.StatusInternalServerError} }

// SlowEffect waits for d, and then makes the effect and answers.
func SlowEffect(d time.Duration) Behaviour { return Behaviour{before: d} }

// SlowAnswer makes the effect at once and answers after d.
func SlowAnswer(d time.Duration) Behaviour { return Behaviour{after: d} }

// Throttle answers 429 with a Retry-After of d in whole seconds. It makes no effect.
func Throttle(d time.Duration) Behaviour {
	return Behaviour{instead: http.StatusTooManyRequests, retryAfter: d}
}

// Deny answers 401. It makes no effect.
func Deny() Behaviour { return Behaviour{instead: http.StatusUnauthorized} }

// rule is one script. Every key goes through it from its start.
type rule struct {
	match      Match
	behaviours []Behaviour
	used       map[string]int
}

// Script treats the payouts that match by the behaviours, one after the other
// for each key, and well when they are used up. Scripts are asked in the order
// in which they were set; the first that matches and is not used up decides.
// They are not kept in the books: after a restart they start anew.
func (s *Sandbox) Script(match Match, behaviours ...Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &rule{match: match, behaviours: behaviours, used: map[string]int{}})
}

func (s *Sandbox) behaviourFor(p Payout) Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if !r.match(p) {
			continue
		}
		if b, ok := r.take(p.Key); ok {
			return b
		}
	}
	return Behaviour{}
}

// take returns the behaviour for the next POST of a key, or false when the
// rule is used up.
func (r *rule) take(key string) (Behaviour, bool) {
	n := r.used[key]
	for _, b := range r.behaviours {
		if n < max(b.times, 1) {
			r.used[key]++
			return b, true
		}
		n -= max(b.times, 1)
	}
	return Behaviour{}, false
}
