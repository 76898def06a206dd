package policy_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func compile(t *testing.T, rules ...policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(rules)
	require.NoError(t, err)
	return p
}

func decide(t *testing.T, p *policy.Policy, f policy.Facts) policy.Result {
	t.Helper()
	res, err := p.Decide(f)
	require.NoError(t, err)
	return res
}

func TestFirstMatchingRuleDecides(t *testing.T) {
	t.Parallel()

	until := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	p := compile(t,
		policy.Rule{When: `unit == "free_months" && amount <= 3`, Then: policy.Pay, Line: 30},
		policy.Rule{When: `amount > 10000`, Then: policy.Ask, Approvals: 2, Role: "finance", Line: 31},
		policy.Rule{When: `promoter in [7, 8]`, Then: policy.Refuse, Reason: "blocked after fraud", Line: 32},
		policy.Rule{When: `campaign == 17476`, Then: policy.Hold, For: 336 * time.Hour, Line: 33},
		policy.Rule{When: `email_domain.endsWith(".test")`, Then: policy.Hold, Until: until, Approvals: 3},
		policy.Rule{When: "currency == 'USD'\n  && cust_id != ''", Then: policy.Ask},
		policy.Rule{When: `provider == "people"`, Then: policy.Pay},
	)
	for _, tc := range []struct {
		facts policy.Facts
		want  policy.Result
	}{
		{
			policy.Facts{Unit: "free_months", Amount: 3},
			policy.Result{Verdict: policy.Pay, Rule: "rule 1", Reason: `rule 1 (line 30): unit == "free_months" && amount <= 3: pay`},
		},
		{
			policy.Facts{Unit: "free_months", Amount: 10001},
			policy.Result{Verdict: policy.Ask, Approvals: 2, Role: "finance", Rule: "rule 2", Reason: "rule 2 (line 31): amount > 10000: ask 2 people with the role finance"},
		},
		{
			policy.Facts{Unit: "credits", Amount: 1, PromoterID: 8},
			policy.Result{Verdict: policy.Refuse, Rule: "rule 3", Reason: "rule 3 (line 32): blocked after fraud: refuse"},
		},
		{
			policy.Facts{Unit: "credits", Amount: 1, CampaignID: 17476},
			policy.Result{Verdict: policy.Hold, Approvals: 1, HoldFor: 336 * time.Hour, Rule: "rule 4", Reason: "rule 4 (line 33): campaign == 17476: hold for 336h, then ask 1 person"},
		},
		{
			policy.Facts{Unit: "credits", Amount: 1, EmailDomain: "example.test"},
			policy.Result{Verdict: policy.Hold, Approvals: 3, HoldUntil: until, Rule: "rule 5", Reason: `rule 5: email_domain.endsWith(".test"): hold until 2027-01-02T03:04:05Z, then ask 3 people`},
		},
		{
			policy.Facts{Unit: "cash", Amount: 1, Currency: "USD", CustID: "u1"},
			policy.Result{Verdict: policy.Ask, Approvals: 1, Rule: "rule 6", Reason: "rule 6: currency == 'USD' && cust_id != '': ask 1 person"},
		},
		{
			policy.Facts{Unit: "credits", Amount: 10000, Provider: "people"},
			policy.Result{Verdict: policy.Pay, Rule: "rule 7", Reason: `rule 7: provider == "people": pay`},
		},
		{
			policy.Facts{Unit: "credits", Amount: 10000},
			policy.Result{Verdict: policy.Ask, Approvals: 1, Rule: policy.RuleDefault, Reason: "no rule matches: ask 1 person"},
		},
	} {
		require.Equal(t, tc.want, decide(t, p, tc.facts))
	}
}

func TestRuleWithoutWhenMatchesEverything(t *testing.T) {
	t.Parallel()

	p := compile(t, policy.Rule{When: "  ", Then: policy.Pay}, policy.Rule{Then: policy.Refuse})
	require.Equal(t, policy.Result{Verdict: policy.Pay, Rule: "rule 1", Reason: "rule 1: every reward: pay"}, decide(t, p, policy.Facts{}))
}

