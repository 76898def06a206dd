package cli

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"

	"code.dny.dev/ssrf"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// checkProvider looks where a provider's payouts go, and asks it whether it
// would take them. It pays nothing.
func checkProvider(ctx context.Context, cfg *config.Config, name string) (string, error) {
	configured := cfg.Providers[name]
	if configured.Type == config.ProviderManual {
		return "people pay, and say so", nil
	}
	key, text := "url", configured.URL
	if configured.Type != config.ProviderWebhook {
		key, text = "base_url", configured.BaseURL
	}
	host, err := resolve(ctx, configured, key, text)
	if err != nil {
		return "", err
	}
	provider, err := app.NewProvider(name, configured)
	if err != nil {
		return "", &failure{message: fault.Message(err), next: "correct it; docs/configuration.md describes every key"}
	}
	checker, ok := provider.(payout.Checker)
	if !ok {
		return host + " is resolved", nil
	}
	words, err := checker.Check(ctx, unitsOf(cfg.Routes, name))
	switch {
	case err == nil:
		return host + ": " + words, nil
	case fault.Is(err, fault.Throttled):
		return host + ": it answers, and asks to call less often, so nothing else is known", nil
	}
	return "", &failure{message: host + ": " + fault.Message(err), next: advice(fault.KindOf(err), configured.Type, key)}
}

// resolve returns the host that payouts go to, once its name leads somewhere
// that they may go.
func resolve(ctx context.Context, provider config.Provider, key, text string) (string, error) {
	address, err := url.Parse(text)
	if err != nil || address.Hostname() == "" {
		return "", &failure{message: "its " + key + " is not a URL", next: "correct it in the configuration"}
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", address.Hostname())
	if err != nil {
		return "", &failure{
			message: address.Hostname() + " cannot be resolved",
			next:    "check the provider's " + key + ", and the name service of this machine",
		}
	}
	guarded := provider.Type == config.ProviderWebhook && !provider.AllowPrivateNetworks
	if guarded && !slices.ContainsFunc(addresses, public) {
		return "", &failure{
			message: address.Hostname() + " is in a private network, where payouts are not sent",
			next:    "set allow_private_networks: true for this provider if that is where it belongs",
		}
	}
	return address.Hostname(), nil
}

// public judges an address as package egress does when it connects.
func public(a netip.Addr) bool {
	network := "tcp4"
	if a = a.Unmap(); a.Is6() {
		network = "tcp6"
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithNetworks("tcp4", "tcp6"))
	return guard.Safe(network, netip.AddrPortFrom(a, 443).String(), nil) == nil
}

// unitsOf returns the units of which some reward goes to a provider. Cash goes
// by a route of its own only: the others name no currency.
func unitsOf(routes []config.Route, provider string) []reward.Unit {
	var units []reward.Unit
	for _, unit := range []reward.Unit{
		reward.Credits, reward.FreeMonths, reward.DiscountPer, reward.DiscountMon, reward.Points, reward.Cash,
	} {
		for _, route := range routes {
			if route.Unit != "" && route.Unit != unit {
				continue
			}
			if route.Provider == provider && (unit != reward.Cash || route.Unit == reward.Cash) {
				units = append(units, unit)
				break
			}
			if route.Campaign == 0 {
				break // Nothing of the unit gets past it.
			}
		}
	}
	return units
}

// advice says what to do about a provider that would not take payouts.
func advice(kind fault.Kind, kindOfProvider, key string) string {
	page := "docs/providers/" + kindOfProvider + ".md"
	switch kind {
	case fault.Denied:
		return map[string]string{
			config.ProviderWebhook:    "set the provider's secret to the one that the receiver verifies with, and see that both clocks are right",
			config.ProviderStripe:     "copy the key from the Stripe Dashboard into api_key, and give it the permissions that " + page + " lists",
			config.ProviderPayPal:     "copy client_id and client_secret from the app at developer.paypal.com, of the environment of base_url, and give the app the feature Payouts: " + page,
			config.ProviderTremendous: "copy an API key with the permission read_write into api_key, of the environment of base_url: " + page,
		}[kindOfProvider]
	case fault.NotFound, fault.Declined:
		return "correct it in the configuration, or at the provider: " + page
	case fault.Invalid, fault.Conflict:
		return "check the provider's " + key + "; " + page + " says what must answer there"
	case fault.Unavailable, fault.Ambiguous, fault.Throttled:
		return "see that this machine may reach the provider's " + key + ", and ask again"
	case fault.Internal:
	}
	return "see " + page
}
