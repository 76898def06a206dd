package paypal_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const wantBody = `{"sender_batch_header":{"sender_batch_id":"rf_2429153_1","email_subject":"You have received a reward"},` +
	`"items":[{"recipient_type":"EMAIL","receiver":"p@example.com","amount":{"value":"12.50","currency":"USD"},` +
	`"note":"Thank you for your referral.","sender_item_id":"rf_2429153_1"}]}`

func TestPrepareFreezesTheWireFormat(t *testing.T) {
	t.Parallel()

	p := newProvider(t, config(""))
	require.Equal(t, "payouts", p.Name())
	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	require.Equal(t, payout.Request{
		Key:         key,
		Destination: "the email address of promoter 5272969, by PayPal (api-m.paypal.com)",
		Body:        []byte(wantBody),
	}, req)
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
		{math.MaxInt64, "USD", "92233720368547758.07"},
		{1, "JPY", "1"},
		{1250, "JPY", "1250"},
		{100, "HUF", "1"},
		{125000, "HUF", "1250"},
		{700, "TWD", "7"},
		{1, "TND", "0.001"},
		{12345, "KWD", "12.345"},
	} {
		o := order()
		o.Reward.Quantity = reward.Quantity{Amount: c.minor, Unit: reward.Cash, Currency: c.currency}
		req, err := p.Prepare(t.Context(), o)
		require.NoError(t, err, "%d %s", c.minor, c.currency)
		var body struct {
			Items []struct {
				Amount map[string]any `json:"amount"`
			} `json:"items"`
		}
		require.NoError(t, json.Unmarshal(req.Body, &body))
		require.Equal(t, map[string]any{"value": c.want, "currency": c.currency}, body.Items[0].Amount)
	}
}

func TestPrepareDeclinesWhatPayPalCannotPay(t *testing.T) {
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
		"half a forint":       {cash(125050, "HUF"), "PayPal pays HUF in whole units only"},
		"a tenth of a dollar": {cash(710, "TWD"), "PayPal pays TWD in whole units only"},
		"no currency of ISO":  {cash(100, "ZZZ"), `"ZZZ" is not a currency`},
		"small letters":       {cash(100, "usd"), `"usd" is not a currency`},
		"credits":             {unit(reward.Credits), "PayPal pays cash"},
		"free months":         {unit(reward.FreeMonths), "PayPal pays cash"},
		"a unit nobody knows": {unit("gold"), "PayPal pays cash"},
		"no email":            {to(""), "the promoter has no email address"},
		"no at":               {to("hidden.example.com"), "is not a plain one"},
		"with a name":         {to("hidden<hidden@example.com>"), "is not a plain one"},
		"with a comment":      {to("hidden(x)@example.com"), "is not a plain one"},
		"two addresses":       {to("hidden@a.com,b@b.com"), "is not a plain one"},
		"quoted":              {to(`"hidden"@example.com`), "is not a plain one"},
		"a literal":           {to("hidden@[10.0.0.1]"), "is not a plain one"},
		"a space":             {to("hidden @example.com"), "holds a space"},
		"a line break":        {to("hidden@example.com\r\nBcc:x"), "holds a space"},
		"beyond ASCII":        {to("hidden\u00e4@example.com"), "beyond ASCII"},
		"too long":            {to("hidden@" + strings.Repeat("e", 120) + ".com"), "more than the 127 characters"},
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

func TestTraits(t *testing.T) {
	t.Parallel()

	traits := newProvider(t, config("")).Traits()
	require.Equal(t, payout.Traits{
		Window: 30 * 24 * time.Hour, Margin: 5 * 24 * time.Hour,
		SettleDelay: time.Minute, ResendBlind: true, PollEvery: 30 * time.Second, WatchFor: 180 * 24 * time.Hour,
	}, traits)
	sent := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	require.True(t, traits.MayResend(sent, sent.Add(25*24*time.Hour-time.Second)))
	require.False(t, traits.MayResend(sent, sent.Add(25*24*time.Hour)))
}
