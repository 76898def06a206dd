package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/suggest"
)

// Verdict is what a rule does with the rewards that it matches.
type Verdict string

// The four verdicts.
const (
	// Pay pays without asking anyone.
	Pay Verdict = "pay"
	// Ask pays after people have approved.
	Ask Verdict = "ask"
	// Hold waits for a time, and asks afterwards.
	Hold Verdict = "hold"
	// Refuse never pays.
	Refuse Verdict = "refuse"
)

// MaxApprovals is the largest number of people that a rule may ask.
const MaxApprovals = 20

// Rule is one line of a policy, as its author wrote it.
type Rule struct {
	// When is a CEL expression over the facts. Empty matches every reward.
	When string `yaml:"when"`
	// Then is the verdict; required.
	Then Verdict `yaml:"then"`
	// Approvals is how many people must approve: 1 to MaxApprovals, zero for
	// one. Only for ask, and for hold, which asks when its time is over.
	Approvals int `yaml:"approvals"`
	// Role is what the approving people must hold: approver, finance, operator
	// or admin. Empty leaves it to the ledger's rule for approvals.
	Role string `yaml:"role"`
	// Not are the names of people who may not approve, whatever they hold. Only
	// for ask and hold.
	Not []string `yaml:"not"`
	// RemindAfter, EscalateAfter and HoldAfter are this rule's own times in the
	// place of those of the configuration's approvals. Zero leaves it to them.
	RemindAfter   time.Duration `yaml:"remind_after"`
	EscalateAfter time.Duration `yaml:"escalate_after"`
	HoldAfter     time.Duration `yaml:"hold_after"`
	// For is how long hold holds, counted from when the reward came in. Hold
	// has either For or Until.
	For time.Duration `yaml:"for"`
	// Until is when hold ends.
	Until time.Time `yaml:"until"`
	// Reason says why, in the author's words. It stands in the result instead
	// of the expression; may be empty.
	Reason string `yaml:"reason"`
	// Line is where the rule stands in its file; zero when it has none.
	Line int `yaml:"-"`
}

// Waits say how long people are waited for.
type Waits struct{ RemindAfter, EscalateAfter, HoldAfter time.Duration }

func (r Rule) waits() Waits { return Waits{r.RemindAfter, r.EscalateAfter, r.HoldAfter} }

// RuleError is one mistake in one rule.
type RuleError struct {
	// Rule is the rule's number, counted from 1.
	Rule int
	// Line is the rule's line in its file; zero when it has none.
	Line int
	// Field is the key that is wrong, "when" for one.
	Field string
	// Column is the place in the expression, counted from 1; zero outside of
	// expressions.
	Column int
	// Message says what is wrong, and Allowed what would be right.
	Message string
	Allowed string
}

// Error returns the whole mistake in one line.
func (e *RuleError) Error() string {
	var b strings.Builder
	b.WriteString(ruleName(e.Rule, e.Line) + ": " + e.Text())
	if e.Allowed != "" {
		b.WriteString("; allowed: " + e.Allowed)
	}
	return b.String()
}

// Text returns what is wrong and in which column, without the rule's number
// and line and without what is allowed.
func (e *RuleError) Text() string {
	if e.Column > 0 {
		return fmt.Sprintf("%s, column %d: %s", e.Field, e.Column, e.Message)
	}
	return e.Field + ": " + e.Message
}

// ruleName names a rule for people: "rule 2 (line 31)".
func ruleName(number, line int) string {
	if line == 0 {
		return "rule " + strconv.Itoa(number)
	}
	return fmt.Sprintf("rule %d (line %d)", number, line)
}

// shape checks everything of a rule but its expression.
func (r Rule) shape(number int) error {
	var errs []error
	wrong := func(field, message, allowed string) {
		errs = append(errs, &RuleError{Rule: number, Line: r.Line, Field: field, Message: message, Allowed: allowed})
	}
	verdicts := []string{string(Pay), string(Ask), string(Hold), string(Refuse)}
	switch {
	case r.Then == "":
		wrong("then", "is missing", strings.Join(verdicts, ", "))
	case !slices.Contains(verdicts, string(r.Then)):
		wrong("then", fmt.Sprintf("%q is not a verdict", r.Then)+didYouMean(string(r.Then), verdicts), strings.Join(verdicts, ", "))
	}
	r.checkAsking(wrong)
	r.checkHolding(wrong)
	return errors.Join(errs...)
}

