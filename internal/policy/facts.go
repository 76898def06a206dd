package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Facts are what a rule may look at. They name no person: of the promoter's
// email only the domain is among them.
//
// A fact that is not Known makes a rule that looks at it impossible to
// evaluate, so that people are asked.
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

	// PromoterStatus is FirstPromoter's word for the promoter; empty when it
	// was not told.
	PromoterStatus string
	// PromoterAge is how many whole days ago the promoter joined.
	PromoterAge Number
	// Earned, Balance and PaidOut are the promoter's balances in the reward's
	// unit, as FirstPromoter counts them; cash in minor units.
	Earned, Balance, PaidOut Number

	// Payouts is how many payouts left for the promoter before, by the ledger.
	// What may be paid counts as paid.
	Payouts int64
	// NewDestination says that the provider never paid to this cust_id and
	// email address of the promoter.
	NewDestination bool
	// PaidToday and Paid30Days sum what left for the promoter in the reward's
	// unit, in this UTC day, and in it and the 30 days before, in so many payouts.
	PaidToday, PayoutsToday   int64
	Paid30Days, Payouts30Days int64
}

// Number is a whole number that may not be known.
type Number struct {
	Value int64
	Known bool
}

// Known returns a number that is known.
func Known(n int64) Number { return Number{Value: n, Known: true} }

// FactsOf returns the facts of a reward that provider would pay, as far as the
// reward itself tells them.
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
	// Type is the CEL type: "int", "string" or "bool".
	Type string
	// Meaning is a few words for documentation and messages.
	Meaning string
	// of points to the fact's value: *string, *int64, *bool or *Number.
	of func(f *Facts) any
}

// FactList returns every name that a rule may use, in a fixed order.
func FactList() []Fact {
	return []Fact{
		{"unit", "string", "what the reward counts: credits, points, free_months, discount_per, discount_mon, cash", func(f *Facts) any { return &f.Unit }},
		{"amount", "int", "how many of the unit; for cash, minor units of the currency", func(f *Facts) any { return &f.Amount }},
		{"currency", "string", "ISO 4217 code for cash, empty otherwise", func(f *Facts) any { return &f.Currency }},
		{"campaign", "int", "the ID of the campaign", func(f *Facts) any { return &f.CampaignID }},
		{"promoter", "int", "the ID of the promoter at FirstPromoter", func(f *Facts) any { return &f.PromoterID }},
		{"cust_id", "string", "the promoter's ID in your own system; may be empty", func(f *Facts) any { return &f.CustID }},
		{"email_domain", "string", "the domain of the promoter's email, in lower case", func(f *Facts) any { return &f.EmailDomain }},
		{"provider", "string", "the name of the provider that the route chose; empty when none did", func(f *Facts) any { return &f.Provider }},
		{"promoter_status", "string", "what FirstPromoter says of the promoter: active, pending, blocked; empty when it says nothing", func(f *Facts) any { return &f.PromoterStatus }},
		{"promoter_age", "int", "how many days ago the promoter joined", func(f *Facts) any { return &f.PromoterAge }},
		{"earned", "int", "what the promoter has earned in this unit, by FirstPromoter", func(f *Facts) any { return &f.Earned }},
		{"balance", "int", "what the promoter is owed in this unit, by FirstPromoter; may be below zero", func(f *Facts) any { return &f.Balance }},
		{"paid_out", "int", "what the promoter was paid in this unit, by FirstPromoter", func(f *Facts) any { return &f.PaidOut }},
		{"payouts", "int", "how many payouts left for the promoter before, by this ledger", func(f *Facts) any { return &f.Payouts }},
		{"new_destination", "bool", "the provider never paid to this cust_id and email address of the promoter", func(f *Facts) any { return &f.NewDestination }},
		{"paid_today", "int", "what left for the promoter in this unit today (UTC), this reward left out", func(f *Facts) any { return &f.PaidToday }},
		{"payouts_today", "int", "in how many payouts", func(f *Facts) any { return &f.PayoutsToday }},
		{"paid_30d", "int", "what left for the promoter in this unit today and in the 30 UTC days before, this reward left out", func(f *Facts) any { return &f.Paid30Days }},
		{"payouts_30d", "int", "in how many payouts", func(f *Facts) any { return &f.Payouts30Days }},
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

// MarshalJSON writes the facts by their names. One that is not known is left
// out.
func (f Facts) MarshalJSON() ([]byte, error) {
	named := map[string]any{}
	for _, fact := range FactList() {
		switch value := fact.of(&f).(type) {
		case *Number:
			if value.Known {
				named[fact.Name] = value.Value
			}
		default:
			named[fact.Name] = value
		}
	}
	return json.Marshal(named)
}

// UnmarshalJSON reads facts by their names. One that is left out is zero, or
// not known; a name that is no fact, a fraction and a value of another type are
// errors.
func (f *Facts) UnmarshalJSON(data []byte) error {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(data, &named); err != nil {
		return fmt.Errorf("the facts are not a JSON object: %w", err)
	}
	*f = Facts{}
	for _, fact := range FactList() {
		raw, given := named[fact.Name]
		if !given {
			continue
		}
		delete(named, fact.Name)
		target := fact.of(f)
		if number, ok := target.(*Number); ok {
			number.Known, target = true, &number.Value
		}
		if err := json.Unmarshal(raw, target); err != nil || string(raw) == "null" {
			return fmt.Errorf("%s is not of type %s", fact.Name, fact.Type)
		}
	}
	for name := range named {
		return fmt.Errorf("%q is no fact%s; there are %s", name, didYouMean(name, factNames()), allowedFacts())
	}
	return nil
}

// activation gives an expression the values of the facts, without a map of
// them.
type activation struct {
	facts *Facts
	list  []Fact
}

// Parent returns nil: there is no wider scope.
func (a activation) Parent() cel.Activation { return nil }

// ResolveName returns the value of one fact; false for one that is not known.
func (a activation) ResolveName(name string) (any, bool) {
	i := slices.IndexFunc(a.list, func(f Fact) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	switch value := a.list[i].of(a.facts).(type) {
	case *string:
		return types.String(*value), true
	case *int64:
		return types.Int(*value), true
	case *bool:
		return types.Bool(*value), true
	case *Number:
		if value.Known {
			return types.Int(value.Value), true
		}
	}
	return nil, false
}
