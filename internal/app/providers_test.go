package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

const everyProvider = `
firstpromoter: {api_key: k, webhook_secret: an-unguessable-path-of-48-characters-0123456789ab}
providers:
  team:
    type: webhook
    url: https://billing.example.com/rewards
    secret: a-signing-key-of-thirty-two-chars
    secrets: [another-key-of-thirty-two-chars]
    timeout: 5s
  billing: {type: stripe, api_key: rk_test_1, credit_value: {USD: 100}, discount_value: {EUR: 1}, timeout: 6s}
  trusting: {type: stripe, api_key: rk_test_2, require_email_match: false}
  payouts: {type: paypal, client_id: id, client_secret: hush, unclaimed_counts_as_paid: true, timeout: 7s}
  gifts: {type: tremendous, api_key: TEST_1, campaign_id: CAMPAIGN1234, products: [OKMHM2X2OHYV], funding_source_id: FUNDS1234567, timeout: 8s}
  people: {type: manual}
routes: [{provider: people}]
`

func parseEveryProvider(t *testing.T) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte(everyProvider), "rewardflow.yaml", func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	return cfg
}

func TestProvidersAreBuilt(t *testing.T) {
	t.Parallel()

	built, err := providers(parseEveryProvider(t))
	require.NoError(t, err)
	require.Len(t, built, 6)
	for name, provider := range built {
		require.Equal(t, name, provider.Name())
	}

	require.True(t, built["people"].Traits().ByHand)
	require.IsType(t, &webhook.Provider{}, built["team"])
	require.True(t, built["team"].Traits().ResendBlind)
	require.IsType(t, &stripe.Provider{}, built["billing"])
	require.Equal(t, 24*time.Hour, built["billing"].Traits().Window)
	require.False(t, built["billing"].Traits().ResendBlind, "Stripe is asked before anything is sent again")
	require.IsType(t, &paypal.Provider{}, built["payouts"])
	require.Equal(t, 30*24*time.Hour, built["payouts"].Traits().Window)
	require.IsType(t, &tremendous.Provider{}, built["gifts"])
	require.False(t, built["gifts"].Traits().ResendBlind, "Tremendous is asked before anything is sent again")
}

func TestProvidersGetWhatIsConfigured(t *testing.T) {
	t.Parallel()

	configured := parseEveryProvider(t).Providers
	require.Equal(t, webhook.Config{
		Name: "team", URL: "https://billing.example.com/rewards", Secret: "a-signing-key-of-thirty-two-chars",
		OtherSecrets: []string{"another-key-of-thirty-two-chars"}, Timeout: 5 * time.Second,
	}, webhookConfig("team", configured["team"]))
	require.Equal(t, stripe.Config{
		Name: "billing", APIKey: "rk_test_1", BaseURL: stripe.DefaultBaseURL, Timeout: 6 * time.Second,
		CreditValue: map[string]int64{"USD": 100}, DiscountValue: map[string]int64{"EUR": 1},
	}, stripeConfig("billing", configured["billing"]))
	require.True(t, stripeConfig("trusting", configured["trusting"]).SkipEmailMatch)
	require.Equal(t, paypal.Config{
		Name: "payouts", ClientID: "id", ClientSecret: "hush", BaseURL: paypal.DefaultBaseURL,
		UnclaimedCountsAsPaid: true, Timeout: 7 * time.Second,
	}, paypalConfig("payouts", configured["payouts"]))
	require.Equal(t, tremendous.Config{
		Name: "gifts", APIKey: "TEST_1", BaseURL: tremendous.DefaultBaseURL, CampaignID: "CAMPAIGN1234",
		Products: []string{"OKMHM2X2OHYV"}, FundingSourceID: "FUNDS1234567", Timeout: 8 * time.Second,
	}, tremendousConfig("gifts", configured["gifts"]))
}

func TestProvidersThatCannotBeBuilt(t *testing.T) {
	t.Parallel()

	_, err := providers(&config.Config{Providers: map[string]config.Provider{
		"one":   {Type: config.ProviderStripe, APIKey: "s3cret"},
		"two":   {Type: config.ProviderPayPal, ClientID: "id"},
		"three": {Type: "gold"},
		"four":  {Type: config.ProviderManual},
		"five":  {Type: config.ProviderTremendous, APIKey: "s3cret"},
	}})
	require.ErrorContains(t, err, `provider "one": api_key`)
	require.ErrorContains(t, err, `provider "two": client_secret`)
	require.ErrorContains(t, err, `provider "three": its type "gold" is not known`)
	require.ErrorContains(t, err, `provider "five": campaign_id`)
	require.NotContains(t, err.Error(), "four")
	require.NotContains(t, err.Error(), "s3cret")
}
