package nemesis

import "github.com/rewardflow/rewardflow/internal/reward"

// verdict is what the oracle's own reading of the policy says of a quantity.
type verdict struct {
	pay, refuse bool
	// approvals is how many different people must approve, and role what each
	// of them must be; empty is approver or finance.
	approvals int
	role      string
}

// policyYAML is the policy of every world. ruleFor says the same in Go, so that
// the oracle does not ask the code that it judges.
const policyYAML = `
  - {when: 'unit == "points" && amount > 1000', then: refuse, reason: nobody gets that many points}
  - {when: 'unit == "free_months"', then: pay}
  - {when: 'unit == "credits" && amount >= 500', then: ask}
  - {when: 'unit == "cash"', then: ask, approvals: 2, role: finance}
  - {when: 'unit == "discount_mon"', then: pay}
  - {when: 'unit == "points"', then: pay}
`

func ruleFor(q quantity) verdict {
	switch {
	case q.Unit == reward.Points && q.Amount > 1000:
		return verdict{refuse: true}
	case q.Unit == reward.Credits && q.Amount >= 500:
		return verdict{approvals: 1}
	case q.Unit == reward.Cash:
		return verdict{approvals: 2, role: "finance"}
	case q.Unit == reward.FreeMonths, q.Unit == reward.DiscountMon, q.Unit == reward.Points:
		return verdict{pay: true}
	}
	return verdict{approvals: 1} // What no rule matches is asked about.
}

// caps are what may leave in a day, and capsYAML says it to rewardflow.
func caps() map[reward.Unit]int64 { return map[reward.Unit]int64{reward.DiscountMon: 120} }

const capsYAML = `{max_per_day: {discount_mon: 120}}`

// quantity is an amount of a unit, cash in minor units, as the books have it.
type quantity struct {
	Amount int64       `json:"amount"`
	Unit   reward.Unit `json:"unit"`
}
