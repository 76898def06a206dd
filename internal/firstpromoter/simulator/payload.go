package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Canary stands in every secret or needless value that an event or an answer
// of the double carries. It must never be found in a table, a history, a log or a
// trace.
const Canary = "CANARY"

// The statuses of a payout in v1.
const (
	statusPending    = "pending"
	statusProcessing = "processing"
	statusCompleted  = "completed"
)

func validStatus(s string) bool {
	return s == statusPending || s == statusProcessing || s == statusCompleted
}

// The shapes below are those of FirstPromoter's examples
// (https://docs.firstpromoter.com/webhooks, and API v1, payouts).

// payout is the record of a reward, in the shape of the API. Its status is
// kept in the account and filled in when it is sent.
type payout struct {
	ID        reward.ID       `json:"id"`
	Status    string          `json:"status"`
	Amount    json.RawMessage `json:"amount"`
	DatePaid  *string         `json:"date_paid"`
	DueDate   *string         `json:"due_date"`
	Unit      reward.Unit     `json:"unit"`
	CreatedAt string          `json:"created_at"`
	HasIssues bool            `json:"has_issues"`
	Reward    *rule           `json:"reward"`
	Promoter  promoter        `json:"promoter"`
	Campaign  campaign        `json:"campaign"`
}

type rule struct {
	ID               int64       `json:"id"`
	Amount           *int64      `json:"amount"`
	Type             string      `json:"type"`
	Unit             reward.Unit `json:"unit"`
	Name             string      `json:"name"`
	PerOfSale        int         `json:"per_of_sale"`
	DefaultPromoCode *string     `json:"default_promo_code"`
}

type promoter struct {
	ID                 int64            `json:"id"`
	Status             string           `json:"status"`
	CustID             string           `json:"cust_id"`
	Email              string           `json:"email"`
	CreatedAt          string           `json:"created_at"`
	TempPassword       string           `json:"temp_password"`
	DefaultPromotionID int64            `json:"default_promotion_id"`
	Pref               string           `json:"pref"`
	DefaultRefID       string           `json:"default_ref_id"`
	Note               string           `json:"note"`
	W8FormURL          string           `json:"w8_form_url"`
	W9FormURL          string           `json:"w9_form_url"`
	ParentPromoterID   *int64           `json:"parent_promoter_id"`
	EarningsBalance    map[string]int64 `json:"earnings_balance"`
	CurrentBalance     map[string]int64 `json:"current_balance"`
	PaidBalance        map[string]int64 `json:"paid_balance"`
	AuthToken          string           `json:"auth_token"`
	// Only events have these two.
	Profile    *profile    `json:"profile,omitempty"`
	Promotions []promotion `json:"promotions,omitempty"`
}

type profile struct {
	ID             int64                        `json:"id"`
	FirstName      string                       `json:"first_name"`
	LastName       string                       `json:"last_name"`
	Website        string                       `json:"website"`
	CompanyName    string                       `json:"company_name"`
	PhoneNumber    string                       `json:"phone_number"`
	Address        string                       `json:"address"`
	VatID          string                       `json:"vat_id"`
	Country        string                       `json:"country"`
	PaypalEmail    string                       `json:"paypal_email"`
	AvatarURL      string                       `json:"avatar_url"`
	Description    *string                      `json:"description"`
	SocialAccounts map[string]map[string]string `json:"social_accounts"`
}

type promotion struct {
	ID                int64  `json:"id"`
	Status            string `json:"status"`
	RefID             string `json:"ref_id"`
	PromoCode         string `json:"promo_code"`
	CustomerPromoCode string `json:"customer_promo_code"`
	PromoterID        int64  `json:"promoter_id"`
	CampaignID        int64  `json:"campaign_id"`
	ReferralLink      string `json:"referral_link"`
	CampaignName      string `json:"campaign_name"`
	Hidden            bool   `json:"hidden"`
	VisitorsCount     int    `json:"visitors_count"`
	SalesTotal        int64  `json:"sales_total"`
	RefundsTotal      int64  `json:"refunds_total"`
}

type campaign struct {
	ID                   int64   `json:"id"`
	Name                 string  `json:"name"`
	LandingURL           string  `json:"landing_url"`
	Description          *string `json:"description"`
	Private              bool    `json:"private"`
	Color                string  `json:"color"`
	DefaultWebhookURL    string  `json:"default_webhook_url"`
	AutoApproveRewards   bool    `json:"auto_approve_rewards"`
	AutoApprovePromoters bool    `json:"auto_approve_promoters"`
	// Only events have the rules.
	ReferralReward *rule `json:"referral_reward,omitempty"`
}

