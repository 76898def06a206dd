package nemesis

import (
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// traffic draws what FirstPromoter owes, and the events about it.
func (d *drawing) traffic(rewards int) {
	for n := range rewards {
		d.s.Rewards = append(d.s.Rewards, d.owed(n+1))
	}
	for n := range d.s.Rewards {
		d.events(n+1, d.s.Rewards[n])
	}
	for range 3 + rewards/10 {
		d.add(Act{At: d.part(0, 0.95), Kind: Notice, Which: pick(d, "lead_signup", "promoter_accepted", "reward_created", "lead_cancelled", "something_new")})
	}
	for range 4 {
		d.add(Act{At: d.part(0, 0.95), Kind: Malformed, Which: pick(d, "not_json", "no_type", "no_id", "empty", "huge")})
		d.add(Act{At: d.part(0, 0.95), Kind: WrongURL})
	}
	d.add(Act{At: d.part(0.2, 0.9), Kind: Forge, Which: "unknown", Amount: 900})
}

// owed draws one reward. Most are paid at once, by a provider in a good mood.
func (d *drawing) owed(n int) Owed {
	o := Owed{At: d.part(0, 0.85), Promoter: int64(5_900_000 + 1 + d.IntN(7)), Unit: reward.FreeMonths, Amount: 1 + d.Int64N(3)}
	switch d.IntN(12) {
	case 0, 1, 2:
		o.Unit, o.Amount = reward.Credits, 500+d.Int64N(400)
	case 3, 4:
		o.Unit, o.Amount = reward.Cash, 1000+d.Int64N(90_000)
	case 5:
		o.Unit, o.Amount = reward.DiscountMon, 5+d.Int64N(25)
	case 6:
		o.Unit, o.Amount = reward.Points, pick(d, int64(40), 400, 5000)
	}
	mood := "good"
	if d.one(2) {
		mood = pick(d, moods()...)
	}
	o.Cust = fmt.Sprintf("%s-%d", mood, n)
	o.Late, o.Twice = d.one(12), d.one(4)
	if needs := ruleFor(quantity{o.Amount, o.Unit}).approvals; needs > 0 {
		o.Final = pick(d, reward.Approve, reward.Approve, reward.Approve, reward.Reject, "")
	}
	return o
}

// events draws what else is sent about one reward.
func (d *drawing) events(n int, o Owed) {
	rest := float64(o.At) / float64(d.s.For)
	if o.Late {
		if d.one(3) {
			d.add(Act{At: d.between(o.At, o.At+time.Second), Kind: ByHand, Reward: n})
		}
		d.add(Act{At: d.part(rest+0.05, 0.95), Kind: Refire, Reward: n})
	}
	for range d.IntN(3) {
		d.add(Act{At: d.part(rest, 0.98), Kind: Refire, Reward: n})
	}
	if d.one(10) {
		d.add(Act{At: d.part(rest, 0.95), Kind: Forge, Reward: n, Amount: o.Amount*10 + 1, Which: pick(d, "amount", "same")})
	}
	if d.one(12) {
		at := d.part(rest, 0.9)
		d.add(Act{At: at, Kind: Amend, Reward: n, Amount: max(1, o.Amount/2)})
		d.add(Act{At: at + d.between(0, 2*time.Second), Kind: Refire, Reward: n})
	}
}

// moods are how the provider may treat a payout, by the first word of the
// customer's ID. double_provider.go says what they do.
func moods() []string {
	return []string{"lost", "before", "after", "later", "throttled", "slow", "sloweffect", "cut", "refuse", "reset"}
}

// people draws who decides what. A decision about a reward that does not wait
// yet is tried again later.
func (d *drawing) people() {
	voters := []string{"alice", "bob", "carol", "erin", "dave", "mallory"}
	for n, o := range d.s.Rewards {
		needs := ruleFor(quantity{o.Amount, o.Unit}).approvals
		if needs == 0 {
			continue
		}
		for range d.IntN(4) {
			at := d.between(o.At+2*time.Second, o.At+d.s.For/3)
			v := Act{At: at, Kind: Decide, Reward: n + 1, Who: pick(d, voters...), Verdict: reward.Approve, Again: d.one(4)}
			if d.one(6) {
				v.Verdict = reward.Reject
			}
			if d.one(5) {
				v.Kind, v.Who = Signal, pick(d, "alice", "mallory", "bob")
			}
			if d.one(6) {
				d.add(Act{At: max(o.At+600*time.Millisecond, at-2*time.Second), Kind: Look, Reward: n + 1, Who: v.Who})
				d.add(Act{At: at - 500*time.Millisecond, Kind: Amend, Reward: n + 1, Amount: o.Amount + 1})
				d.add(Act{At: at - 400*time.Millisecond, Kind: Refire, Reward: n + 1})
				v.Stale, v.Kind = true, Decide
			}
			d.add(v)
		}
	}
	if d.one(3) {
		d.add(Act{At: d.part(0.2, 0.7), Kind: PullBrake, For: d.between(2*time.Second, 8*time.Second)})
	}
}
