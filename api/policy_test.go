package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestPolicyIsExplained(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	a.ledger.reward = func(id reward.ID) (ledger.Record, error) {
		rec := record(id, reward.AwaitingApproval)
		rec.Rule, rec.PolicyVersion, rec.Facts = "rule 2", "p-1", `{"unit":"credits","amount":800}`
		return rec, nil
	}
	a.policy.explain = func(facts string) (api.Explanation, error) {
		require.JSONEq(t, `{"unit":"credits","amount":800}`, facts)
		return api.Explanation{Version: "p-2", Verdict: "pay", Reason: "rule 1: pay", Rules: []api.ExplainedRule{
			{Rule: "rule 1", When: "amount < 900", Then: "pay", Outcome: "matches"},
			{Rule: "default", Then: "ask", Outcome: "not_reached"},
		}}, nil
	}
	rec := a.do(t, http.MethodGet, "/api/v1/rewards/7/policy", "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{"id":7,"rule":"rule 2","policy_version":"p-1","facts":{"unit":"credits","amount":800},
		"now":{"policy_version":"p-2","verdict":"pay","reason":"rule 1: pay","rules":[
			{"rule":"rule 1","when":"amount < 900","then":"pay","outcome":"matches","why":""},
			{"rule":"default","when":"","then":"ask","outcome":"not_reached","why":""}]}}`, rec.Body.String())

	a.policy.explain = func(string) (api.Explanation, error) {
		return api.Explanation{}, fault.New(fault.Conflict, "op", "cannot be read")
	}
	require.Equal(t, http.StatusConflict, a.do(t, http.MethodGet, "/api/v1/rewards/7/policy", "").Code)
}

func TestPolicyThatHasNotDecided(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.Equal(t, http.StatusNotFound, a.do(t, http.MethodGet, "/api/v1/rewards/7/policy", "").Code)
	a.ledger.reward = func(id reward.ID) (ledger.Record, error) { return record(id, reward.Quarantined), nil }
	rec := a.do(t, http.MethodGet, "/api/v1/rewards/7/policy", "")
	require.Equal(t, http.StatusConflict, rec.Code)
	require.Contains(t, decode[problem](t, rec).Detail, "has not decided about this reward: it is quarantined")
}
