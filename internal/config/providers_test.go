package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
)

func stripeProvider(more string) string {
	return "providers: {p: {type: stripe, api_key: rk_s3cret" + more + "}}"
}

func paypalProvider(more string) string {
	return "providers: {p: {type: paypal, client_id: id, client_secret: s3cret" + more + "}}"
}

func tremendousProvider(more string) string {
	return "providers: {p: {type: tremendous, api_key: s3cret, campaign_id: CAMPAIGN1234" + more + "}}"
}

func TestDefaultsOfProviders(t *testing.T) {
	t.Parallel()

	stripe := mustParse(t, required+stripeProvider(""), nil).Providers["p"]
	require.Equal(t, config.Provider{
		Type: config.ProviderStripe, APIKey: "rk_s3cret", BaseURL: "https://api.stripe.com", RequireEmailMatch: true, Timeout: 10 * time.Second,
	}, stripe)
	paypal := mustParse(t, required+paypalProvider(""), nil).Providers["p"]
	require.Equal(t, config.Provider{
		Type: config.ProviderPayPal, ClientID: "id", ClientSecret: "s3cret", BaseURL: "https://api-m.paypal.com", Timeout: 10 * time.Second,
	}, paypal)
	tremendous := mustParse(t, required+tremendousProvider(""), nil).Providers["p"]
	require.Equal(t, config.Provider{
		Type: config.ProviderTremendous, APIKey: "s3cret", BaseURL: "https://api.tremendous.com/api/v2",
		CampaignID: "CAMPAIGN1234", FundingSourceID: "balance", Timeout: 10 * time.Second,
	}, tremendous)
	require.Equal(t, config.Provider{Type: config.ProviderManual},
		mustParse(t, required+"providers: {p: {type: manual}}", nil).Providers["p"])

	said := mustParse(t, required+stripeProvider(", require_email_match: false, timeout: 14s, base_url: 'http://127.0.0.1:9/'"), nil).Providers["p"]
	require.False(t, said.RequireEmailMatch)
	require.Equal(t, 14*time.Second, said.Timeout)
	require.Equal(t, "http://127.0.0.1:9", said.BaseURL)
	require.True(t, mustParse(t, required+stripeProvider(", require_email_match: "), nil).Providers["p"].RequireEmailMatch, "a key without a value has its default")
}

func TestProvidersFromTheEnvironment(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, required, environment{
		"REWARDFLOW_PROVIDERS_BILLING_TYPE":                     "stripe",
		"REWARDFLOW_PROVIDERS_BILLING_API_KEY_FILE":             write(t, "sk_live_1\n"),
		"REWARDFLOW_PROVIDERS_BILLING_REQUIRE_EMAIL_MATCH":      "false",
		"REWARDFLOW_PROVIDERS_BILLING_CREDIT_VALUE_USD":         "100",
		"REWARDFLOW_PROVIDERS_BILLING_DISCOUNT_VALUE":           "{EUR: 1}",
		"REWARDFLOW_PROVIDERS_PAYOUTS_TYPE":                     "paypal",
		"REWARDFLOW_PROVIDERS_PAYOUTS_BASE_URL":                 "https://api-m.sandbox.paypal.com",
		"REWARDFLOW_PROVIDERS_PAYOUTS_CLIENT_ID":                "id",
		"REWARDFLOW_PROVIDERS_PAYOUTS_CLIENT_SECRET_FILE":       write(t, "hush\n"),
		"REWARDFLOW_PROVIDERS_PAYOUTS_UNCLAIMED_COUNTS_AS_PAID": "true",
		"REWARDFLOW_PROVIDERS_GIFTS_TYPE":                       "tremendous",
		"REWARDFLOW_PROVIDERS_GIFTS_API_KEY_FILE":               write(t, "PROD_1\n"),
		"REWARDFLOW_PROVIDERS_GIFTS_BASE_URL":                   "https://testflight.tremendous.com/api/v2/",
		"REWARDFLOW_PROVIDERS_GIFTS_PRODUCTS":                   "[OKMHM2X2OHYV, ET0ZVETV5ILN]",
		"REWARDFLOW_PROVIDERS_GIFTS_FUNDING_SOURCE_ID":          "FUNDS1234567",
	})
	require.Equal(t, map[string]config.Provider{
		"billing": {
			Type: config.ProviderStripe, APIKey: "sk_live_1", BaseURL: "https://api.stripe.com", Timeout: 10 * time.Second,
			CreditValue: config.Limits{"USD": 100}, DiscountValue: config.Limits{"EUR": 1},
		},
		"payouts": {
			Type: config.ProviderPayPal, ClientID: "id", ClientSecret: "hush", BaseURL: "https://api-m.sandbox.paypal.com",
			UnclaimedCountsAsPaid: true, Timeout: 10 * time.Second,
		},
		"gifts": {
			Type: config.ProviderTremendous, APIKey: "PROD_1", BaseURL: "https://testflight.tremendous.com/api/v2",
			Products: []string{"OKMHM2X2OHYV", "ET0ZVETV5ILN"}, FundingSourceID: "FUNDS1234567", Timeout: 10 * time.Second,
		},
	}, cfg.Providers)
}

