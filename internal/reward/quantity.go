package reward

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Unit is what a quantity counts. It is open: an event may bring a unit that
// is not in the list, and such a reward waits for a person.
type Unit string

// The units that FirstPromoter documents.
const (
	Credits    Unit = "credits"
	Points     Unit = "points"
	FreeMonths Unit = "free_months"
	// DiscountPer is a discount in per cent.
	DiscountPer Unit = "discount_per"
	// DiscountMon is a fixed discount. Whether FirstPromoter counts it in
	// minor units is not documented, so it needs a rule of its own to be paid.
	DiscountMon Unit = "discount_mon"
	// Cash is money: minor units of a currency that the route names, because
	// the event does not.
	Cash Unit = "cash"
)

// Known reports whether the unit is one that FirstPromoter documents.
func (u Unit) Known() bool {
	switch u {
	case Credits, Points, FreeMonths, DiscountPer, DiscountMon, Cash:
		return true
	}
	return false
}

// Quantity is a whole number of a unit, or money: minor units and an ISO 4217
// currency. It is never a float, and cash is never without a currency once it
// is to be paid.
type Quantity struct {
	// Amount counts whole units; for cash, minor units of Currency.
	Amount int64 `json:"amount"`
	Unit   Unit  `json:"unit"`
	// Currency is an ISO 4217 code in upper case for cash, empty otherwise.
	Currency string `json:"currency,omitempty"`
}

// Payable says why a quantity cannot be paid, or nil.
func (q Quantity) Payable() error {
	switch {
	case q.Unit == "":
		return errors.New("the unit is missing")
	case q.Amount <= 0:
		return fmt.Errorf("the amount is %d, and only amounts above zero can be paid", q.Amount)
	case q.Unit == Cash && q.Currency == "":
		return errors.New("cash has no currency: name it in the route")
	case q.Unit != Cash && q.Currency != "":
		return fmt.Errorf("%s cannot have the currency %s", q.Unit, q.Currency)
	}
	return nil
}

// String returns the quantity for people: "3 free_months", "1250 USD (minor units)".
func (q Quantity) String() string {
	if q.Unit == Cash && q.Currency != "" {
		return strconv.FormatInt(q.Amount, 10) + " " + q.Currency + " (minor units)"
	}
	return strconv.FormatInt(q.Amount, 10) + " " + string(q.Unit)
}

// ParseAmount reads a whole amount as FirstPromoter writes it: a JSON number
// or a string of one. A fraction, an exponent and anything beyond int64 are
// refused: an amount is never rounded.
func ParseAmount(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if whole, ok := strings.CutSuffix(s, ".0"); ok {
		s = whole
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the amount %.40q is not a whole number of at most 63 bits", s)
	}
	return n, nil
}
