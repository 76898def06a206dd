package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// brakeSwitch reads and moves the brake.
type brakeSwitch interface {
	Brakes(ctx context.Context) ([]ledger.BrakeState, error)
	SetBrake(ctx context.Context, s ledger.BrakeState) error
}

// brakeListener hears of every move of the brake, and wakes what it held.
type brakeListener interface {
	BrakeChanged(ctx context.Context)
}

// brakeHandler shows and moves the brake.
type brakeHandler struct {
	ledger    brakeSwitch
	desk      brakeListener
	caps      ledger.Caps
	providers []string
	now       func() time.Time
}

// brakeRequest is the body of a move of the brake. Paused is a pointer,
// because a request that leaves it out must not let money flow.
type brakeRequest struct {
	Scope  string `json:"scope"`
	Paused *bool  `json:"paused"`
	Reason string `json:"reason"`
}

// brakeJSON is the brake as it stands.
type brakeJSON struct {
	// Paused says that nothing is paid at all; a switch may still pause one
	// provider.
	Paused   bool         `json:"paused"`
	Switches []switchJSON `json:"switches"`
	Caps     capsJSON     `json:"caps"`
}

type switchJSON struct {
	Scope  string    `json:"scope"`
	Paused bool      `json:"paused"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

type capsJSON struct {
	MaxSingle            map[string]int64 `json:"max_single"`
	MaxPerDay            map[string]int64 `json:"max_per_day"`
	MaxPerPromoterPerDay map[string]int64 `json:"max_per_promoter_per_day"`
	MaxPerCampaignPerDay map[string]int64 `json:"max_per_campaign_per_day"`
}

// show answers how the brake stands.
func (h *brakeHandler) show(c *gin.Context) error {
	states, err := h.ledger.Brakes(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, h.present(states))
	return nil
}

// set moves one switch and answers how the brake stands then.
func (h *brakeHandler) set(c *gin.Context) error {
	state, err := h.state(c)
	if err != nil {
		return err
	}
	if err := h.ledger.SetBrake(c.Request.Context(), state); err != nil {
		return err
	}
	// The switch has moved, whether or not the caller waits for the answer.
	h.desk.BrakeChanged(context.WithoutCancel(c.Request.Context()))
	return h.show(c)
}

func (h *brakeHandler) state(c *gin.Context) (ledger.BrakeState, error) {
	var in brakeRequest
	if err := readJSON(c, &in); err != nil {
		return ledger.BrakeState{}, err
	}
	scope, err := text("scope", in.Scope, maxReference)
	if err != nil {
		return ledger.BrakeState{}, err
	}
	reason, err := text("reason", in.Reason, maxComment)
	if err != nil {
		return ledger.BrakeState{}, err
	}
	switch {
	case scope == "":
		return ledger.BrakeState{}, invalid(`the field "scope" is missing: it is "all" or the name of a provider`)
	case in.Paused == nil:
		return ledger.BrakeState{}, invalid(`the field "paused" is missing: true stops payouts, false lets them go on`)
	case *in.Paused && reason == "":
		return ledger.BrakeState{}, invalid(`the field "reason" is missing: say why, for whoever finds payouts stopped`)
	case scope != ledger.AllProviders && len(h.providers) > 0 && !slices.Contains(h.providers, scope):
		return ledger.BrakeState{}, unknownProvider("scope", append([]string{ledger.AllProviders}, h.providers...))
	}
	return ledger.BrakeState{
		Scope: scope, Paused: *in.Paused, Reason: reason, By: principalOf(c).Name, At: h.now(),
	}, nil
}

func (h *brakeHandler) present(states []ledger.BrakeState) brakeJSON {
	out := brakeJSON{
		Switches: each(states, func(s ledger.BrakeState) switchJSON {
			return switchJSON{Scope: s.Scope, Paused: s.Paused, Reason: s.Reason, By: s.By, At: s.At.UTC()}
		}),
		Caps: capsJSON{
			MaxSingle:            orEmpty(h.caps.MaxSingle),
			MaxPerDay:            orEmpty(h.caps.MaxPerDay),
			MaxPerPromoterPerDay: orEmpty(h.caps.MaxPerPromoterPerDay),
			MaxPerCampaignPerDay: orEmpty(h.caps.MaxPerCampaignPerDay),
		},
	}
	for _, s := range states {
		out.Paused = out.Paused || s.Scope == ledger.AllProviders && s.Paused
	}
	return out
}

func orEmpty(m map[string]int64) map[string]int64 {
	if m == nil {
		return map[string]int64{}
	}
	return m
}
