package firstpromoter

import (
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Fields are all the fields of an event that are kept; their JSON is the
// event's body. A field that the event does not carry is zero, and left out of
// the JSON.
type Fields struct {
	Event    Envelope        `json:"event"`
	Promoter Promoter        `json:"promoter,omitzero"`
	Lead     Lead            `json:"lead,omitzero"`
	Campaign reward.Campaign `json:"campaign,omitzero"`
	Reward   RewardFields    `json:"reward,omitzero"`
}

// Envelope names the event. Type is canonical.
type Envelope struct {
	ID        string    `json:"id,omitzero"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Promoter is what an event says about a promoter. Email is personal data.
type Promoter struct {
	ID     int64  `json:"id,omitzero"`
	Status string `json:"status,omitzero"`
	CustID string `json:"cust_id,omitzero"`
	Email  string `json:"email,omitzero"`
}

// Lead is what an event says about a lead. Email is personal data.
type Lead struct {
	ID int64 `json:"id,omitzero"`
	// State is one of subscribed, signup, active, denied, cancelled, or new.
	State string `json:"state,omitzero"`
	Email string `json:"email,omitzero"`
}

// RewardFields are what an event says about a reward. In reward_created the
// ID is that of the reward record, in fulfilment_pending it is the reward ID;
// the two are numbers of different series.
type RewardFields struct {
	ID     int64  `json:"id,omitzero"`
	Status string `json:"status,omitzero"`
	// Amount counts whole units, for cash minor units; nil when the event has
	// no readable amount. AmountText is then what it has instead.
	Amount     *int64      `json:"amount,omitempty"`
	AmountText string      `json:"amount_text,omitzero"`
	Unit       reward.Unit `json:"unit,omitzero"`
	CreatedAt  time.Time   `json:"created_at,omitzero"`
	HasIssues  bool        `json:"has_issues,omitzero"`
}

// readFields picks the wanted fields of one event's data by its canonical
// type. Of an unknown type nothing is known, so nothing is kept.
func readFields(kind string, data object) Fields {
	var f Fields
	switch kind {
	case LeadSignup, LeadBecomesReferral, LeadCancelled, LeadSubscribed:
		f.Lead = readLead(data)
	case RewardCreated:
		f.Reward = readRewardFields(data)
		f.Lead = readLead(data.object("lead"))
	case FulfilmentPending:
		f.Reward = readRewardFields(data)
	case PromoterAccepted, PromoterSignedUp:
	default:
		return f
	}
	f.Promoter = readPromoter(data.object("promoter"))
	f.Campaign = readCampaign(data)
	return f
}

func readPromoter(o object) Promoter {
	return Promoter{
		ID:     o.id("id"),
		Status: o.text("status"),
		CustID: o.text("cust_id"),
		Email:  o.text("email"),
	}
}

func readLead(o object) Lead {
	return Lead{ID: o.id("id"), State: statusOf(o), Email: o.text("email")}
}

// readCampaign reads data.campaign, or what data.promotion says of the
// campaign: lead events have no campaign of their own.
func readCampaign(data object) reward.Campaign {
	if c := data.object("campaign"); c != nil {
		return reward.Campaign{ID: c.id("id"), Name: c.label("name")}
	}
	p := data.object("promotion")
	return reward.Campaign{ID: p.id("campaign_id"), Name: p.label("campaign_name")}
}

func readRewardFields(o object) RewardFields {
	f := RewardFields{
		ID:        o.id("id"),
		Status:    statusOf(o),
		Unit:      reward.Unit(o.text("unit")),
		CreatedAt: o.time("created_at"),
		HasIssues: o.flag("has_issues"),
	}
	if amount, err := readAmount(o); err == nil {
		f.Amount = &amount
	} else {
		f.AmountText = o.label("amount")
	}
	return f
}

// readAmount reads the amount, whole units or for cash minor units. Its error
// is written for people.
func readAmount(o object) (int64, error) {
	text := o.text("amount")
	if text == "" {
		return 0, errors.New("the amount is missing")
	}
	return reward.ParseAmount(text)
}

// statusOf reads status or state: FirstPromoter's tables and examples differ.
func statusOf(o object) string {
	if s := o.text("status"); s != "" {
		return s
	}
	return o.text("state")
}