func TestNoRulesAskOnePerson(t *testing.T) {
	t.Parallel()

	res := decide(t, compile(t), policy.Facts{Unit: "credits", Amount: 1})
	require.Equal(t, policy.Ask, res.Verdict)
	require.Equal(t, 1, res.Approvals)
	require.Equal(t, policy.RuleDefault, res.Rule)
}

func TestPolicyThatWasNotCompiledNeverPays(t *testing.T) {
	t.Parallel()

	for _, p := range []*policy.Policy{nil, {}} {
		res, err := p.Decide(policy.Facts{Unit: "credits", Amount: 1})
		require.Equal(t, fault.Internal, fault.KindOf(err))
		require.Equal(t, policy.Ask, res.Verdict)
		require.Equal(t, 1, res.Approvals)
		require.Empty(t, p.Version())
	}
}

func TestRuleThatCannotBeEvaluatedNeverPays(t *testing.T) {
	t.Parallel()

	const ten = "[1,2,3,4,5,6,7,8,9,10]"
	facts := policy.Facts{Unit: "credits", Amount: math.MaxInt64, CustID: "s3cret-cust"}
	for when, words := range map[string]string{
		"amount + 1 > 0":                    "a number became too large",
		"amount * 2 > 0":                    "a number became too large",
		"-amount - 2 < 0":                   "a number became too large",
		"1 / (amount - amount) == 0":        "it divides by zero",
		"amount % (amount - amount) == 0":   "it divides by zero",
		"int(cust_id) > 0":                  "a text in it is not what it should be converted to",
		`{"a": true}[cust_id]`:              "it has no answer for this reward",
		`timestamp(cust_id) > timestamp(0)`: "a text in it is not what it should be converted to",
		ten + ".all(a, " + ten + ".all(b, " + ten + ".all(c, " + ten + ".all(d, a+b+c+d > 0 || amount == 0))))": "it costs more than a rule may",
	} {
		for _, later := range []policy.Verdict{policy.Pay, policy.Ask} {
			p := compile(t, policy.Rule{When: when, Then: policy.Pay, Line: 9}, policy.Rule{Then: later})
			res := decide(t, p, facts)
			require.Equal(t, policy.Ask, res.Verdict, when)
			require.Equal(t, 1, res.Approvals, when)
			require.Equal(t, "rule 1", res.Rule, when)
			require.Equal(t, "rule 1 (line 9) could not be evaluated, "+words+": ask 1 person", res.Reason, when)
		}
	}
}

func TestBrokenAskKeepsItsBar(t *testing.T) {
	t.Parallel()

	p := compile(t, policy.Rule{When: "amount * 100 > 5000", Then: policy.Ask, Approvals: 2, Role: "finance"})
	res := decide(t, p, policy.Facts{Amount: math.MaxInt64})
	require.Equal(t, policy.Ask, res.Verdict)
	require.Equal(t, 2, res.Approvals)
	require.Equal(t, "finance", res.Role)
	require.Equal(t, "rule 1 could not be evaluated, a number became too large: ask 2 people with the role finance", res.Reason)
}

func TestEveryFactCanBeUsed(t *testing.T) {
	t.Parallel()

	p := compile(t, policy.Rule{
		When: `unit == "cash" && amount == 5 && currency == "USD" && campaign == 6 && promoter == 7 &&
			cust_id == "u1" && email_domain == "example.com" && provider == "payouts"`,
		Then: policy.Pay,
	})
	r := reward.Reward{
		Quantity: reward.Quantity{Amount: 5, Unit: reward.Cash, Currency: "USD"},
		Promoter: reward.Promoter{ID: 7, CustID: "u1", Email: "Jo@strange@Example.COM"},
		Campaign: reward.Campaign{ID: 6},
	}
	require.Equal(t, policy.Pay, decide(t, p, policy.FactsOf(r, "payouts")).Verdict)

	told := []string{
		"promoter_status", "promoter_age", "earned", "balance", "paid_out", "payouts", "new_destination",
		"paid_today", "payouts_today", "paid_30d", "payouts_30d",
	}
	for _, f := range policy.FactList() {
		if slices.Contains(told, f.Name) {
			continue
		}
		zero := map[string]string{"string": `""`, "int": "0", "bool": "false"}[f.Type]
		p := compile(t, policy.Rule{When: f.Name + " == " + zero, Then: policy.Pay})
		require.Equal(t, policy.Pay, decide(t, p, policy.FactsOf(reward.Reward{}, "")).Verdict, f.Name)
		require.NotEqual(t, policy.Pay, decide(t, p, policy.FactsOf(r, "payouts")).Verdict, f.Name)
	}
}

