package tremendous

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// maxDigits is how many digits every decimal keeps in a double, which is what
// Tremendous reads a denomination as.
const maxDigits = 15

// currencies are the codes that Tremendous's API takes for the value of a
// reward, as its own client of version 5.29.0 lists them
// (https://github.com/tremendous-rewards/tremendous-ruby/blob/main/lib/tremendous/models/reward_value.rb).
const currencies = " USD CAD EUR AED AFN ALL AMD ARS AUD AZN BAM BDT BHD BIF BND BOB BRL BWP BYN BZD CDF CHF CLP CNY COP CRC" +
	" CVE CZK DJF DKK DOP DZD EGP ERN ETB GBP GEL GHS GNF GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES" +
	" KHR KRW KWD KZT LBP LKR MAD MDL MGA MKD MMK MOP MUR MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PHP PKR PLN" +
	" PYG QAR RON RSD RUB RWF SAR SDG SEK SGD SOS SYP THB TND TOP TRY TTD TWD TZS UAH UGX UYU UZS VEF VND XAF XOF YER ZAR "

// denomination writes minor units of a currency as Tremendous wants them: a
// JSON number in major units, with the currency's decimals. It never rounds, and
// no float comes near it.
func denomination(minor int64, code string) (json.Number, error) {
	digits, ok := currency.GetDigits(code)
	if !ok {
		return "", fmt.Errorf("%.10q is not a currency of ISO 4217", code)
	}
	if !strings.Contains(currencies, " "+code+" ") {
		return "", fmt.Errorf("there are no rewards in %s at Tremendous: route it to another provider", code)
	}
	text := strconv.FormatInt(minor, 10)
	if len(text) > maxDigits {
		return "", fmt.Errorf("the amount has more than the %d digits that Tremendous can read exactly", maxDigits)
	}
	if digits == 0 {
		return json.Number(text), nil
	}
	places := int(digits)
	if missing := places + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - places
	return json.Number(text[:point] + "." + text[point:]), nil
}

// sameNumber reports whether two JSON numbers are the same.
func sameNumber(a, b json.Number) bool {
	x, xerr := exact(a)
	y, yerr := exact(b)
	return xerr == nil && yerr == nil && x.Cmp(y) == 0
}

// exact reads a plain decimal. An exponent is no way to write an amount, and
// could be one that fills the memory.
func exact(n json.Number) (*big.Rat, error) {
	text := string(n)
	if text == "" || len(text) > 40 || strings.Trim(text, "0123456789.-") != "" {
		return nil, errors.New("it is not a plain decimal")
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errors.New("it is not a plain decimal")
	}
	return r, nil
}
