package notify

import (
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// compose chooses the words by the type of the event.
func compose(eventType string, s stored) Message {
	if state, ok := strings.CutPrefix(eventType, "reward_"); ok && eventType != "reward_created" {
		return aboutReward(state, s)
	}
	if eventType == DailySummary {
		return aboutTheDay(s)
	}
	m := Message{Fields: particulars(s)}
	switch eventType {
	case "lead_signup":
		m.Title = "A lead signed up"
		m.Text = s.promoter() + " brought this lead" + s.campaign() + "."
	case "lead_subscribed":
		m.Title = "A lead subscribed"
		m.Text = s.promoter() + " brought this lead" + s.campaign() + ". The sign-up is not complete yet."
	case "lead_becomes_referral":
		m.Title = "A lead became a customer"
		m.Text = s.promoter() + " brought this customer" + s.campaign() + "."
	case "lead_cancelled":
		m.Title = "A referred customer cancelled"
		m.Text = s.promoter() + " had brought this customer" + s.campaign() + "."
	case "promoter_signed_up":
		m.Title = "A promoter signed up"
		m.Text = s.promoter() + " signed up" + s.campaign() + "."
	case "promoter_accepted":
		m.Title = "A promoter was accepted"
		m.Text = s.promoter() + " was accepted" + s.campaign() + "."
	case "reward_created":
		m.Title = "A reward was created"
		m.Text = s.promoter() + " earned " + s.earned() + s.campaign() + "."
	case "fulfilment_pending":
		m.Title = rewardName(s.Reward.ID) + " is to be fulfilled"
		m.Text = s.promoter() + " is owed " + s.earned() + s.campaign() + "."
		m.RewardID = s.Reward.ID
	default:
		m.Title = "Event " + oneLine(eventType)
		m.Text = "FirstPromoter sent this event."
		m.RewardID = s.RewardID
	}
	return m
}

// aboutReward words what became of a reward. state is a status, or a step of
// the wait for approval.
func aboutReward(state string, s stored) Message {
	is, text := stateWords(state)
	m := Message{
		Title:       rewardName(s.RewardID) + " " + is,
		Text:        text,
		NeedsPerson: needsPerson(state),
		RewardID:    s.RewardID,
	}
	var f fields
	if s.RewardID != 0 {
		f.add("Reward", s.RewardID.String())
	}
	if s.Status != "" && s.Status != state {
		f.add("Status", words(s.Status))
	}
	f.add("Reason", s.Reason)
	f.add("Next", advice(state, s.RewardID))
	m.Fields = f
	return m
}

// stateWords returns what a reward is, to follow its name, and what that means.
func stateWords(state string) (is, means string) {
	switch state {
	case "quarantined":
		return "is quarantined", "The event and FirstPromoter do not agree about it. Nothing is paid before somebody has looked."
	case "awaiting_approval":
		return "waits for approval", "Nothing is paid before people have decided."
	case "reminder":
		return "still waits for approval", "Nobody has settled it yet, and nothing is paid before people have decided."
	case "escalated":
		return "has waited long for approval", "Nobody has settled it yet. Without a decision it will be held, not paid."
	case "held":
		return "is held", "Nothing is paid while it is held, and nothing is lost."
	case "attention":
		return "needs attention", "It does not go on before somebody has said what to do."
	case "retry_budget":
		return "is close to being marked with issues", "FirstPromoter sent its event, and it could not be stored. When a day's errors are used up, FirstPromoter stops sending it."
	case "rejected":
		return "was rejected", "It is not paid."
	case "abandoned":
		return "was abandoned", "Nothing more is done about it."
	case "fulfilled":
		return "is fulfilled", "It was delivered, and FirstPromoter has it as completed."
	case "fulfilled_elsewhere":
		return "was fulfilled elsewhere", "FirstPromoter has it as completed, and nothing was paid from here."
	}
	return "is " + words(state), "This is where it stands now."
}

// needsPerson is true for the statuses that only a person ends, for the steps of
// the wait for approval, and for a retry budget that is running out.
func needsPerson(state string) bool {
	return state == "reminder" || state == "escalated" || state == "retry_budget" || reward.Status(state).NeedsPerson()
}

// advice says what a person can do next; empty when there is nothing to do.
func advice(state string, id reward.ID) string {
	if id == 0 {
		return ""
	}
	switch state {
	case "awaiting_approval", "reminder", "escalated":
		return "rewardflow approvals show " + id.String()
	case "held":
		return "rewardflow why " + id.String()
	case "retry_budget":
		return "rewardflow events list --answer 503, and rewardflow doctor"
	case "quarantined", "attention":
		return "rewardflow why " + id.String() + ", then rewardflow resolve " + id.String() + " retry|reroute|paid|reject|abandon"
	}
	return ""
}

// particulars are the fields of one of FirstPromoter's events.
func particulars(s stored) []Field {
	var f fields
	f.add("Promoter", number(s.Promoter.ID))
	// In some set-ups the promoter chose it, so it may be an address.
	f.addPersonal("Customer ID", s.Promoter.CustID)
	f.addPersonal("Promoter e-mail", s.Promoter.Email)
	f.add("Lead", number(s.Lead.ID))
	f.add("Lead state", s.Lead.State)
	f.addPersonal("Lead e-mail", s.Lead.Email)
	f.add("Campaign", s.Campaign.Name)
	f.add("Campaign ID", number(s.Campaign.ID))
	f.add("Amount", s.amount())
	if s.Reward.HasIssues {
		f.add("Issues", "FirstPromoter reports issues with this reward")
	}
	return f
}

func (s stored) promoter() string {
	if s.Promoter.ID == 0 {
		return "A promoter"
	}
	return "Promoter " + number(s.Promoter.ID)
}

// campaign continues a sentence; it is empty when the campaign is not known.
func (s stored) campaign() string {
	if name := oneLine(s.Campaign.Name); name != "" {
		return " in the campaign " + name
	}
	if s.Campaign.ID != 0 {
		return " in campaign " + number(s.Campaign.ID)
	}
	return ""
}

func (s stored) earned() string {
	if amount := s.amount(); amount != "" {
		return amount
	}
	return "a reward"
}

// amount is empty when the event names none. FirstPromoter does not say the
// currency of cash.
func (s stored) amount() string {
	unit := words(string(s.Reward.Unit))
	if s.Reward.Unit == reward.Cash {
		unit = "in minor units of cash"
	}
	amount := oneLine(s.Reward.AmountText)
	if s.Reward.Amount != nil {
		amount = strconv.FormatInt(*s.Reward.Amount, 10)
	}
	if amount == "" {
		return ""
	}
	return strings.TrimSpace(amount + " " + unit)
}

func rewardName(id reward.ID) string {
	if id == 0 {
		return "A reward"
	}
	return "Reward " + id.String()
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// words writes a name of the wire for people.
func words(name string) string { return oneLine(strings.ReplaceAll(name, "_", " ")) }
