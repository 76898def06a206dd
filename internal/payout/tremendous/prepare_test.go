package tremendous_test

import (
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/bojanz/currency"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const wantBody = `{"external_id":"rf_2429153_1","payment":{"funding_source_id":"balance"},` +
	`"reward":{"campaign_id":"CAMPAIGN1234","value":{"denomination":12.50,"currency_code":"USD"},` +
	`"recipient":{"email":"p@example.com"},"delivery":{"method":"EMAIL"}}}`

func TestPrepareFreezesTheWireFormat(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	require.Equal(t, "gifts", p.Name())
	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	require.Equal(t, payout.Request{
		Key:         key,
		Destination: "the email address of promoter 5272969, as a reward of Tremendous (api.tremendous.com)",
		Body:        []byte(wantBody),
	}, req)

	c := config("")
	c.CampaignID, c.Products, c.FundingSourceID = "", []string{"OKMHM2X2OHYV", "ET0ZVETV5ILN"}, "FUNDS1234567"
	req, err = newProvider(t, c).Prepare(t.Context(), order())
	require.NoError(t, err)
	want := strings.Replace(wantBody, `"campaign_id":"CAMPAIGN1234"`, `"products":["OKMHM2X2OHYV","ET0ZVETV5ILN"]`, 1)
	require.Equal(t, strings.Replace(want, "balance", "FUNDS1234567", 1), string(req.Body))
}

// wireDenomination prepares an amount and returns the very characters that go
// out for it.
func wireDenomination(p payout.Provider, minor int64, code string) (string, error) {
	o := order()
	o.Reward.Quantity = reward.Quantity{Amount: minor, Unit: reward.Cash, Currency: code}
	req, err := p.Prepare(context.Background(), o)
	if err != nil {
		return "", err
	}
	var body struct {
		Reward struct {
			Value struct {
				Denomination json.RawMessage `json:"denomination"`
				Currency     string          `json:"currency_code"`
			} `json:"value"`
		} `json:"reward"`
	}
	err = json.Unmarshal(req.Body, &body)
	return string(body.Reward.Value.Denomination), err
}

func TestAmountsAreWrittenExactly(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{1, "USD", "0.01"},
		{10, "USD", "0.10"},
		{99, "EUR", "0.99"},
		{100, "EUR", "1.00"},
		{1899, "GBP", "18.99"},
		{2000000, "USD", "20000.00"},
		{999999999999999, "USD", "9999999999999.99"},
		{1, "JPY", "1"},
		{1250, "JPY", "1250"},
		{125050, "HUF", "1250.50"},
		{700, "TWD", "7.00"},
		{1, "TND", "0.001"},
		{12345, "KWD", "12.345"},
		{5, "ISK", "5"},
	} {
		got, err := wireDenomination(p, c.minor, c.currency)
		require.NoError(t, err, "%d %s", c.minor, c.currency)
		require.Equal(t, c.want, got, "%d %s", c.minor, c.currency)
	}
}

// TestEveryAmountIsTheSameNumber: whatever goes out is the amount, exactly, also
// for a reader that takes it for a double.
func TestEveryAmountIsTheSameNumber(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	codes := []string{"USD", "EUR", "JPY", "KWD", "TND", "HUF", "ISK", "CLP", "UGX", "INR"}
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(1, 999_999_999_999_999).Draw(t, "minor")
		code := rapid.SampledFrom(codes).Draw(t, "currency")
		digits, ok := currency.GetDigits(code)
		require.True(t, ok)
		got, err := wireDenomination(p, minor, code)
		require.NoError(t, err)

		want := new(big.Rat).SetFrac(big.NewInt(minor), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		wire, ok := new(big.Rat).SetString(got)
		require.True(t, ok)
		require.Zero(t, want.Cmp(wire), "%d %s went out as %s", minor, code, got)

		asDouble, _ := wire.Float64()
		require.Equal(t, want.FloatString(int(digits)), new(big.Rat).SetFloat64(asDouble).FloatString(int(digits)), "a double of %s", got)
	})
}

