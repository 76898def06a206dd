package console

import (
	"net/http"
	"slices"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// resolveAction is one thing that a person may have done about a reward.
type resolveAction struct {
	Action reward.Action
	Label  string
	Means  string
	// Needs are the fields that go with it.
	NeedsProvider, NeedsReference, NeedsComment bool
}

func resolveActions() []resolveAction {
	return []resolveAction{
		{Action: reward.ActionRetry, Label: "Try again", Means: "Takes it up where it stands: verifies it again, looks the payout up again, " +
			"or, after a proven refusal, pays by a new payout."},
		{Action: reward.ActionReroute, Label: "Pay by another provider", Means: "After a proven refusal only.", NeedsProvider: true},
		{Action: reward.ActionPaid, Label: "Mark as paid by hand", Means: "It was delivered; the reference is the proof. FirstPromoter is told.", NeedsReference: true},
		{Action: reward.ActionReject, Label: "Reject", Means: "Ends it unpaid. The comment says why.", NeedsComment: true},
		{Action: reward.ActionAbandon, Label: "Abandon", Means: "Ends it as it is, paid or not, and tells FirstPromoter nothing. The comment says why.", NeedsComment: true},
	}
}

// mayResolve says which instructions the page offers.
func (c *Console) mayResolve(p *rewardPage, who identity.Principal) {
	p.Resolvable = identity.Operates.Allows(who.Roles) && !p.Status.Final()
	provider := p.Provider
	if p.Payout != nil {
		provider = p.Payout.Provider
	}
	p.Pressing = p.Status == reward.Attention || p.Status == reward.Quarantined || p.Status == reward.Settling && c.byHand(provider)
	p.Actions = resolveActions()
	for _, known := range c.cfg.Providers {
		p.Providers = append(p.Providers, known.Name)
	}
	slices.Sort(p.Providers)
}

// resolve hands a person's instruction over.
func (c *Console) resolve(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := rewardID(r)
	if err != nil {
		return err
	}
	instruction, err := c.instruction(r, v, id)
	if err != nil {
		return c.again(w, r, v, id, http.StatusBadRequest, sentence(fault.Message(err)))
	}
	if _, err := c.desk.Resolve(r.Context(), instruction); err != nil {
		switch fault.KindOf(err) {
		case fault.Conflict, fault.Declined:
			return c.again(w, r, v, id, http.StatusConflict, "It was not done: "+fault.Message(err)+".")
		case fault.Unavailable, fault.Throttled:
			return c.again(w, r, v, id, http.StatusServiceUnavailable, sentence(fault.Message(err)))
		}
		return err
	}
	return back(w, r, Root+"rewards/"+id.String()+"?note=resolved")
}

// instruction reads the form. A field that the chosen action does not know is
// left out: all of them stand on one page.
func (c *Console) instruction(r *http.Request, v visit, id reward.ID) (reward.Resolution, error) {
	actions := resolveActions()
	at := slices.IndexFunc(actions, func(a resolveAction) bool { return string(a.Action) == r.PostFormValue("action") })
	if at < 0 {
		return reward.Resolution{}, invalid("choose what is to be done")
	}
	chosen := actions[at]
	out := reward.Resolution{
		RewardID: id, Action: chosen.Action, By: v.who.Name, Verified: v.who.Verified, At: c.cfg.Now(),
		ID: actionID("resolution", v.who.Name, id, r.PostFormValue("once"), string(chosen.Action)),
	}
	var err error
	if out.Comment, err = text(r, "comment", maxComment); err != nil {
		return out, err
	}
	reference, err := text(r, "reference", maxReference)
	if err != nil {
		return out, err
	}
	evidence, err := text(r, "evidence", maxReference)
	if err != nil {
		return out, err
	}
	provider := r.PostFormValue("provider")
	switch {
	case chosen.NeedsComment && out.Comment == "":
		return out, invalid("a comment is missing: say why, for whoever asks later")
	case chosen.NeedsReference && reference == "":
		return out, invalid("the reference is missing: a payment by hand needs its proof")
	case chosen.NeedsProvider && !c.configured(provider):
		return out, invalid("choose the provider to pay by")
	}
	if chosen.NeedsReference {
		out.Reference, out.Evidence = reference, evidence
	}
	if chosen.NeedsProvider {
		out.Provider = provider
	}
	return out, nil
}

func (c *Console) configured(provider string) bool {
	_, ok := c.provider(provider)
	return ok
}
