package paypal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// decimals returns how many decimals an amount of the currency has in ISO 4217
// and how many it has at PayPal, which takes none for three currencies
// (https://developer.paypal.com/docs/api/reference/currency-codes/).
func decimals(code string) (iso, paypal int, ok bool) {
	digits, ok := currency.GetDigits(code)
	if !ok {
		return 0, 0, false
	}
	switch code {
	case "HUF", "JPY", "TWD":
		return int(digits), 0, true
	}
	return int(digits), int(digits), true
}

// wireValue writes minor units of a currency as PayPal wants them: a decimal in
// text. It never rounds: what PayPal cannot express is an error in words.
func wireValue(minor int64, code string) (string, error) {
	iso, paypal, ok := decimals(code)
	if !ok {
		return "", fmt.Errorf("%.10q is not a currency of ISO 4217", code)
	}
	for range iso - paypal {
		if minor%10 != 0 {
			return "", fmt.Errorf("PayPal pays %s in whole units only, and the amount is not one: nothing is rounded", code)
		}
		minor /= 10
	}
	text := strconv.FormatInt(minor, 10)
	if paypal == 0 {
		return text, nil
	}
	if missing := paypal + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - paypal
	return text[:point] + "." + text[point:], nil
}

// sameValue reports whether two decimals in text are the same number.
func sameValue(a, b string) bool {
	x, xok := normalised(a)
	y, yok := normalised(b)
	return xok && yok && x == y
}

// normalised drops the zeros that do not count. It accepts digits with at most
// one point among them, and nothing else.
func normalised(text string) (string, bool) {
	whole, fraction, pointed := strings.Cut(text, ".")
	if whole == "" || pointed && fraction == "" {
		return "", false
	}
	for _, c := range whole + fraction {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return strings.TrimLeft(whole, "0") + "." + strings.TrimRight(fraction, "0"), true
}
