package app

import (
	"encoding/json"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/policy"
)

// explainer explains the policy to the operator API.
type explainer struct{ policy *policy.Policy }

// Explain implements api.Policy.
func (e explainer) Explain(facts string) (api.Explanation, error) {
	const op = "app.explain"
	var f policy.Facts
	if err := json.Unmarshal([]byte(facts), &f); err != nil {
		// Another version of the program wrote them.
		return api.Explanation{}, fault.Wrap(fault.Conflict, op, "the facts of this reward cannot be read by this version: "+err.Error(), err)
	}
	result, steps, err := e.policy.Explain(f)
	if err != nil {
		return api.Explanation{}, err
	}
	out := api.Explanation{Version: e.policy.Version(), Verdict: string(result.Verdict), Reason: result.Reason}
	for _, s := range steps {
		out.Rules = append(out.Rules, api.ExplainedRule{Rule: s.Rule, When: s.When, Then: string(s.Then), Outcome: string(s.Outcome), Why: s.Why})
	}
	return out, nil
}
