package console

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// brakePage shows the switches and the caps.
type brakePage struct {
	Switches []switchRow
	Caps     []capRow
	// Paused says that nothing is paid at all.
	Paused bool
	Note   string
	Failed string
}

// switchRow is one switch, whether or not it was ever moved.
type switchRow struct {
	ledger.BrakeState

	Label string
	Type  string
}

// capRow is what may leave in one unit; zero is no cap.
type capRow struct {
	Unit                               string
	Single, Day, PromoterDay, Campaign int64
}

// brake shows the brake.
func (c *Console) brake(w http.ResponseWriter, r *http.Request, v visit) error {
	return c.drawBrake(w, r, v, http.StatusOK, "")
}

func (c *Console) drawBrake(w http.ResponseWriter, r *http.Request, v visit, status int, failed string) error {
	states, err := c.ledger.Brakes(r.Context())
	if err != nil {
		return err
	}
	page := brakePage{Caps: capRows(c.cfg.Caps), Note: noteOf(r), Failed: failed}
	stateOf := func(scope string) ledger.BrakeState {
		for _, s := range states {
			if s.Scope == scope {
				return s
			}
		}
		return ledger.BrakeState{Scope: scope}
	}
	all := stateOf(ledger.AllProviders)
	page.Paused = all.Paused
	page.Switches = append(page.Switches, switchRow{BrakeState: all, Label: "All payouts"})
	providers := slices.Clone(c.cfg.Providers)
	slices.SortFunc(providers, func(a, b Provider) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for _, p := range providers {
		page.Switches = append(page.Switches, switchRow{BrakeState: stateOf(p.Name), Label: p.Name, Type: p.Type})
	}
	c.pages.render(w, status, "brake", c.view(v, "Brake", page).at("brake"))
	return nil
}

func capRows(caps ledger.Caps) []capRow {
	byUnit := map[string]*capRow{}
	take := func(limits map[string]int64, set func(*capRow, int64)) {
		for unit, n := range limits {
			if byUnit[unit] == nil {
				byUnit[unit] = &capRow{Unit: unit}
			}
			set(byUnit[unit], n)
		}
	}
	take(caps.MaxSingle, func(r *capRow, n int64) { r.Single = n })
	take(caps.MaxPerDay, func(r *capRow, n int64) { r.Day = n })
	take(caps.MaxPerPromoterPerDay, func(r *capRow, n int64) { r.PromoterDay = n })
	take(caps.MaxPerCampaignPerDay, func(r *capRow, n int64) { r.Campaign = n })
	var rows []capRow
	for _, unit := range slices.Sorted(maps.Keys(byUnit)) {
		rows = append(rows, *byUnit[unit])
	}
	return rows
}

// setBrake moves one switch. A form that does not say which way moves nothing.
func (c *Console) setBrake(w http.ResponseWriter, r *http.Request, v visit) error {
	state, err := c.switchOf(r, v)
	if err != nil {
		return c.drawBrake(w, r, v, http.StatusBadRequest, sentence(fault.Message(err)))
	}
	if err := c.ledger.SetBrake(r.Context(), state); err != nil {
		return err
	}
	// The switch has moved, whether or not the person waits for the answer.
	c.desk.BrakeChanged(context.WithoutCancel(r.Context()))
	if state.Paused {
		return back(w, r, Root+"brake?note=paused")
	}
	return back(w, r, Root+"brake?note=resumed")
}

func (c *Console) switchOf(r *http.Request, v visit) (ledger.BrakeState, error) {
	scope, move := r.PostFormValue("scope"), r.PostFormValue("move")
	reason, err := text(r, "reason", maxComment)
	if err != nil {
		return ledger.BrakeState{}, err
	}
	switch {
	case scope != ledger.AllProviders && !c.configured(scope):
		return ledger.BrakeState{}, invalid("the form names no provider that is configured")
	case move != "pause" && move != "resume":
		return ledger.BrakeState{}, invalid("the form says neither pause nor resume")
	case move == "pause" && reason == "":
		return ledger.BrakeState{}, invalid("a reason is missing: say why, for whoever finds payouts paused")
	}
	return ledger.BrakeState{Scope: scope, Paused: move == "pause", Reason: reason, By: v.who.Name, At: c.cfg.Now()}, nil
}
