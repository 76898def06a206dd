package stripe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
)

func TestConfigurationsThatWork(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]stripe.Config{
		"restricted key": {APIKey: "rk_live_abc"},
		"secret key":     {APIKey: "sk_test_abc", BaseURL: "https://api.stripe.com/"},
		"loopback":       {APIKey: "sk_test_abc", BaseURL: "http://127.0.0.1:12111"},
		"IPv6 loopback":  {APIKey: "sk_test_abc", BaseURL: "http://[::1]:12111"},
		"localhost":      {APIKey: "sk_test_abc", BaseURL: "http://localhost:12111"},
		"values":         {APIKey: "sk_test_abc", CreditValue: map[string]int64{"USD": 1, "JPY": 100}, DiscountValue: map[string]int64{"EUR": 1}},
	} {
		c.Name = "billing"
		_, err := stripe.New(c)
		require.NoError(t, err, name)
	}
}

func TestConfigurationErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()

	const good = "sk_test_abc"
	for want, c := range map[string]stripe.Config{
		"name: it is missing":                                         {APIKey: good},
		"api_key: it is missing":                                      {Name: "billing"},
		"api_key: it is a publishable key":                            {Name: "billing", APIKey: "pk_live_hidden"},
		"api_key: it is neither":                                      {Name: "billing", APIKey: "hidden"},
		"api_key: it is neither a restricted key":                     {Name: "billing", APIKey: "sk_test_hidden\n"},
		"base_url: it is not an absolute URL":                         {Name: "billing", APIKey: good, BaseURL: "hidden"},
		"base_url: it is more than scheme, host and port":             {Name: "billing", APIKey: good, BaseURL: "https://u:hidden@x.example"},
		"base_url: it is more than scheme, host":                      {Name: "billing", APIKey: good, BaseURL: "https://x.example/hidden"},
		"base_url: http is for loopback addresses only":               {Name: "billing", APIKey: good, BaseURL: "http://hidden.example"},
		"base_url: its scheme is neither":                             {Name: "billing", APIKey: good, BaseURL: "ftp://hidden.example"},
		`credit_value: "usd" is not an ISO 4217 currency`:             {Name: "billing", APIKey: good, CreditValue: map[string]int64{"usd": 1}},
		`credit_value: "ZZZ" is not an ISO 4217 currency`:             {Name: "billing", APIKey: good, CreditValue: map[string]int64{"ZZZ": 1}},
		"discount_value: EUR is 0, and must be above zero":            {Name: "billing", APIKey: good, DiscountValue: map[string]int64{"EUR": 0}},
		"credit_value: CHF is -1, and must be above zero":             {Name: "billing", APIKey: good, CreditValue: map[string]int64{"CHF": -1}},
		`stripe.new: provider "billing": api_key: it is a publishabl`: {Name: "billing", APIKey: "pk_live_hidden"},
	} {
		_, err := stripe.New(c)
		require.ErrorContains(t, err, want)
		require.True(t, fault.Is(err, fault.Invalid))
		require.NotContains(t, err.Error(), "hidden")
	}
}

func TestAllConfigurationErrorsAreToldAtOnce(t *testing.T) {
	t.Parallel()

	_, err := stripe.New(stripe.Config{BaseURL: "x"})
	require.EqualError(t, err, `stripe.new: provider "": name: it is missing; api_key: it is missing; `+
		`base_url: it is not an absolute URL such as https://api.stripe.com`)
}
