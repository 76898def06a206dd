package notify

import (
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// DailySummary is the type of the event that is made once a day.
const DailySummary = "daily_summary"

// Types returns the types of event that there are words for, and that a
// channel can be told of: FirstPromoter's in their canonical spelling, then our
// own about a reward that waits for people or came to its end, then the daily
// summary.
func Types() []string {
	return []string{
		"lead_signup", "lead_becomes_referral", "lead_cancelled", "lead_subscribed",
		"promoter_accepted", "promoter_signed_up", "reward_created",
		"reward_awaiting_approval", "reward_reminder", "reward_escalated", "reward_held",
		"reward_quarantined", "reward_attention", "reward_retry_budget",
		"reward_fulfilled", "reward_fulfilled_elsewhere", "reward_rejected", "reward_abandoned",
		DailySummary,
	}
}

// The types below are what an operator's template is given, by the type of its
// event. Texts are on one line and at most 500 characters long; what the event
// does not say is zero.

// About is what every template is given.
type About struct {
	// Type and ID are the event's.
	Type string
	ID   string
	// At is when it happened; zero when that is not known.
	At time.Time
	// Title and Text are the words without the template.
	Title string
	Text  string
}

// PromoterFacts is what an event says about a promoter. CustID and Email are
// personal data.
type PromoterFacts struct {
	ID     int64
	CustID string
	Email  string
}

// LeadFacts is what an event says about a lead. Email is personal data.
type LeadFacts struct {
	ID    int64
	State string
	Email string
}

// CampaignFacts is what an event says about a campaign.
type CampaignFacts struct {
	ID   int64
	Name string
}

// LeadEvent is for lead_signup, lead_becomes_referral, lead_cancelled and
// lead_subscribed.
type LeadEvent struct {
	About
	Lead     LeadFacts
	Promoter PromoterFacts
	Campaign CampaignFacts
}

// PromoterEvent is for promoter_accepted and promoter_signed_up.
type PromoterEvent struct {
	About
	Promoter PromoterFacts
	Campaign CampaignFacts
}

// RewardCreated is for reward_created.
type RewardCreated struct {
	About
	// Amount is the number and its unit: "3 free months".
	Amount    string
	Unit      string
	HasIssues bool
	Lead      LeadFacts
	Promoter  PromoterFacts
	Campaign  CampaignFacts
}

// RewardEvent is for what becomes of a reward: reward_attention and all others
// that begin with reward_, but for reward_created.
type RewardEvent struct {
	About
	RewardID reward.ID
	// Status is where the reward stands, Reason why, both in words.
	Status string
	Reason string
	// Next is what a person can type; empty when there is nothing to do.
	Next        string
	NeedsPerson bool
}

// SummaryEvent is for daily_summary.
type SummaryEvent struct {
	About
	// Day is the UTC day on which it was made, as 2006-01-02.
	Day string
	// Statuses count the rewards by status; Waiting are those of them that need
	// a person.
	Statuses []StatusFacts
	Waiting  []StatusFacts
	// Paid sums what was paid on the day before.
	Paid []PaidFacts
}

// StatusFacts counts the rewards with one status.
type StatusFacts struct {
	Status string // In words.
	Count  int
	// Oldest is since when the oldest of them has it, and Age how long that is
	// in words: "3 days".
	Oldest time.Time
	Age    string
}

// PaidFacts sums what was paid in one unit, or in one currency.
type PaidFacts struct {
	// Unit is a unit's name in words, or a currency.
	Unit   string
	Amount int64 // Of money, minor units.
	Count  int   // Of rewards.

	money bool
}

// Facts returns what a template for an event is given: a LeadEvent,
// PromoterEvent, RewardCreated, RewardEvent or SummaryEvent, or only About for a
// type without words of its own. The error is Render's.
func Facts(eventType, eventID string, body []byte) (any, error) {
	s, err := read(body)
	if err != nil {
		return nil, err
	}
	m := compose(eventType, s)
	about := About{Type: oneLine(eventType), ID: oneLine(eventID), At: s.at(), Title: m.Title, Text: m.Text}
	promoter := PromoterFacts{ID: s.Promoter.ID, CustID: oneLine(s.Promoter.CustID), Email: oneLine(s.Promoter.Email)}
	lead := LeadFacts{ID: s.Lead.ID, State: oneLine(s.Lead.State), Email: oneLine(s.Lead.Email)}
	campaign := CampaignFacts{ID: s.Campaign.ID, Name: oneLine(s.Campaign.Name)}
	state, aboutReward := strings.CutPrefix(eventType, "reward_")
	switch {
	case !slices.Contains(Types(), eventType):
		return about, nil
	case eventType == DailySummary:
		return s.summaryEvent(about), nil
	case eventType == "reward_created":
		return RewardCreated{
			About: about, Amount: s.amount(), Unit: words(string(s.Reward.Unit)), HasIssues: s.Reward.HasIssues,
			Lead: lead, Promoter: promoter, Campaign: campaign,
		}, nil
	case aboutReward:
		return RewardEvent{
			About: about, RewardID: s.RewardID, Status: words(s.Status), Reason: oneLine(s.Reason),
			Next: advice(state, s.RewardID), NeedsPerson: m.NeedsPerson,
		}, nil
	case strings.HasPrefix(eventType, "lead_"):
		return LeadEvent{About: about, Lead: lead, Promoter: promoter, Campaign: campaign}, nil
	}
	return PromoterEvent{About: about, Promoter: promoter, Campaign: campaign}, nil
}

// Samples returns bodies of events of a type, as the inbox holds them: one with
// everything, and one with nothing.
func Samples(eventType string) [][]byte {
	full := `{"event":{"id":"31000500","type":"` + eventType + `","created_at":"2026-03-02T08:00:00Z"},
		"promoter":{"id":6100033,"cust_id":"cus_7","email":"promoter@example.com"},
		"lead":{"id":24000815,"state":"signup","email":"lead@example.org"},
		"campaign":{"id":4711,"name":"Spring <2026> & more"},
		"reward":{"id":12000333,"amount":3,"unit":"free_months","has_issues":true},
		"reward_id":3150771,"status":"attention","reason":"the provider is not configured","at":"2026-03-02T08:00:00Z",
		"day":"2026-03-02","statuses":[
			{"status":"awaiting_approval","count":2,"oldest":"2026-02-27T08:00:00Z"},
			{"status":"fulfilled","count":120,"oldest":"2026-01-01T08:00:00Z"}],
		"paid":[{"unit":"free_months","count":4,"amount":12},{"unit":"cash","currency":"USD","count":1,"amount":2500}]}`
	return [][]byte{[]byte(full), []byte(`{}`)}
}