func TestPrepareDeclinesWhatTremendousCannotPay(t *testing.T) {
	t.Parallel()

	cash := func(amount int64, currency string) func(*payout.Order) {
		return func(o *payout.Order) {
			o.Reward.Quantity = reward.Quantity{Amount: amount, Unit: reward.Cash, Currency: currency}
		}
	}
	unit := func(u reward.Unit) func(*payout.Order) {
		return func(o *payout.Order) { o.Reward.Quantity = reward.Quantity{Amount: 3, Unit: u} }
	}
	to := func(email string) func(*payout.Order) {
		return func(o *payout.Order) { o.Reward.Promoter.Email = email }
	}
	p := newProvider(t, config(""))
	for name, c := range map[string]struct {
		spoil func(*payout.Order)
		words string
	}{
		"no currency of ISO":   {cash(100, "ZZZ"), `"ZZZ" is not a currency`},
		"small letters":        {cash(100, "usd"), `"usd" is not a currency`},
		"a currency in a gap":  {cash(100, "D E"), `"D E" is not a currency`},
		"not at Tremendous":    {cash(100, "FJD"), "there are no rewards in FJD at Tremendous"},
		"beyond a double":      {cash(1_000_000_000_000_000, "USD"), "more than the 15 digits"},
		"beyond a double, yen": {cash(1_000_000_000_000_000, "JPY"), "more than the 15 digits"},
		"credits":              {unit(reward.Credits), "no \"credits\""},
		"free months":          {unit(reward.FreeMonths), "route this unit to another provider"},
		"points":               {unit(reward.Points), "no \"points\""},
		"a unit nobody knows":  {unit("gold"), "no \"gold\""},
		"no email":             {to(""), "the promoter has no email address"},
		"no at":                {to("hidden.example.com"), "is not a plain one"},
		"with a name":          {to("hidden<hidden@example.com>"), "is not a plain one"},
		"with a comment":       {to("hidden(x)@example.com"), "is not a plain one"},
		"two addresses":        {to("hidden@a.com,b@b.com"), "is not a plain one"},
		"quoted":               {to(`"hidden"@example.com`), "is not a plain one"},
		"a literal":            {to("hidden@[10.0.0.1]"), "is not a plain one"},
		"a space":              {to("hidden @example.com"), "holds a space"},
		"a line break":         {to("hidden@example.com\r\nBcc:x"), "holds a space"},
		"beyond ASCII":         {to("hidden\u00e4@example.com"), "beyond ASCII"},
		"too long":             {to("hidden@" + strings.Repeat("e", 250) + ".com"), "more than 254 characters"},
	} {
		o := order()
		c.spoil(&o)
		_, err := p.Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Declined), "%s: %v", name, err)
		require.ErrorContains(t, err, c.words, name)
		require.NotContains(t, err.Error(), "hidden", name)
	}
}

func TestPrepareRefusesInvalidOrders(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	for name, spoil := range map[string]func(*payout.Order){
		"no key":           func(o *payout.Order) { o.Key = "" },
		"long key":         func(o *payout.Order) { o.Key = strings.Repeat("k", 64) },
		"key with a break": func(o *payout.Order) { o.Key = "rf_1\r\nX-Other: 1" },
		"nothing":          func(o *payout.Order) { o.Reward.Quantity.Amount = 0 },
		"less":             func(o *payout.Order) { o.Reward.Quantity.Amount = -1250 },
		"no currency":      func(o *payout.Order) { o.Reward.Quantity.Currency = "" },
	} {
		o := order()
		spoil(&o)
		_, err := p.Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", name, err)
	}
	o := order()
	o.Key = strings.Repeat("k", 63)
	_, err := p.Prepare(t.Context(), o)
	require.NoError(t, err)
}

