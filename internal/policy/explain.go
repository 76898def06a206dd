package policy

// Outcome is what became of one rule for one reward.
type Outcome string

// The outcomes.
const (
	// Matches: the rule decides.
	Matches Outcome = "matches"
	// Differs: the rule is about other rewards.
	Differs Outcome = "differs"
	// Fails: the rule could not be evaluated, which ends the search and asks.
	Fails Outcome = "fails"
	// NotReached: an earlier rule decides.
	NotReached Outcome = "not_reached"
)

// Step is one rule on the way to a result.
type Step struct {
	// Rule names the rule for people, "rule 2 (line 31)"; it is RuleDefault for
	// what happens when no rule matches.
	Rule string
	// When and Then are the rule as its author wrote it.
	When string
	Then Verdict
	// Outcome says what became of it, and Why adds the words of a failure.
	Outcome Outcome
	Why     string
}

// Explain returns what Decide says of the facts, and every rule on the way
// there, in the order of the rules.
func (p *Policy) Explain(f Facts) (Result, []Step, error) {
	result, err := p.Decide(f)
	if err != nil {
		return result, nil, err
	}
	steps := make([]Step, 0, len(p.rules)+1)
	decided := false
	for i := range p.rules {
		rule := &p.rules[i]
		step := Step{Rule: rule.name, When: rule.rule.When, Then: rule.rule.Then, Outcome: NotReached}
		if !decided {
			step.Outcome, step.Why = rule.outcome(activation{&f, p.facts})
			decided = step.Outcome != Differs
		}
		steps = append(steps, step)
	}
	last := Step{Rule: RuleDefault, Then: Ask, Outcome: Matches}
	if decided {
		last.Outcome = NotReached
	}
	return result, append(steps, last), nil
}

func (c *compiled) outcome(facts activation) (Outcome, string) {
	matched, err := c.match(facts)
	switch {
	case err != nil:
		return Fails, evaluationWords(err)
	case matched:
		return Matches, ""
	}
	return Differs, ""
}
