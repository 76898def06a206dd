package stripe

import (
	"fmt"
	"math"
	"strings"

	"github.com/bojanz/currency"
)

// price returns count times value in Stripe's own minor units. Value is in
// minor units of ISO 4217. The fault says why it cannot be had exactly.
func price(count, value int64, code string) (int64, error) {
	if value != 0 && count > math.MaxInt64/value {
		return 0, invalid(fmt.Sprintf("%d times %d %s (minor units) is beyond any amount", count, value, code))
	}
	return stripeAmount(count*value, code)
}

// stripeAmount converts minor units of ISO 4217 into those that Stripe counts
// in. They differ for a few currencies (https://docs.stripe.com/currencies,
// "zero-decimal", "three-decimal" and "special cases"). Nothing is rounded.
func stripeAmount(minor int64, code string) (int64, error) {
	iso, known := currency.GetDigits(code)
	if !known {
		return 0, invalid(fmt.Sprintf("%.10q is not a currency of ISO 4217", code))
	}
	for digits := stripeDigits(code, iso); iso < digits; iso++ {
		if minor > math.MaxInt64/10 {
			return 0, invalid(fmt.Sprintf("%d %s (minor units) is beyond any amount", minor, code))
		}
		minor *= 10
	}
	for digits := stripeDigits(code, iso); iso > digits; iso-- {
		if minor%10 != 0 {
			return 0, declined("Stripe takes no fraction of " + code + ": the amount is not a whole number of it")
		}
		minor /= 10
	}
	if iso == 3 && minor%10 != 0 {
		return 0, declined("Stripe takes two decimals of " + code + ": the last of the three is not zero")
	}
	return minor, nil
}

// stripeDigits returns how many decimals Stripe's minor unit has.
func stripeDigits(code string, iso uint8) uint8 {
	switch code {
	case "ISK", "UGX":
		return 2
	case "MGA":
		return 0
	}
	return iso
}

// amountText shows an amount in Stripe's minor units.
func amountText(amount int64, code string) string {
	return fmt.Sprintf("%d %s (minor units)", amount, strings.ToUpper(code))
}
