// Package policy holds the rules that say of a reward: pay, ask people, hold,
// or refuse.
//
// Rules are data. Their conditions are CEL expressions
// (https://cel.dev, docs/decisions/0002-policy-language.md) that are compiled
// and type-checked once, at start. A policy has no clock and no input but the
// facts, so that the same facts always get the same answer. It may import
// reward and fault, and nothing that knows Temporal, HTTP or a database.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// RuleDefault is the name, in Result.Rule, of what happens when no rule
// matches: one person is asked.
const RuleDefault = "default"

// Result is what a policy says of one reward.
type Result struct {
	Verdict Verdict
	// Approvals is how many people must approve, and Role what they must hold;
	// zero and empty for pay and refuse. A hold asks them when it is over.
	Approvals int
	Role      string
	// Not are the names of people who may not approve.
	Not []string
	// Waits say how long people are waited for; zero fields are left to the
	// configuration.
	Waits Waits
	// HoldFor, counted from when the reward came in, and HoldUntil say how long
	// to hold; one of them is set for hold, neither for anything else. The
	// policy has no clock: it says hold after the time, too, and the caller asks
	// then.
	HoldFor   time.Duration
	HoldUntil time.Time
	// Rule names the rule that matched, "rule 2", or is RuleDefault.
	Rule string
	// Reason says all of it in words that may be stored and shown.
	Reason string
}

// action says in words what is to be done.
func (r Result) action() string {
	switch r.Verdict {
	case Ask:
		return "ask " + r.people()
	case Hold:
		if r.HoldUntil.IsZero() {
			return "hold for " + shortDuration(r.HoldFor) + ", then ask " + r.people()
		}
		return "hold until " + r.HoldUntil.UTC().Format(time.RFC3339) + ", then ask " + r.people()
	case Pay, Refuse:
	}
	return string(r.Verdict)
}

func (r Result) people() string {
	text := strconv.Itoa(r.Approvals) + " people"
	if r.Approvals == 1 {
		text = "1 person"
	}
	if r.Role != "" {
		text += " with the role " + r.Role
	}
	if len(r.Not) > 0 {
		text += ", not " + strings.Join(r.Not, " or ")
	}
	return text
}

// shortDuration writes 24h0m0s as 24h.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Policy is a compiled list of rules. It is made by Compile, never changes,
// and is safe for concurrent use.
type Policy struct {
	rules   []compiled
	facts   []Fact
	version string
}

// compiled is one rule, ready to run.
type compiled struct {
	rule Rule
	// name is the rule for people: "rule 2 (line 31)".
	name string
	// matches is nil for a rule that matches every reward.
	matches cel.Program
	result  Result
	// unsure is the result when the expression cannot be evaluated.
	unsure Result
}

// Compile checks and compiles the rules. No rules at all are a policy, too:
// it asks one person about everything.
//
// Every mistake of every rule is reported together; each is a *RuleError in
// the error's tree.
func Compile(rules []Rule) (*Policy, error) {
	env, err := newEnv()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "policy.compile", "the rule language could not be set up", err)
	}
	p := &Policy{facts: FactList(), version: version(rules)}
	var errs []error
	for i, rule := range rules {
		number := i + 1
		program, err := compileExpression(env, rule, number)
		if err := errors.Join(rule.shape(number), err); err != nil {
			errs = append(errs, err)
			continue
		}
		p.rules = append(p.rules, compiled{
			rule: rule, name: ruleName(number, rule.Line), matches: program, result: rule.result(number), unsure: rule.unsure(number),
		})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// unsure is what the rule answers when nobody can tell whether it matches: it
// never pays. A rule that asks still asks as many people, with its role, so
// that a value that breaks the rule does not lower the bar.
func (r Rule) unsure(number int) Result {
	res := Result{Verdict: Ask, Approvals: 1, Rule: "rule " + strconv.Itoa(number)}
	if r.Then == Ask || r.Then == Hold {
		res.Approvals, res.Role, res.Not, res.Waits = max(r.Approvals, 1), r.Role, r.Not, r.waits()
	}
	return res
}

// Decide returns what the first matching rule says, or, when none matches,
// that one person is asked.
//
// A rule that cannot be evaluated (an overflow, a text that is no number, a
// cost beyond the limit) ends the search, never pays, and asks; the reason
// says why. That is a result and not an error: the error, of kind
// fault.Internal, only says that the policy was not made by Compile.
func (p *Policy) Decide(f Facts) (Result, error) {
	if p == nil || p.version == "" {
		return Result{Verdict: Ask, Approvals: 1, Rule: RuleDefault, Reason: "no policy is loaded: ask 1 person"},
			fault.New(fault.Internal, "policy.decide", "the policy was not compiled")
	}
	for i := range p.rules {
		rule := &p.rules[i]
		matched, err := rule.match(activation{&f, p.facts})
		if err != nil {
			res := rule.unsure
			res.Reason = fmt.Sprintf("%s could not be evaluated, %s: %s", rule.name, evaluationWords(err), res.action())
			return res, nil
		}
		if matched {
			return rule.result, nil
		}
	}
	return Result{Verdict: Ask, Approvals: 1, Rule: RuleDefault, Reason: "no rule matches: ask 1 person"}, nil
}

func (c *compiled) match(facts activation) (bool, error) {
	if c.matches == nil {
		return true, nil
	}
	out, _, err := c.matches.Eval(facts)
	if err != nil {
		return false, err
	}
	matched, ok := out.(types.Bool)
	if !ok {
		return false, errors.New("not a truth value")
	}
	return bool(matched), nil
}

// Version names the rules: "p-" and 12 hexadecimal digits. The same rules in
// the same order have the same version in every process; a rule's line in its
// file is no part of it.
func (p *Policy) Version() string {
	if p == nil {
		return ""
	}
	return p.version
}

func version(rules []Rule) string {
	fields := []string{"rewardflow/policy/2", strconv.Itoa(len(rules))}
	for _, r := range rules {
		until := ""
		if !r.Until.IsZero() {
			until = r.Until.UTC().Format(time.RFC3339Nano)
		}
		approvals := r.Approvals
		if r.Then == Ask || r.Then == Hold {
			approvals = max(approvals, 1)
		}
		fields = append(fields, strings.TrimSpace(r.When), string(r.Then), strconv.Itoa(approvals), r.Role,
			strconv.FormatInt(int64(r.For), 10), until, r.Reason, strings.Join(r.Not, ","), fmt.Sprint(r.waits()))
	}
	h := sha256.New()
	for _, f := range fields {
		// The length keeps two neighbouring fields from reading as others.
		fmt.Fprintf(h, "%d:%s", len(f), f)
	}
	return "p-" + hex.EncodeToString(h.Sum(nil))[:12]
}
