package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/policy"
)

// everything is a reward of which everything is known, each value its own.
func everything() policy.Facts {
	return policy.Facts{
		Unit: "cash", Amount: 5, Currency: "USD", CampaignID: 6, PromoterID: 7, CustID: "u1", EmailDomain: "example.com", Provider: "payouts",
		PromoterStatus: "active", PromoterAge: policy.Known(31), Earned: policy.Known(100), Balance: policy.Known(-20), PaidOut: policy.Known(120),
		Payouts: 9, NewDestination: true, PaidToday: 11, PayoutsToday: 2, Paid30Days: 40, Payouts30Days: 3,
	}
}

func TestFactsAboutTheOutside(t *testing.T) {
	t.Parallel()

	for when, matches := range map[string]bool{
		`promoter_status == "active"`: true, `promoter_age == 31`: true, `earned == 100`: true, `balance == -20`: true, `paid_out == 120`: true,
		`payouts == 9`: true, `new_destination`: true, `!new_destination`: false, `paid_today + amount == 16`: true, `payouts_today == 2`: true,
		`paid_30d == 40`: true, `payouts_30d == 3`: true,
	} {
		p := compile(t, policy.Rule{When: when, Then: policy.Pay}, policy.Rule{Then: policy.Refuse})
		require.Equal(t, matches, decide(t, p, everything()).Verdict == policy.Pay, when)
	}
}

// TestUnknownFactAsks: what FirstPromoter does not tell never pays.
func TestUnknownFactAsks(t *testing.T) {
	t.Parallel()

	for _, when := range []string{`promoter_age >= 30`, `promoter_age < 30`, `balance < 1000`, `earned == 0`, `paid_out > 0 && amount == 5`} {
		p := compile(t, policy.Rule{When: when, Then: policy.Pay}, policy.Rule{Then: policy.Pay})
		res := decide(t, p, policy.Facts{Amount: 5})
		require.Equal(t, policy.Ask, res.Verdict, when)
		require.Equal(t, "rule 1 could not be evaluated, FirstPromoter does not tell a fact that it looks at: ask 1 person", res.Reason)
	}
	p := compile(t, policy.Rule{When: `amount <= 5 || promoter_age >= 30`, Then: policy.Pay})
	require.Equal(t, policy.Pay, decide(t, p, policy.Facts{Amount: 5}).Verdict, "it decides without the fact")
}

func TestFactsInJSON(t *testing.T) {
	t.Parallel()

	data, err := json.Marshal(everything())
	require.NoError(t, err)
	require.JSONEq(t, `{"unit":"cash","amount":5,"currency":"USD","campaign":6,"promoter":7,"cust_id":"u1","email_domain":"example.com","provider":"payouts",
		"promoter_status":"active","promoter_age":31,"earned":100,"balance":-20,"paid_out":120,"payouts":9,"new_destination":true,
		"paid_today":11,"payouts_today":2,"paid_30d":40,"payouts_30d":3}`, string(data))
	var back policy.Facts
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, everything(), back)

	data, err = json.Marshal(policy.Facts{Unit: "credits"})
	require.NoError(t, err)
	require.NotContains(t, string(data), "promoter_age", "what is not known is left out")
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, policy.Facts{Unit: "credits"}, back)

	for text, words := range map[string]string{
		`[]`:                      "not a JSON object",
		`{"amount":1.5}`:          "amount is not of type int",
		`{"amount":"5"}`:          "amount is not of type int",
		`{"amount":null}`:         "amount is not of type int",
		`{"promoter_age":null}`:   "promoter_age is not of type int",
		`{"new_destination":"x"}`: "new_destination is not of type bool",
		`{"amuont":5}`:            `"amuont" is no fact, did you mean "amount"?`,
	} {
		err := json.Unmarshal([]byte(text), &back)
		require.ErrorContains(t, err, words, text)
	}
}

func TestWhomARuleAsks(t *testing.T) {
	t.Parallel()

	p := compile(t, policy.Rule{
		Then: policy.Ask, Approvals: 2, Role: "finance", Not: []string{"alice", "bob"},
		RemindAfter: time.Hour, HoldAfter: 48 * time.Hour,
	})
	res := decide(t, p, everything())
	require.Equal(t, []string{"alice", "bob"}, res.Not)
	require.Equal(t, policy.Waits{RemindAfter: time.Hour, HoldAfter: 48 * time.Hour}, res.Waits)
	require.Equal(t, "rule 1: every reward: ask 2 people with the role finance, not alice or bob", res.Reason)

	for name, tc := range map[string]struct {
		rule  policy.Rule
		words string
	}{
		"not without a question":   {policy.Rule{Then: policy.Pay, Not: []string{"alice"}}, `not: "pay" asks nobody`},
		"an empty name":            {policy.Rule{Then: policy.Ask, Not: []string{" "}}, "not: holds an empty name"},
		"a wait without question":  {policy.Rule{Then: policy.Refuse, RemindAfter: time.Hour}, `remind_after: "refuse" waits for nobody`},
		"a wait below zero":        {policy.Rule{Then: policy.Ask, HoldAfter: -time.Hour}, "hold_after: is below zero"},
		"waits in the wrong order": {policy.Rule{Then: policy.Ask, RemindAfter: 2 * time.Hour, HoldAfter: time.Hour}, "hold_after: comes before remind_after"},
	} {
		_, err := policy.Compile([]policy.Rule{tc.rule})
		require.ErrorContains(t, err, tc.words, name)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()

	p := compile(t,
		policy.Rule{When: `unit == "points"`, Then: policy.Pay, Line: 3},
		policy.Rule{When: `amount > 1 && promoter_age >= 30`, Then: policy.Ask, Line: 4},
		policy.Rule{Then: policy.Refuse},
	)
	f := everything()
	result, steps, err := p.Explain(f)
	require.NoError(t, err)
	require.Equal(t, decide(t, p, f), result)
	require.Equal(t, []policy.Step{
		{Rule: "rule 1 (line 3)", When: `unit == "points"`, Then: policy.Pay, Outcome: policy.Differs},
		{Rule: "rule 2 (line 4)", When: `amount > 1 && promoter_age >= 30`, Then: policy.Ask, Outcome: policy.Matches},
		{Rule: "rule 3", Then: policy.Refuse, Outcome: policy.NotReached},
		{Rule: "default", Then: policy.Ask, Outcome: policy.NotReached},
	}, steps)

	f.PromoterAge = policy.Number{}
	_, steps, err = p.Explain(f)
	require.NoError(t, err)
	require.Equal(t, policy.Fails, steps[1].Outcome)
	require.Contains(t, steps[1].Why, "does not tell")
	require.Equal(t, policy.NotReached, steps[2].Outcome)

	_, steps, err = compile(t).Explain(f)
	require.NoError(t, err)
	require.Equal(t, []policy.Step{{Rule: "default", Then: policy.Ask, Outcome: policy.Matches}}, steps)
	_, _, err = (*policy.Policy)(nil).Explain(f)
	require.Error(t, err)
}
