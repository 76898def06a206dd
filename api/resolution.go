package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// resolver carries a person's instruction to the reward's workflow, and
// returns the status that it led to.
type resolver interface {
	Resolve(ctx context.Context, r reward.Resolution) (reward.Status, error)
}

// resolutionReader reads earlier instructions.
type resolutionReader interface {
	ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error)
}

// resolutionHandler takes people's instructions for rewards that wait for one.
type resolutionHandler struct {
	desk   resolver
	ledger resolutionReader
	// providers are the configured names; empty when they are not known.
	providers []string
	now       func() time.Time
}

// resolutionRequest is the body of an instruction.
type resolutionRequest struct {
	Action    reward.Action `json:"action"`
	Provider  string        `json:"provider"`
	Reference string        `json:"reference"`
	Evidence  string        `json:"evidence"`
	Comment   string        `json:"comment"`
}

// resolvedJSON says where an instruction led.
type resolvedJSON struct {
	RewardID     reward.ID     `json:"reward_id"`
	ResolutionID string        `json:"resolution_id"`
	Status       reward.Status `json:"status"`
}

// resolve hands a person's instruction over.
func (h *resolutionHandler) resolve(c *gin.Context) error {
	id, err := rewardID(c)
	if err != nil {
		return err
	}
	r, err := h.resolution(c, id)
	if err != nil {
		return err
	}
	if err := h.refuseReuse(c, r); err != nil {
		return err
	}
	status, err := h.desk.Resolve(c.Request.Context(), r)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, resolvedJSON{RewardID: id, ResolutionID: r.ID, Status: status})
	return nil
}

func (h *resolutionHandler) resolution(c *gin.Context, id reward.ID) (reward.Resolution, error) {
	var in resolutionRequest
	if err := readJSON(c, &in); err != nil {
		return reward.Resolution{}, err
	}
	for _, field := range []struct {
		name  string
		value *string
		limit int
	}{
		{"provider", &in.Provider, maxReference},
		{"reference", &in.Reference, maxReference},
		{"evidence", &in.Evidence, maxReference},
		{"comment", &in.Comment, maxComment},
	} {
		checked, err := text(field.name, *field.value, field.limit)
		if err != nil {
			return reward.Resolution{}, err
		}
		*field.value = checked
	}
	if err := h.check(in); err != nil {
		return reward.Resolution{}, err
	}
	key, err := actionID(c, "resolution", id)
	if err != nil {
		return reward.Resolution{}, err
	}
	who := principalOf(c)
	return reward.Resolution{
		ID: key, RewardID: id, Action: in.Action, Provider: in.Provider, Reference: in.Reference,
		Evidence: in.Evidence, Comment: in.Comment, By: who.Name, Verified: who.Verified, At: h.now(),
	}, nil
}

// check says which fields an action needs, and which it does not know.
func (h *resolutionHandler) check(in resolutionRequest) error {
	switch {
	case !slices.Contains(reward.Actions(), in.Action):
		return invalid(`the field "action" is none of retry, reroute, paid, reject and abandon`)
	case in.Action == reward.ActionPaid && in.Reference == "":
		return invalid(`the field "reference" is missing: a payment by hand needs its proof`)
	case in.Action != reward.ActionPaid && in.Reference != "":
		return invalid(`the field "reference" is for the action "paid" only`)
	case in.Action != reward.ActionPaid && in.Evidence != "":
		return invalid(`the field "evidence" is for the action "paid" only`)
	case in.Action == reward.ActionReroute && in.Provider == "":
		return invalid(`the field "provider" is missing: name the provider to pay by`)
	case in.Action != reward.ActionReroute && in.Provider != "":
		return invalid(`the field "provider" is for the action "reroute" only`)
	case in.Comment == "" && (in.Action == reward.ActionReject || in.Action == reward.ActionAbandon):
		return invalid(fmt.Sprintf(`the field "comment" is missing: say why, for whoever asks about this %s later`, in.Action))
	case in.Provider != "" && len(h.providers) > 0 && !slices.Contains(h.providers, in.Provider):
		return unknownProvider("provider", h.providers)
	}
	return nil
}

func unknownProvider(field string, known []string) error {
	return invalid(fmt.Sprintf("the field %q names no configured provider: there are %s", field, strings.Join(known, ", ")))
}

// refuseReuse refuses an Idempotency-Key that stands for another instruction.
// Without the check it would be taken for the recorded one, and dropped.
func (h *resolutionHandler) refuseReuse(c *gin.Context, r reward.Resolution) error {
	if c.GetHeader("Idempotency-Key") == "" {
		return nil
	}
	recorded, err := h.ledger.ResolutionsOf(c.Request.Context(), r.RewardID)
	if err != nil {
		return err
	}
	for _, other := range recorded {
		if other.ID != r.ID {
			continue
		}
		if other.Action != r.Action || other.Provider != r.Provider || other.Reference != r.Reference ||
			other.Evidence != r.Evidence || other.Comment != r.Comment {
			return keyReused()
		}
	}
	return nil
}
