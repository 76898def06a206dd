package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bojanz/currency"
)

// Where the providers of these types are, unless base_url says otherwise.
const (
	stripeURL     = "https://api.stripe.com"
	paypalURL     = "https://api-m.paypal.com"
	tremendousURL = "https://api.tremendous.com/api/v2"
)

// tremendousBalance is the funding source that every account at Tremendous has.
const tremendousBalance = "balance"

// maxTimeout lets a call end before the activity around it does, which has 15
// seconds: an attempt that the activity cut off could not say what happened.
const maxTimeout = 14 * time.Second

// providerTypes returns the supported types.
func providerTypes() []string {
	return []string{ProviderWebhook, ProviderManual, ProviderStripe, ProviderPayPal, ProviderTremendous}
}

// providerKeys returns the keys that a type of provider has besides its type.
func providerKeys(kind string) []string {
	switch kind {
	case ProviderWebhook:
		return []string{"url", "secret", "secrets", "allow_private_networks", "payouts_per_minute", "timeout"}
	case ProviderStripe:
		return []string{"api_key", "base_url", "require_email_match", "credit_value", "discount_value", "payouts_per_minute", "timeout"}
	case ProviderPayPal:
		return []string{"client_id", "client_secret", "base_url", "unclaimed_counts_as_paid", "payouts_per_minute", "timeout"}
	case ProviderTremendous:
		return []string{"api_key", "base_url", "campaign_id", "products", "funding_source_id", "payouts_per_minute", "timeout"}
	}
	return nil
}

// complete returns the provider with the defaults of its type. given says
// whether a key of it was given a value.
func (p Provider) complete(given func(name string) bool) Provider {
	if slices.Contains(providerKeys(p.Type), "timeout") && !given("timeout") {
		p.Timeout = defaultTimeout
	}
	if p.Type == ProviderStripe && !given("require_email_match") {
		p.RequireEmailMatch = true
	}
	if p.Type == ProviderTremendous && !given("funding_source_id") {
		p.FundingSourceID = tremendousBalance
	}
	if !given("base_url") {
		p.BaseURL = map[string]string{
			ProviderStripe: stripeURL, ProviderPayPal: paypalURL, ProviderTremendous: tremendousURL,
		}[p.Type]
	}
	p.BaseURL = strings.TrimRight(p.BaseURL, "/")
	return p
}