func (r Rule) checkAsking(wrong func(field, message, allowed string)) {
	asks := r.Then == Ask || r.Then == Hold
	known := []string{"approver", "finance", "admin"} // Those that may use the routes that decide.
	switch {
	case r.Approvals != 0 && !asks:
		wrong("approvals", fmt.Sprintf("%q asks nobody", r.Then), "only with ask and hold")
	case r.Approvals < 0 || r.Approvals > MaxApprovals:
		wrong("approvals", fmt.Sprintf("%d people cannot be asked", r.Approvals), fmt.Sprintf("1 to %d", MaxApprovals))
	}
	switch {
	case len(r.Not) > 0 && !asks:
		wrong("not", fmt.Sprintf("%q asks nobody", r.Then), "only with ask and hold")
	case slices.ContainsFunc(r.Not, func(name string) bool { return strings.TrimSpace(name) == "" }):
		wrong("not", "holds an empty name", "names of operators")
	}
	r.checkWaits(asks, wrong)
	switch {
	case r.Role != "" && !asks:
		wrong("role", fmt.Sprintf("%q asks nobody", r.Then), "only with ask and hold")
	case r.Role != "" && !slices.Contains(known, r.Role):
		wrong("role", fmt.Sprintf("%q is not a role that can approve", r.Role)+didYouMean(r.Role, known), strings.Join(known, ", "))
	}
}

func (r Rule) checkWaits(asks bool, wrong func(field, message, allowed string)) {
	times := []struct {
		field string
		after time.Duration
	}{{"remind_after", r.RemindAfter}, {"escalate_after", r.EscalateAfter}, {"hold_after", r.HoldAfter}}
	before := times[0]
	for _, t := range times {
		switch {
		case t.after != 0 && !asks:
			wrong(t.field, fmt.Sprintf("%q waits for nobody", r.Then), "only with ask and hold")
		case t.after < 0:
			wrong(t.field, "is below zero", "a duration above zero, such as 24h")
		case t.after != 0 && t.after < before.after:
			wrong(t.field, "comes before "+before.field, "remind_after, escalate_after and hold_after in this order")
		}
		if t.after != 0 {
			before = t
		}
	}
}

func (r Rule) checkHolding(wrong func(field, message, allowed string)) {
	const one = "a hold has either for (24h) or until (2026-12-31T00:00:00Z)"
	if r.For < 0 {
		wrong("for", "is below zero", "a duration above zero, such as 24h")
	}
	switch {
	case r.Then != Hold && (r.For != 0 || !r.Until.IsZero()):
		wrong("for", fmt.Sprintf("%q does not wait", r.Then), "for and until stand only with hold")
	case r.Then == Hold && r.For != 0 && !r.Until.IsZero():
		wrong("until", "for is given too", one)
	case r.Then == Hold && r.For == 0 && r.Until.IsZero():
		wrong("for", "the hold does not say how long", one)
	}
}

// result is what the rule answers when it matches.
func (r Rule) result(number int) Result {
	res := Result{Verdict: r.Then, Role: r.Role, HoldFor: r.For, HoldUntil: r.Until, Rule: "rule " + strconv.Itoa(number)}
	if r.Then == Ask || r.Then == Hold {
		res.Approvals, res.Not, res.Waits = max(r.Approvals, 1), r.Not, r.waits()
	}
	res.Reason = ruleName(number, r.Line) + ": " + r.why() + ": " + res.action()
	return res
}

// why says in a few words what the rule matches.
func (r Rule) why() string {
	if r.Reason != "" {
		return r.Reason
	}
	// An expression may be folded over several lines.
	when := strings.Join(strings.Fields(r.When), " ")
	if when == "" {
		return "every reward"
	}
	const enough = 160
	if letters := []rune(when); len(letters) > enough {
		return string(letters[:enough]) + "..."
	}
	return when
}

func didYouMean(name string, known []string) string {
	if near := suggest.Nearest(name, known); near != "" && near != name {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ""
}