func TestSummaryOfProviders(t *testing.T) {
	t.Parallel()

	cfg := mustParse(t, required+stripeProvider(""), nil)
	require.Contains(t, cfg.Summary(), config.Setting{Key: "providers.p", Value: "stripe at https://api.stripe.com"})
	cfg = mustParse(t, required+tremendousProvider(""), nil)
	require.Contains(t, cfg.Summary(), config.Setting{Key: "providers.p", Value: "tremendous at https://api.tremendous.com"})
}

// TestMistakesOfProviders breaks one thing at a time.
func TestMistakesOfProviders(t *testing.T) {
	t.Parallel()

	const (
		stripeKey  = "allowed: a restricted key (rk_...) or a secret key (sk_...) from Stripe's dashboard (REWARDFLOW_PROVIDERS_P_API_KEY)"
		stripeHost = "allowed: scheme and host, such as https://api.stripe.com; http only to a loopback address"
		paypalHost = "allowed: scheme and host, such as https://api-m.paypal.com; http only to a loopback address"
		giftsHost  = "allowed: scheme, host and path, such as https://api.tremendous.com/api/v2; http only to a loopback address"
		giftsID    = "allowed: an ID as Tremendous's dashboard or API shows it: 4 to 20 of A-Z and 0-9"
		code       = "allowed: an ISO 4217 code in upper case, such as USD"
		calls      = "allowed: a duration such as 10s, at most 14s (REWARDFLOW_PROVIDERS_P_TIMEOUT)"
	)
	for file, want := range map[string]string{
		"providers: {p: {type: stripe}}":                                                    "api_key: is missing; " + stripeKey,
		"providers: {p: {type: stripe, api_key: pk_s3cret}}":                                "api_key: is a publishable key, which cannot pay; " + stripeKey,
		"providers: {p: {type: stripe, api_key: s3cret}}":                                   "api_key: is not a key of Stripe; " + stripeKey,
		"providers: {p: {type: stripe, api_key: 'sk_s3cret '}}":                             "api_key: is not a key of Stripe",
		stripeProvider(", base_url: https://api.stripe.com/v1"):                             "base_url: has a path; " + stripeHost,
		stripeProvider(", base_url: http://api.stripe.com"):                                 "base_url: is not https; " + stripeHost,
		stripeProvider(", base_url: https://u:s3cret@api.stripe.com"):                       "base_url: holds a user name or password",
		stripeProvider(", base_url: ''"):                                                    "base_url: is not an absolute URL",
		stripeProvider(", require_email_match: no"):                                         `require_email_match: "no" is neither true nor false`,
		stripeProvider(", credit_value: {usd: 100}"):                                        `credit_value.usd: is not a currency, did you mean "USD"?; ` + code,
		stripeProvider(", credit_value: {credits: 100}"):                                    "credit_value.credits: is not a currency; " + code,
		stripeProvider(", discount_value: {USD: 0}"):                                        "discount_value.USD: is not above zero; allowed: a whole number of minor units above zero",
		stripeProvider(", discount_value: {USD: 0.5}"):                                      `discount_value.USD: "0.5" is not a whole number`,
		stripeProvider(", timeout: 0s"):                                                     "timeout: is not above zero; " + calls,
		stripeProvider(", timeout: 15s"):                                                    "timeout: 15s is too long, because a payout's call has 15s in all; " + calls,
		stripeProvider(", client_id: x"):                                                    "client_id: has no meaning here; allowed: only with type: paypal",
		stripeProvider(", secret: s3cret"):                                                  "secret: has no meaning here; allowed: only with type: webhook",
		"providers: {p: {type: paypal, client_secret: s3cret}}":                             "client_id: is missing; allowed: as PayPal's developer dashboard shows it",
		"providers: {p: {type: paypal, client_id: x}}":                                      "client_secret: is missing; allowed: as PayPal's developer dashboard shows it",
		"providers: {p: {type: paypal, client_id: x, client_secret: 's3cret '}}":            "client_secret: holds a space, a colon or a character beyond ASCII",
		"providers: {p: {type: paypal, client_id: 'a:b', client_secret: s3cret}}":           "client_id: holds a space, a colon or a character beyond ASCII",
		paypalProvider(", base_url: 'https://api-m.paypal.com?x=s3cret'"):                   "base_url: has a query or a fragment; " + paypalHost,
		paypalProvider(", timeout: 14.001s"):                                                "timeout: 14.001s is too long",
		paypalProvider(", unclaimed_counts_as_paid: 1"):                                     `unclaimed_counts_as_paid: "1" is neither true nor false`,
		paypalProvider(", credit_value: {USD: 1}"):                                          "credit_value: has no meaning here; allowed: only with type: stripe",
		paypalProvider(", require_email_match: true"):                                       "require_email_match: has no meaning here; allowed: only with type: stripe",
		"providers: {p: {type: tremendous, campaign_id: CAMPAIGN1234}}":                     "api_key: is missing; allowed: as Tremendous's dashboard shows it",
		"providers: {p: {type: tremendous, api_key: 's3cret ', campaign_id: CAMPAIGN1234}}": "api_key: holds a space or a character beyond ASCII",
		"providers: {p: {type: tremendous, api_key: s3cret}}":                               "campaign_id: is missing, and so is products: one of them says what the receiver can choose from; " + giftsID,
		"providers: {p: {type: tremendous, api_key: s3cret, campaign_id: Spring}}":          "campaign_id: is not an ID of Tremendous; " + giftsID,
		tremendousProvider(", products: [OKMHM2X2OHYV, visa]"):                              "products[1]: is not an ID of Tremendous; " + giftsID,
		tremendousProvider(", funding_source_id: card"):                                     "funding_source_id: is not an ID of Tremendous; allowed: balance, or an ID",
		tremendousProvider(", funding_source_id: ''"):                                       "funding_source_id: is not an ID of Tremendous",
		tremendousProvider(", base_url: https://testflight.tremendous.com"):                 "base_url: has no path; " + giftsHost,
		tremendousProvider(", base_url: http://api.tremendous.com/api/v2"):                  "base_url: is not https; " + giftsHost,
		tremendousProvider(", base_url: 'https://api.tremendous.com/api/v2?key=s3cret'"):    "base_url: has a query or a fragment; " + giftsHost,
		tremendousProvider(", timeout: 15s"):                                                "timeout: 15s is too long",
		tremendousProvider(", client_id: x"):                                                "client_id: has no meaning here; allowed: only with type: paypal",
		stripeProvider(", campaign_id: CAMPAIGN1234"):                                       "campaign_id: has no meaning here; allowed: only with type: tremendous",
		"providers: {p: {type: manual, api_key: s3cret}}":                                   "api_key: has no meaning here; allowed: only with type: stripe or tremendous",
		webhookProvider("base_url: https://x.example"):                                      "base_url: has no meaning here; allowed: only with type: stripe or paypal or tremendous",
		webhookProvider("timeout: 20s"):                                                     "timeout: 20s is too long",
		"providers: {p: {type: manual, timeout: 5s}}":                                       "timeout: has no meaning here; allowed: only with type: webhook or stripe or paypal or tremendous",
		"providers: {p: {type: manual, unclaimed_counts_as_paid: false}}":                   "unclaimed_counts_as_paid: has no meaning here; allowed: only with type: paypal",
	} {
		_, err := parse(required+file+"\n", nil)
		require.ErrorContains(t, err, "rewardflow.yaml:2: providers.p."+want)
		require.ErrorContains(t, err, "the configuration has 1 mistake:", file)
		require.NotContains(t, err.Error(), "s3cret")
	}
}
