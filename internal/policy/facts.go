package policy

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Facts are what a rule may look at. They name no person: of the promoter's
// email only the domain is among them.
type Facts struct {
	Unit string
	// Amount counts whole units; for cash, minor units of Currency.
	Amount int64
	// Currency is an ISO 4217 code for cash, empty otherwise.
	Currency   string
	CampaignID int64
	PromoterID int64
	// CustID is the promoter's ID in the team's own system. It may be empty,
	// and in some set-ups the promoter chose it.
	CustID string
	// EmailDomain is what follows the last @ of the promoter's email, in lower
	// case; empty when there is none.
	EmailDomain string
	// Provider is the configured name of the provider that the route chose;
	// empty when no route matched.
	Provider string
}

// FactsOf returns the facts of a reward that provider would pay.
func FactsOf(r reward.Reward, provider string) Facts {
	domain := ""
	if at := strings.LastIndexByte(r.Promoter.Email, '@'); at >= 0 {
		domain = strings.ToLower(r.Promoter.Email[at+1:])
	}
	return Facts{
		Unit:        string(r.Quantity.Unit),
		Amount:      r.Quantity.Amount,
		Currency:    r.Quantity.Currency,
		CampaignID:  r.Campaign.ID,
		PromoterID:  r.Promoter.ID,
		CustID:      r.Promoter.CustID,
		EmailDomain: domain,
		Provider:    provider,
	}
}

// Fact describes one name that a rule may use.
type Fact struct {
	Name string
	// Type is the CEL type: "int" or "string".
	Type string
	// Meaning is a few words for documentation and messages.
	Meaning string
}

// FactList returns every name that a rule may use, in a fixed order.
func FactList() []Fact {
	return []Fact{
		{"unit", "string", "what the reward counts: credits, points, free_months, discount_per, discount_mon, cash"},
		{"amount", "int", "how many of the unit; for cash, minor units of the currency"},
		{"currency", "string", "ISO 4217 code for cash, empty otherwise"},
		{"campaign", "int", "the ID of the campaign"},
		{"promoter", "int", "the ID of the promoter at FirstPromoter"},
		{"cust_id", "string", "the promoter's ID in your own system; may be empty"},
		{"email_domain", "string", "the domain of the promoter's email, in lower case"},
		{"provider", "string", "the name of the provider that the route chose; empty when none did"},
	}
}

func factNames() []string {
	var names []string
	for _, f := range FactList() {
		names = append(names, f.Name)
	}
	return names
}

// allowedFacts lists the facts with their types, for messages.
func allowedFacts() string {
	var names []string
	for _, f := range FactList() {
		names = append(names, f.Name+" ("+f.Type+")")
	}
	return strings.Join(names, ", ")
}

// activation gives an expression the values of the facts, without a map.
type activation struct{ facts *Facts }

// Parent returns nil: there is no wider scope.
func (a activation) Parent() cel.Activation { return nil }

// ResolveName returns the value of one fact.
func (a activation) ResolveName(name string) (any, bool) {
	switch name {
	case "unit":
		return types.String(a.facts.Unit), true
	case "amount":
		return types.Int(a.facts.Amount), true
	case "currency":
		return types.String(a.facts.Currency), true
	case "campaign":
		return types.Int(a.facts.CampaignID), true
	case "promoter":
		return types.Int(a.facts.PromoterID), true
	case "cust_id":
		return types.String(a.facts.CustID), true
	case "email_domain":
		return types.String(a.facts.EmailDomain), true
	case "provider":
		return types.String(a.facts.Provider), true
	}
	return nil, false
}
