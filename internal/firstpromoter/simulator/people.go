package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// The promoter and the campaign of a reward that names none.
const (
	defaultPromoter = 5_900_001
	defaultCampaign = 17_901
)

// newRecord makes the record of a reward. The caller holds mu.
func (s *Simulator) newRecord(id reward.ID, spec Spec) *payout {
	amount := json.RawMessage(strconv.FormatInt(spec.Amount, 10))
	if spec.RawAmount != "" {
		amount = json.RawMessage(spec.RawAmount)
	}
	unit := cmp.Or(spec.Unit, reward.Credits)
	now := stamp(s.cfg.Now())
	return &payout{
		ID:        id,
		Status:    statusPending,
		Amount:    amount,
		Unit:      unit,
		CreatedAt: now,
		Reward:    &rule{ID: 109_001, Type: "per_promotion", Unit: unit, Name: "A reward of " + string(unit)},
		Promoter:  newPromoter(spec.Promoter, now),
		Campaign:  newCampaign(spec.Campaign),
	}
}

func newPromoter(p reward.Promoter, now string) promoter {
	p.ID = cmp.Or(p.ID, defaultPromoter)
	return promoter{
		ID: p.ID, Status: "active", CustID: p.CustID,
		Email:        cmp.Or(p.Email, fmt.Sprintf("promoter-%d@example.net", p.ID)),
		CreatedAt:    now,
		TempPassword: secret("temp-password", p.ID), AuthToken: secret("auth-token", p.ID),
		Pref: secret("pref", p.ID), DefaultRefID: secret("ref", p.ID), Note: secret("note", p.ID),
		W8FormURL:          "https://tax.example.net/" + secret("w8", p.ID),
		W9FormURL:          "https://tax.example.net/" + secret("w9", p.ID),
		DefaultPromotionID: p.ID + 400_000,
		EarningsBalance:    map[string]int64{"cash": 882, "free_months": 3},
		CurrentBalance:     map[string]int64{"cash": 882, "free_months": -1},
	}
}

func newCampaign(c reward.Campaign) campaign {
	c.ID = cmp.Or(c.ID, defaultCampaign)
	return campaign{
		ID: c.ID, Name: cmp.Or(c.Name, "Partners"), Color: "#26a69a", AutoApproveRewards: true,
		LandingURL:        "https://shop.example.net/" + secret("landing", c.ID),
		DefaultWebhookURL: "https://rewards.example.net/" + secret("webhook-url", c.ID),
	}
}

func newLead(id int64, state, email, now string) lead {
	return lead{
		ID: id, State: state, Email: cmp.Or(email, fmt.Sprintf("lead-%d@example.org", id)), CreatedAt: now,
		Suspicion: "no_suspicion", UID: secret("uid", id), Username: secret("username", id),
		Website: secret("website", id), PlanName: secret("plan", id),
		CustomFields: map[string]string{"phone": secret("custom-field", id)},
	}
}

// Occasion describes an event that is not about a reward to be fulfilled.
type Occasion struct {
	// Type is any type but fulfilment_pending. One that FirstPromoter does not
	// have is sent with the data of a lead.
	Type string
	// EventID is the event's ID; zero means the next one. Naming an old one
	// repeats an event, or sends it under a second name.
	EventID   int64
	Promoter  reward.Promoter
	Campaign  reward.Campaign
	LeadEmail string
}

// data returns the data of the event.
func (o Occasion) data(id int64, now string) any {
	p, c := newPromoter(o.Promoter, now), newCampaign(o.Campaign)
	link := newPromotion(p.ID, c)
	leadID := id + 8_000_000
	switch o.Type {
	case "promoter_accepted":
		return promoterData{State: "accepted", Campaign: &c, Promoter: p.asEvent(c), Promotion: &link}
	case "promoter_signed_up", "promoter_signs_up":
		joined := p.asEvent(c)
		joined.Status, joined.Promotions = statusPending, nil
		return promoterData{Promoter: joined, Promotions: []promotion{link}}
	case "reward_created":
		return rewardData{
			ID: id + 1_000_000, Status: "approved", Amount: 20, Unit: reward.Credits, CreatedAt: now,
			EventID: secret("invoice", id), ConversionAmount: 9_900, TierLevel: 1,
			Lead: newLead(leadID, "active", o.LeadEmail, now), Promoter: p.asEvent(c), Promotion: link,
		}
	}
	state := "signup"
	switch o.Type {
	case "lead_becomes_referral", "new_customer":
		state = "active"
	case "lead_cancelled":
		state = "cancelled"
	case "lead_subscribed":
		state = "subscribed"
	}
	return leadData{newLead(leadID, state, o.LeadEmail, now), link, p.asEvent(c)}
}