// A slice of the configuration that somebody changes later changes no payout.
func TestTheConfigurationIsCopied(t *testing.T) {
	t.Parallel()

	c := config("")
	c.CampaignID, c.Products = "", []string{"OKMHM2X2OHYV"}
	p := newProvider(t, c)
	first := prepared(t, p)
	c.Products[0] = "ANOTHER12345"
	require.Equal(t, first, prepared(t, p))
}

func TestTraits(t *testing.T) {
	t.Parallel()

	traits := newProvider(t, config("")).Traits()
	require.Equal(t, payout.Traits{
		Window: 7 * 24 * time.Hour, Margin: 24 * time.Hour, SettleDelay: time.Minute, PollEvery: 30 * time.Second, WatchFor: 33 * 24 * time.Hour,
	}, traits)
	sent := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	require.True(t, traits.MayResend(sent, sent.Add(6*24*time.Hour-time.Second)))
	require.False(t, traits.MayResend(sent, sent.Add(6*24*time.Hour)))
}

func TestConfigurationsThatWork(t *testing.T) {
	t.Parallel()

	for _, base := range []string{
		"", "https://www.tremendous.com/api/v2", "https://testflight.tremendous.com/api/v2/", "https://gateway.example:8443/tremendous",
		"http://127.0.0.1:9/api/v2", "http://[::1]:9/x", "http://localhost:9/x",
	} {
		c := config("")
		c.BaseURL = base
		_, err := tremendous.New(c)
		require.NoError(t, err, base)
	}
}

func TestConfigurationErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()

	for want, spoil := range map[string]func(*tremendous.Config){
		`name: it is missing`:                        func(c *tremendous.Config) { c.Name = "" },
		`api_key: it is missing`:                     func(c *tremendous.Config) { c.APIKey = "" },
		`api_key: it holds a space`:                  func(c *tremendous.Config) { c.APIKey = "hidden\n" },
		`base_url: it is not an absolute URL`:        func(c *tremendous.Config) { c.BaseURL = "hidden.example" },
		`base_url: its scheme is neither`:            func(c *tremendous.Config) { c.BaseURL = "ftp://hidden.example/x" },
		`base_url: http would show the API key`:      func(c *tremendous.Config) { c.BaseURL = "http://hidden.example/x" },
		`base_url: it holds a user name`:             func(c *tremendous.Config) { c.BaseURL = "https://hidden:x@a.example/x" },
		`base_url: it has a query or a fragment`:     func(c *tremendous.Config) { c.BaseURL = "https://a.example/x?hidden=1" },
		`base_url: it has no path`:                   func(c *tremendous.Config) { c.BaseURL = "https://hidden.example/" },
		`campaign_id: it is missing, and so is prod`: func(c *tremendous.Config) { c.CampaignID = "" },
		`campaign_id: it is not an ID`:               func(c *tremendous.Config) { c.CampaignID = "hidden campaign" },
		`products: one of them is not an ID`:         func(c *tremendous.Config) { c.Products = []string{"OKMHM2X2OHYV", "hidden!"} },
		`funding_source_id: it is neither balance`:   func(c *tremendous.Config) { c.FundingSourceID = "hidden source" },
		`timeout: it is below zero`:                  func(c *tremendous.Config) { c.Timeout = -time.Second },
	} {
		c := config("")
		spoil(&c)
		_, err := tremendous.New(c)
		require.ErrorContains(t, err, want)
		require.True(t, fault.Is(err, fault.Invalid))
		require.NotContains(t, err.Error(), "hidden")
		require.NotContains(t, err.Error(), apiKey)
	}
}

func TestAllConfigurationErrorsAreToldAtOnce(t *testing.T) {
	t.Parallel()

	_, err := tremendous.New(tremendous.Config{BaseURL: "x"})
	require.EqualError(t, err, `tremendous.new: provider "": name: it is missing; api_key: it is missing; `+
		`base_url: it is not an absolute URL such as https://api.tremendous.com/api/v2; `+
		`campaign_id: it is missing, and so is products: Tremendous must know what the receiver can choose from`)
}
