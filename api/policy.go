package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Policy explains what the rules say.
type Policy interface {
	// Explain applies the rules as they are now to facts, which are JSON as the
	// ledger keeps it.
	Explain(facts string) (Explanation, error)
}

// Explanation is what the rules say, and how they come to it.
type Explanation struct {
	// Version names the rules.
	Version string
	Verdict string
	Reason  string
	Rules   []ExplainedRule
}

// ExplainedRule is one rule on the way to the verdict.
type ExplainedRule struct {
	Rule string `json:"rule"`
	When string `json:"when"`
	Then string `json:"then"`
	// Outcome is matches, differs, fails or not_reached.
	Outcome string `json:"outcome"`
	// Why says why it fails; empty otherwise.
	Why string `json:"why"`
}

// policyHandler says which rule decided about a reward, and why.
type policyHandler struct {
	ledger interface {
		Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	}
	policy Policy
}

// explanationJSON is what decided when the reward was assessed, and what the
// rules as they are now say of the same facts.
type explanationJSON struct {
	ID            reward.ID       `json:"id"`
	Rule          string          `json:"rule"`
	PolicyVersion string          `json:"policy_version"`
	Facts         json.RawMessage `json:"facts"`
	Now           policyNowJSON   `json:"now"`
}

type policyNowJSON struct {
	PolicyVersion string          `json:"policy_version"`
	Verdict       string          `json:"verdict"`
	Reason        string          `json:"reason"`
	Rules         []ExplainedRule `json:"rules"`
}

func (h *policyHandler) explain(c *gin.Context) error {
	id, err := rewardID(c)
	if err != nil {
		return err
	}
	rec, err := h.ledger.Reward(c.Request.Context(), id)
	if err != nil {
		return err
	}
	if rec.Facts == "" {
		return fault.New(fault.Conflict, "api.policy", "the policy has not decided about this reward: it is "+string(rec.Status))
	}
	now, err := h.policy.Explain(rec.Facts)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, explanationJSON{
		ID: id, Rule: rec.Rule, PolicyVersion: rec.PolicyVersion, Facts: json.RawMessage(rec.Facts),
		Now: policyNowJSON{PolicyVersion: now.Version, Verdict: now.Verdict, Reason: now.Reason, Rules: now.Rules},
	})
	return nil
}