func TestCompileReportsEveryMistake(t *testing.T) {
	t.Parallel()

	_, err := policy.Compile([]policy.Rule{
		{When: "amuont > 1", Then: policy.Pay, Line: 30},
		{When: "amount > 1.5", Then: "payy", Line: 31},
		{Then: policy.Pay},
		{Then: policy.Ask, Approvals: 21, Role: "fnance"},
	})
	require.Error(t, err)
	for _, want := range []string{
		`rule 1 (line 30): when, column 1: "amuont" is not known, did you mean "amount"?; allowed: the facts unit (string), amount (int), `,
		`rule 2 (line 31): when, column 8: > cannot be applied to (int, double); allowed: whole numbers only`,
		`rule 2 (line 31): then: "payy" is not a verdict, did you mean "pay"?; allowed: pay, ask, hold, refuse`,
		`rule 4: approvals: 21 people cannot be asked; allowed: 1 to 20`,
		`rule 4: role: "fnance" is not a role that can approve, did you mean "finance"?; allowed: approver, finance, admin`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "rule 3")
	require.Len(t, strings.Split(err.Error(), "\n"), 5)
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()

	for when, want := range map[string]string{
		"amount == 5.0":              "column 8: == cannot be applied to (int, double)",
		"amount in [1, 2.5]":         "column 15: expected type 'int' but found 'double'",
		"amount in [1.5]":            "cannot be applied to (int, list(double))",
		"unit == 3":                  "column 6: == cannot be applied to (string, int); allowed: both sides of one type",
		"amount":                     "column 1: the expression is of type int; allowed: an expression that is true or false",
		"amount >":                   "column 9: syntax error: mismatched input '<EOF>'; allowed: comparisons",
		"amount = 5":                 "column 8: syntax error",
		`unit == "a" and amount > 3`: "column 13: syntax error",
		`unit.startWith("a")`:        `"startWith" is not known, did you mean "startsWith"?`,
		"amount > 3 &&\n amuont < 3": `column 2: in line 2 of the expression: "amuont" is not known`,
		`cust_id.matches("(")`:       "invalid matches argument",
		`email == "a@example.com"`:   `"email" is not known`,
		`now > timestamp(0)`:         `"now" is not known`,

		strings.Repeat("amount>0||", 500) + "true": "size",
	} {
		_, err := policy.Compile([]policy.Rule{{When: when, Then: policy.Pay}})
		require.ErrorContains(t, err, want, when)
	}
}

