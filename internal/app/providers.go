package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/manual"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

// providers builds every configured provider, by its name. The error holds
// what is wrong with any of them.
func providers(cfg *config.Config) (map[string]payout.Provider, error) {
	built := make(map[string]payout.Provider, len(cfg.Providers))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		provider, err := NewProvider(name, cfg.Providers[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		built[name] = provider
	}
	return built, errors.Join(errs...)
}

// NewProvider builds one provider, which calls nobody before it is asked to. Its
// error names keys of the configuration, and holds no secret. What comes with an
// error is not to be used.
func NewProvider(name string, p config.Provider) (payout.Provider, error) {
	switch p.Type {
	case config.ProviderManual:
		return manual.New(name), nil
	case config.ProviderWebhook:
		return webhook.New(webhookConfig(name, p))
	case config.ProviderStripe:
		return stripe.New(stripeConfig(name, p))
	case config.ProviderPayPal:
		return paypal.New(paypalConfig(name, p))
	case config.ProviderTremendous:
		return tremendous.New(tremendousConfig(name, p))
	}
	return nil, fmt.Errorf("provider %q: its type %q is not known", name, p.Type)
}

func webhookConfig(name string, p config.Provider) webhook.Config {
	c := webhook.Config{
		Name: name, URL: p.URL, Secret: p.Secret.Reveal(),
		AllowPrivateNetworks: p.AllowPrivateNetworks, Timeout: p.Timeout,
	}
	for _, s := range p.Secrets {
		c.OtherSecrets = append(c.OtherSecrets, s.Reveal())
	}
	return c
}

func stripeConfig(name string, p config.Provider) stripe.Config {
	return stripe.Config{
		Name: name, APIKey: p.APIKey.Reveal(), BaseURL: p.BaseURL,
		SkipEmailMatch: !p.RequireEmailMatch, Timeout: p.Timeout,
		CreditValue: p.CreditValue, DiscountValue: p.DiscountValue,
	}
}

func paypalConfig(name string, p config.Provider) paypal.Config {
	return paypal.Config{
		Name: name, ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), BaseURL: p.BaseURL,
		UnclaimedCountsAsPaid: p.UnclaimedCountsAsPaid, Timeout: p.Timeout,
	}
}

func tremendousConfig(name string, p config.Provider) tremendous.Config {
	return tremendous.Config{
		Name: name, APIKey: p.APIKey.Reveal(), BaseURL: p.BaseURL,
		CampaignID: p.CampaignID, Products: p.Products, FundingSourceID: p.FundingSourceID, Timeout: p.Timeout,
	}
}
