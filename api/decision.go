package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// decider takes decisions. A refused decision is recorded and returned, and
// is no error.
type decider interface {
	Decide(ctx context.Context, d reward.Decision) (ledger.Tally, error)
}

// decisionHandler takes people's decisions.
type decisionHandler struct {
	desk    decider
	metrics *metrics
	now     func() time.Time
}

// decisionRequest is the body of a decision.
type decisionRequest struct {
	Decision reward.Verdict `json:"decision"`
	Digest   reward.Digest  `json:"digest"`
	Comment  string         `json:"comment"`
}

// tallyJSON says where the approval stands after a decision.
type tallyJSON struct {
	Decision  decisionJSON `json:"decision"`
	Repeated  bool         `json:"repeated"`
	Approvals int          `json:"approvals"`
	Needed    int          `json:"needed"`
	Approved  bool         `json:"approved"`
	Rejected  bool         `json:"rejected"`
}

// decide records one person's approve or reject.
func (h *decisionHandler) decide(c *gin.Context) error {
	id, err := rewardID(c)
	if err != nil {
		return err
	}
	d, err := h.decision(c, id)
	if err != nil {
		return err
	}
	tally, err := h.desk.Decide(c.Request.Context(), d)
	if err != nil {
		return err
	}
	if tally.Repeated && !sameDecision(tally.Decision.Decision, d) {
		return keyReused()
	}
	h.metrics.decided(d.Verdict, tally)
	if !tally.Decision.Counted {
		return newProblem(http.StatusConflict, "decision_refused",
			fmt.Sprintf("the decision was recorded and does not count: %s", tally.Decision.Refusal))
	}
	c.JSON(http.StatusOK, tallyJSON{
		Decision:  presentDecision(tally.Decision),
		Repeated:  tally.Repeated,
		Approvals: tally.Approvals,
		Needed:    tally.Needed,
		Approved:  tally.Approved,
		Rejected:  tally.Rejected,
	})
	return nil
}

// decision reads the request, and takes the name from the caller's token and
// from nowhere else.
func (h *decisionHandler) decision(c *gin.Context, id reward.ID) (reward.Decision, error) {
	var in decisionRequest
	if err := readJSON(c, &in); err != nil {
		return reward.Decision{}, err
	}
	if in.Decision != reward.Approve && in.Decision != reward.Reject {
		return reward.Decision{}, invalid(`the field "decision" is neither "approve" nor "reject"`)
	}
	who := principalOf(c)
	if in.Digest == "" && who.Verified {
		return reward.Decision{}, invalid(fmt.Sprintf(`the field "digest" is missing: `+
			`GET /api/v1/rewards/%s first, and send the digest of what you were shown`, id))
	}
	if _, err := text("digest", string(in.Digest), maxReference); err != nil {
		return reward.Decision{}, err
	}
	comment, err := text("comment", in.Comment, maxComment)
	if err != nil {
		return reward.Decision{}, err
	}
	key, err := actionID(c, "decision", id)
	if err != nil {
		return reward.Decision{}, err
	}
	return reward.Decision{
		ID:       key,
		RewardID: id,
		By:       who.Name,
		Verified: who.Verified,
		Roles:    who.Roles,
		Lane:     reward.LaneAPI,
		Verdict:  in.Decision,
		Comment:  comment,
		Digest:   in.Digest,
		At:       h.now(),
	}, nil
}

// sameDecision reports whether a repeated request says what the recorded one
// said. A digest that was left out may have been recorded as the current one.
func sameDecision(recorded, given reward.Decision) bool {
	return recorded.Verdict == given.Verdict && recorded.Comment == given.Comment &&
		(given.Digest == "" || recorded.Digest == given.Digest)
}