func (c *Config) validateProviders(d *decoder) {
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		key := childKey("providers", name)
		switch {
		case !regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`).MatchString(name):
			d.mistake(key, "is not a name for a provider", "up to 32 of a-z, 0-9, _ and -, beginning with a letter")
		case name == "all" || name == "by_hand":
			d.mistake(key, "is a name with a meaning of its own", "any other name")
		}
		d.checkProvider(key, c.Providers[name])
	}
}

func (d *decoder) checkProvider(key string, p Provider) {
	if !d.oneOf(key+".type", p.Type, providerTypes()) {
		return
	}
	d.checkProviderKeys(key, p.Type)
	switch p.Type {
	case ProviderWebhook:
		d.checkEndpoint(key+".url", p.URL, p.AllowPrivateNetworks)
		d.checkSigningSecret(key+".secret", p.Secret)
		for i, s := range p.Secrets {
			d.checkSigningSecret(itemKey(key+".secrets", i), s)
		}
	case ProviderStripe:
		d.checkStripeKey(key+".api_key", p.APIKey)
		d.checkAPI(key+".base_url", p.BaseURL, stripeURL)
		d.checkValues(key+".credit_value", p.CreditValue)
		d.checkValues(key+".discount_value", p.DiscountValue)
	case ProviderPayPal:
		d.checkPayPalCredential(key+".client_id", p.ClientID)
		d.checkPayPalCredential(key+".client_secret", p.ClientSecret.Reveal())
		d.checkAPI(key+".base_url", p.BaseURL, paypalURL)
	case ProviderTremendous:
		d.checkTremendous(key, p)
	case ProviderManual:
		return
	}
	d.checkTimeout(key+".timeout", p.Timeout)
	if p.PayoutsPerMinute < 0 || p.PayoutsPerMinute > maxPayoutsPerMinute {
		d.mistake(key+".payouts_per_minute", fmt.Sprintf("%d is out of range", p.PayoutsPerMinute), fmt.Sprintf("1 to %d, or 0 for no limit", maxPayoutsPerMinute))
	}
}

// maxPayoutsPerMinute is more than any provider takes.
const maxPayoutsPerMinute = 60_000

// checkProviderKeys refuses the keys that only other types have.
func (d *decoder) checkProviderKeys(key, kind string) {
	for _, name := range fieldNames(reflect.TypeFor[Provider]()) {
		if name == "type" || slices.Contains(providerKeys(kind), name) {
			continue
		}
		var having []string
		for _, other := range providerTypes() {
			if slices.Contains(providerKeys(other), name) {
				having = append(having, other)
			}
		}
		d.onlyWith(key, "type: "+strings.Join(having, " or "), name)
	}
}

func (d *decoder) checkTimeout(key string, timeout time.Duration) {
	const allowed = "a duration such as 10s, at most 14s"
	switch {
	case timeout <= 0:
		d.mistake(key, "is not above zero", allowed)
	case timeout > maxTimeout:
		d.mistake(key, fmt.Sprintf("%s is too long, because a payout's call has 15s in all", timeout), allowed)
	}
}

// checkAPI checks the base URL of a provider with one API, which has a path
// where the usual one has. No message repeats it.
func (d *decoder) checkAPI(key, text, usual string) {
	message, parts := checkBaseURL(text), "scheme and host"
	hasPath, wantsPath := pathOf(text) != "", pathOf(usual) != ""
	if wantsPath {
		parts = "scheme, host and path"
	}
	switch {
	case message != "":
	case hasPath && !wantsPath:
		message = "has a path"
	case !hasPath && wantsPath:
		message = "has no path"
	}
	if message != "" {
		d.mistake(key, message, parts+", such as "+usual+"; http only to a loopback address")
	}
}

// pathOf returns the path of a URL, which is empty where it cannot be read.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Path
}

// checkStripeKey knows the prefixes of Stripe's keys
// (https://docs.stripe.com/keys).
func (d *decoder) checkStripeKey(key string, s Secret) {
	const allowed = "a restricted key (rk_...) or a secret key (sk_...) from Stripe's dashboard"
	text := s.Reveal()
	switch {
	case text == "":
		d.mistake(key, "is missing", allowed)
	case strings.HasPrefix(text, "pk_"):
		d.mistake(key, "is a publishable key, which cannot pay", allowed)
	case !regexp.MustCompile(`^[rs]k_[A-Za-z0-9_-]+$`).MatchString(text):
		d.mistake(key, "is not a key of Stripe", allowed)
	}
}

// checkPayPalCredential accepts what HTTP Basic authentication carries
// unchanged.
func (d *decoder) checkPayPalCredential(key, text string) {
	const allowed = "as PayPal's developer dashboard shows it for a REST app with Payouts"
	switch {
	case text == "":
		d.mistake(key, "is missing", allowed)
	case !regexp.MustCompile(`^[!-9;-~]+$`).MatchString(text):
		d.mistake(key, "holds a space, a colon or a character beyond ASCII", allowed)
	}
}

// checkTremendous checks what Tremendous takes for a key and for its IDs
// (https://developers.tremendous.com/reference/create-order).
func (d *decoder) checkTremendous(key string, p Provider) {
	const (
		allowedKey = "as Tremendous's dashboard shows it under Team settings, Developers"
		allowedID  = "an ID as Tremendous's dashboard or API shows it: 4 to 20 of A-Z and 0-9"
	)
	switch text := p.APIKey.Reveal(); {
	case text == "":
		d.mistake(key+".api_key", "is missing", allowedKey)
	case !regexp.MustCompile(`^[!-~]+$`).MatchString(text):
		d.mistake(key+".api_key", "holds a space or a character beyond ASCII", allowedKey)
	}
	d.checkAPI(key+".base_url", p.BaseURL, tremendousURL)
	id := regexp.MustCompile(`^[A-Z0-9]{4,20}$`)
	switch {
	case p.CampaignID == "" && len(p.Products) == 0:
		d.mistake(key+".campaign_id", "is missing, and so is products: one of them says what the receiver can choose from", allowedID)
	case p.CampaignID != "" && !id.MatchString(p.CampaignID):
		d.mistake(key+".campaign_id", "is not an ID of Tremendous", allowedID)
	}
	for i, product := range p.Products {
		if !id.MatchString(product) {
			d.mistake(itemKey(key+".products", i), "is not an ID of Tremendous", allowedID)
		}
	}
	if p.FundingSourceID != tremendousBalance && !id.MatchString(p.FundingSourceID) {
		d.mistake(key+".funding_source_id", "is not an ID of Tremendous", tremendousBalance+", or "+allowedID)
	}
}

// checkValues checks what one of a unit is worth, by currency.
func (d *decoder) checkValues(key string, values Limits) {
	for _, code := range slices.Sorted(maps.Keys(values)) {
		at := childKey(key, code)
		switch upper := strings.ToUpper(code); {
		case code != upper && currency.IsValid(upper):
			d.mistake(at, fmt.Sprintf("is not a currency, did you mean %q?", upper), "an ISO 4217 code in upper case, such as USD")
		case !currency.IsValid(code):
			d.mistake(at, "is not a currency", "an ISO 4217 code in upper case, such as USD")
		case values[code] <= 0:
			d.mistake(at, "is not above zero", "a whole number of minor units above zero, such as 100 for 1.00 USD")
		}
	}
}