type lead struct {
	ID            int64             `json:"id"`
	State         string            `json:"state"`
	Email         string            `json:"email"`
	UID           string            `json:"uid"`
	CustomerSince *string           `json:"customer_since"`
	PlanName      string            `json:"plan_name"`
	Suspicion     string            `json:"suspicion"`
	Username      string            `json:"username"`
	Website       string            `json:"website"`
	CreatedAt     string            `json:"created_at"`
	CustomFields  map[string]string `json:"custom_fields"`
}

// leadData is the data of a lead event.
type leadData struct {
	lead
	Promotion promotion `json:"promotion"`
	Promoter  promoter  `json:"promoter"`
}

// rewardData is the data of reward_created.
type rewardData struct {
	ID               int64       `json:"id"`
	Status           string      `json:"status"`
	Amount           int64       `json:"amount"`
	Unit             reward.Unit `json:"unit"`
	CreatedAt        string      `json:"created_at"`
	EventID          string      `json:"event_id"`
	ConversionAmount int64       `json:"conversion_amount"`
	TierLevel        int         `json:"tier_level"`
	SplitType        *string     `json:"split_type"`
	Lead             lead        `json:"lead"`
	Promoter         promoter    `json:"promoter"`
	Promotion        promotion   `json:"promotion"`
}

// promoterData is the data of the promoter events.
type promoterData struct {
	State      string      `json:"state,omitempty"`
	Campaign   *campaign   `json:"campaign,omitempty"`
	Promoter   promoter    `json:"promoter"`
	Promotion  *promotion  `json:"promotion,omitempty"`
	Promotions []promotion `json:"promotions,omitempty"`
}

type envelope struct {
	Event struct {
		ID        int64  `json:"id"`
		Type      string `json:"type"`
		CreatedAt string `json:"created_at"`
	} `json:"event"`
	Data any `json:"data"`
}

// event renders one event.
func event(id int64, kind string, at time.Time, data any) ([]byte, error) {
	var e envelope
	e.Event.ID, e.Event.Type, e.Event.CreatedAt = id, kind, stamp(at)
	e.Data = data
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("rendering the event: %w", err)
	}
	return body, nil
}

// stamp writes a time as v1 does: UTC, milliseconds, Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// secret returns a value that must not be found anywhere.
func secret(what string, id int64) string {
	return Canary + "-" + what + "-" + strconv.FormatInt(id, 10)
}

// withStatus returns the record as the API shows it.
func (p payout) withStatus(status string) payout {
	p.Status = status
	return p
}

// asEvent returns the record as a fulfilment_pending event shows it.
func (p payout) asEvent(status string) payout {
	p.Status = status
	p.Promoter = p.Promoter.asEvent(p.Campaign)
	code := secret("rule-code", p.Campaign.ID)
	p.Campaign.ReferralReward = &rule{ID: 90_001, Type: "per_referral", Unit: p.Unit, Name: "Per customer", DefaultPromoCode: &code}
	return p
}

// asEvent adds what only events carry.
func (p promoter) asEvent(c campaign) promoter {
	p.Profile = &profile{
		ID: p.ID + 30_000, FirstName: secret("first-name", p.ID), LastName: secret("last-name", p.ID),
		CompanyName: secret("company", p.ID), PhoneNumber: secret("phone", p.ID), Address: secret("address", p.ID),
		VatID: secret("vat", p.ID), PaypalEmail: secret("paypal", p.ID) + "@example.net",
		SocialAccounts: map[string]map[string]string{"linkedin": {"url": secret("linkedin", p.ID)}},
	}
	p.Promotions = []promotion{newPromotion(p.ID, c)}
	return p
}

func newPromotion(promoterID int64, c campaign) promotion {
	return promotion{
		ID: promoterID + 400_000, Status: "offer_running", RefID: secret("ref", promoterID),
		PromoCode: secret("promo-code", promoterID), CustomerPromoCode: secret("customer-code", promoterID),
		PromoterID: promoterID, CampaignID: c.ID, CampaignName: c.Name,
		ReferralLink: "https://shop.example.net/?via=" + secret("referral-link", promoterID),
		SalesTotal:   12_600, RefundsTotal: -600, VisitorsCount: 31,
	}
}

func (p promoter) words() reward.Promoter {
	return reward.Promoter{ID: p.ID, CustID: p.CustID, Email: p.Email}
}

func (c campaign) words() reward.Campaign { return reward.Campaign{ID: c.ID, Name: c.Name} }