func TestCompileChecksTheShapeOfRules(t *testing.T) {
	t.Parallel()

	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		rule policy.Rule
		want string
	}{
		{policy.Rule{}, "rule 1: then: is missing; allowed: pay, ask, hold, refuse"},
		{policy.Rule{Then: policy.Pay, Approvals: 1}, `approvals: "pay" asks nobody; allowed: only with ask and hold`},
		{policy.Rule{Then: policy.Refuse, Role: "finance"}, `role: "refuse" asks nobody`},
		{policy.Rule{Then: policy.Ask, Role: "viewer"}, `role: "viewer" is not a role that can approve`},
		{policy.Rule{Then: policy.Ask, Role: "operator"}, `role: "operator" is not a role that can approve`},
		{policy.Rule{Then: policy.Ask, Approvals: -1}, "approvals: -1 people cannot be asked; allowed: 1 to 20"},
		{policy.Rule{Then: policy.Ask, For: time.Hour}, `for: "ask" does not wait`},
		{policy.Rule{Then: policy.Pay, Until: until}, `for: "pay" does not wait`},
		{policy.Rule{Then: policy.Hold}, "for: the hold does not say how long; allowed: a hold has either for (24h) or until"},
		{policy.Rule{Then: policy.Hold, For: time.Hour, Until: until}, "until: for is given too"},
		{policy.Rule{Then: policy.Hold, For: -time.Hour}, "for: is below zero"},
	} {
		_, err := policy.Compile([]policy.Rule{tc.rule})
		require.ErrorContains(t, err, tc.want)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()

	a := policy.Rule{When: "amount > 1", Then: policy.Ask, Line: 3}
	b := policy.Rule{When: "amount > 2", Then: policy.Pay, Line: 4}
	base := compile(t, a, b).Version()
	// The version is stored with rewards: it may not differ between builds.
	require.Equal(t, "p-6c124e942208", base)
	require.Regexp(t, `^p-[0-9a-f]{12}$`, compile(t).Version())

	same := a
	same.Line, same.Approvals, same.When = 99, 1, " amount > 1 "
	require.Equal(t, base, compile(t, same, b).Version(), "line, spelled-out default and outer space are no part of it")

	require.NotEqual(t, base, compile(t, b, a).Version(), "order")
	require.NotEqual(t, base, compile(t, a).Version(), "fewer rules")
	seen := map[string]bool{base: true}
	for i, change := range []func(r *policy.Rule){
		func(r *policy.Rule) { r.When = "amount > 3" },
		func(r *policy.Rule) { r.Then = policy.Refuse },
		func(r *policy.Rule) { r.Approvals = 2 },
		func(r *policy.Rule) { r.Role = "finance" },
		func(r *policy.Rule) { r.Reason = "large" },
		func(r *policy.Rule) { r.Not = []string{"alice"} },
		func(r *policy.Rule) { r.RemindAfter = time.Hour },
		func(r *policy.Rule) { r.HoldAfter = time.Hour },
		func(r *policy.Rule) { r.Then, r.For = policy.Hold, time.Hour },
		func(r *policy.Rule) { r.Then, r.Until = policy.Hold, time.Unix(1, 0) },
	} {
		changed := a
		change(&changed)
		v := compile(t, changed, b).Version()
		require.False(t, seen[v], "change %d", i)
		seen[v] = true
	}
}

func TestDecideIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	p := compile(t, policy.Rule{When: "amount % 2 == 0", Then: policy.Pay}, policy.Rule{Then: policy.Refuse})
	verdicts := make([]policy.Verdict, 64)
	var wg sync.WaitGroup
	for i := range verdicts {
		wg.Go(func() {
			res, _ := p.Decide(policy.Facts{Amount: int64(i)})
			verdicts[i] = res.Verdict
		})
	}
	wg.Wait()
	for i, v := range verdicts {
		want := policy.Refuse
		if i%2 == 0 {
			want = policy.Pay
		}
		require.Equal(t, want, v, i)
	}
}

// BenchmarkDecide asks ten rules of which the last one matches.
func BenchmarkDecide(b *testing.B) {
	var rules []policy.Rule
	for i := range 9 {
		rules = append(rules, policy.Rule{When: `unit == "points" && amount > ` + strconv.Itoa(i), Then: policy.Refuse})
	}
	rules = append(rules, policy.Rule{When: `unit == "credits" && amount <= 500 && campaign in [17476, 17477]`, Then: policy.Pay})
	p, err := policy.Compile(rules)
	require.NoError(b, err)
	facts := policy.Facts{Unit: "credits", Amount: 300, CampaignID: 17477}

	b.ReportAllocs()
	for b.Loop() {
		if res, _ := p.Decide(facts); res.Verdict != policy.Pay {
			b.Fatal(res.Reason)
		}
	}
}
