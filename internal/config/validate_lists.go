package config

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/bojanz/currency"

	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/suggest"
)

// minSigningKey is the least length in bytes of a key that signs webhooks, by
// the Standard Webhooks specification
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const minSigningKey = 24

const (
	allowedSecret = "24 characters or more, or whsec_ and base64 of 24 bytes or more; make one with: openssl rand -base64 32"
	allowedURL    = "an absolute https URL without credentials; http with allow_private_networks: true"
)

// onlyWith refuses keys that mean nothing here.
func (d *decoder) onlyWith(key, condition string, names ...string) {
	for _, name := range names {
		if d.given(childKey(key, name)) {
			d.mistake(childKey(key, name), "has no meaning here", "only with "+condition)
		}
	}
}

// checkEndpoint checks a URL that is called with a signature. No message
// repeats it: some services put a credential into it.
func (d *decoder) checkEndpoint(key, text string, allowPrivate bool) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		d.mistake(key, "is missing", allowedURL)
	case err != nil || u.Hostname() == "":
		d.mistake(key, "is not an absolute URL", allowedURL)
	case u.User != nil:
		d.mistake(key, "holds a user name or password", allowedURL)
	case u.Fragment != "":
		d.mistake(key, "has a fragment (#)", allowedURL)
	case u.Scheme != "https" && u.Scheme != "http":
		d.mistake(key, "is neither https nor http", allowedURL)
	case u.Scheme == "http" && !allowPrivate:
		d.mistake(key, "is not https", allowedURL)
	case !allowPrivate && isPrivateHost(u.Hostname()):
		d.mistake(key, "leads into a private network", "an address outside of private networks, or allow_private_networks: true")
	}
}

// isPrivateHost judges addresses only: where a name leads is judged when it is
// dialled.
func isPrivateHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}

func (d *decoder) checkSigningSecret(key string, s Secret) {
	bytes := len(s.Reveal())
	if encoded, ok := strings.CutPrefix(s.Reveal(), "whsec_"); ok {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			d.mistake(key, "does not hold padded standard base64 after whsec_", allowedSecret)
			return
		}
		bytes = len(decoded)
	}
	switch {
	case bytes == 0:
		d.mistake(key, "is missing", allowedSecret)
	case bytes < minSigningKey:
		d.mistake(key, fmt.Sprintf("has %d bytes", bytes), allowedSecret)
	}
}

func (c *Config) validateRoutes(d *decoder) {
	providers := slices.Sorted(maps.Keys(c.Providers))
	for i, r := range c.Routes {
		key := itemKey("routes", i)
		if r.Campaign < 0 || r.Campaign == 0 && d.given(key+".campaign") {
			d.mistake(key+".campaign", "is not above zero", "the ID of a campaign; leave it out for every campaign")
		}
		switch {
		case r.Currency != "" && r.Unit != reward.Cash:
			d.mistake(key+".currency", "only cash has a currency", "leave it out, or add unit: cash")
		case r.Currency == "" && r.Unit == reward.Cash:
			d.mistake(key+".currency", "is missing, and events of FirstPromoter name none", "an ISO 4217 code such as USD")
		case r.Currency != "" && !currency.IsValid(r.Currency):
			d.mistake(key+".currency", d.shown(key+".currency")+"is not a currency", "an ISO 4217 code in upper case, such as USD")
		}
		if len(providers) == 0 && r.Provider != "" {
			d.mistake(key+".provider", d.shown(key+".provider")+"is not configured", "add it under providers, of which there are none")
			continue
		}
		d.oneOf(key+".provider", r.Provider, providers)
	}
}

func (c *Config) validateBrake(d *decoder) {
	units := c.units()
	for _, caps := range []struct {
		key    string
		limits Limits
	}{
		{"brake.max_single", c.Brake.MaxSingle},
		{"brake.max_per_day", c.Brake.MaxPerDay},
		{"brake.max_per_promoter_per_day", c.Brake.MaxPerPromoterPerDay},
		{"brake.max_per_campaign_per_day", c.Brake.MaxPerCampaignPerDay},
	} {
		for _, unit := range slices.Sorted(maps.Keys(caps.limits)) {
			key := childKey(caps.key, unit)
			switch {
			case unit == string(reward.Cash):
				d.mistake(key, "cash is capped under its currency", "an ISO 4217 code, such as USD: 500000 for 5000.00 USD")
			case !slices.Contains(units, unit) && !currency.IsValid(unit):
				message := "is neither a unit nor a currency, so it would cap nothing"
				if near := suggest.Nearest(unit, append(units, strings.ToUpper(unit))); near != "" && (slices.Contains(units, near) || currency.IsValid(near)) {
					message += fmt.Sprintf(", did you mean %q?", near)
				}
				d.mistake(key, message, strings.Join(units, ", ")+", or an ISO 4217 code such as USD")
			case caps.limits[unit] <= 0:
				d.mistake(key, "is not above zero", "a whole number above zero; leave it out for no cap, and pause the brake to stop everything")
			}
		}
	}
}

func (c *Config) validateOperators(d *decoder) {
	names, tokens := map[string]int{}, map[string]int{}
	empty := sha256.Sum256(nil)
	for i, o := range c.Operators {
		key := itemKey("operators", i)
		if first, twice := names[o.Name]; twice {
			d.mistake(key+".name", fmt.Sprintf("is the name of operators[%d], too", first), "a name for each operator")
		}
		if !regexp.MustCompile(`^[\pL\pN][\pL\pN ._@+-]{0,63}$`).MatchString(o.Name) {
			d.mistake(key+".name", "is missing or not a name", "up to 64 letters, digits, spaces and . _ @ + -")
		}
		digest, err := hex.DecodeString(o.TokenSHA256)
		const howTo = "64 hexadecimal digits: printf %s \"$TOKEN\" | sha256sum"
		switch first, twice := tokens[o.TokenSHA256]; {
		case err != nil || len(digest) != sha256.Size:
			d.mistake(key+".token_sha256", "is not a SHA-256", howTo)
		case string(digest) == string(empty[:]):
			d.mistake(key+".token_sha256", "is the SHA-256 of nothing", howTo)
		case twice:
			d.mistake(key+".token_sha256", fmt.Sprintf("is the token of operators[%d], too", first), "a token for each operator")
		}
		names[o.Name], tokens[o.TokenSHA256] = i, i
		if len(o.Roles) == 0 {
			d.mistake(key+".roles", "is missing", strings.Join(Roles(), ", "))
		}
		for j, role := range o.Roles {
			d.oneOf(itemKey(key+".roles", j), role, Roles())
		}
	}
}
