package stripe

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// DefaultBaseURL is Stripe's API.
const DefaultBaseURL = "https://api.stripe.com"

// Config describes one Stripe account.
type Config struct {
	// Name is the configured name of the provider, the one that routes use.
	Name string
	// APIKey is a restricted (rk_...) or secret (sk_...) key.
	APIKey string
	// BaseURL is where the API is; empty means DefaultBaseURL. It is https, or
	// http to a loopback address.
	BaseURL string
	// SkipEmailMatch pays a customer or connected account whose e-mail address
	// is not the promoter's. False, the default, declines it: in some set-ups
	// the promoter chose the cust_id.
	SkipEmailMatch bool
	// Timeout bounds each call; zero means egress.DefaultTimeout. A payout
	// takes up to five calls, and all of them end with the context.
	Timeout time.Duration
	// CreditValue says what one credit is worth: minor units (ISO 4217) by
	// upper-case currency. The customer's own currency picks the entry.
	// Without an entry credits are declined: there is no default.
	CreditValue map[string]int64
	// DiscountValue says what one discount_mon is, in the same way: 1 where
	// FirstPromoter counts in cents, 100 where it counts in dollars.
	DiscountValue map[string]int64
	// Now reads the dates in Retry-After; nil means time.Now.
	Now func() time.Time
}

// check returns the base URL, or a fault with all that is wrong.
func (c Config) check() (string, error) {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: it is missing"))
	}
	if err := checkKey(c.APIKey); err != nil {
		errs = append(errs, err)
	}
	base := c.BaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	if err := checkURL(base); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, checkValues("credit_value", c.CreditValue), checkValues("discount_value", c.DiscountValue))
	if err := errors.Join(errs...); err != nil {
		return "", fault.Wrap(fault.Invalid, "stripe.new",
			fmt.Sprintf("provider %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	return strings.TrimSuffix(base, "/"), nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("api_key: it is missing")
	case strings.HasPrefix(key, "pk_"):
		return errors.New("api_key: it is a publishable key, which cannot pay: use a restricted key (rk_...)")
	case !strings.HasPrefix(key, "rk_") && !strings.HasPrefix(key, "sk_"), !plainID(key):
		return errors.New("api_key: it is neither a restricted key (rk_...) nor a secret key (sk_...)")
	}
	return nil
}

// checkURL does not repeat the URL: it may hold a password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("base_url: it is not an absolute URL such as " + DefaultBaseURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return errors.New("base_url: it is more than scheme, host and port")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return errors.New("base_url: http is for loopback addresses only: use https")
	}
	return errors.New("base_url: its scheme is neither https nor http")
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

func checkValues(name string, values map[string]int64) error {
	var errs []error
	for _, code := range slices.Sorted(maps.Keys(values)) {
		switch {
		case code != strings.ToUpper(code) || !currency.IsValid(code):
			errs = append(errs, fmt.Errorf("%s: %.10q is not an ISO 4217 currency in upper case", name, code))
		case values[code] <= 0:
			errs = append(errs, fmt.Errorf("%s: %s is %d, and must be above zero", name, code, values[code]))
		}
	}
	return errors.Join(errs...)
}
