package reward_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
)

func sample() reward.Reward {
	return reward.Reward{
		ID:       2429153,
		Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 5272969, CustID: "cus_9", Email: "p@example.com"},
		Campaign: reward.Campaign{ID: 17476, Name: "Friends"},
	}
}

func TestRewardInJSONIsWireFormat(t *testing.T) {
	t.Parallel()

	for want, quantity := range map[string]reward.Quantity{
		`{"amount":3,"unit":"free_months"}`:                 {Amount: 3, Unit: reward.FreeMonths},
		`{"amount":1250,"unit":"cash","currency":"USD"}`:    {Amount: 1250, Unit: reward.Cash, Currency: "USD"},
		`{"amount":9223372036854775807,"unit":"something"}`: {Amount: math.MaxInt64, Unit: "something"},
	} {
		r := sample()
		r.Quantity = quantity
		got, err := json.Marshal(r)
		require.NoError(t, err)
		require.Equal(t, `{"id":2429153,"quantity":`+want+`,"promoter":{"id":5272969,"cust_id":"cus_9",`+
			`"email":"p@example.com"},"campaign":{"id":17476,"name":"Friends"}}`, string(got))
		var back reward.Reward
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, r, back)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]reward.ID{"1": 1, "2429153": 2429153, "9223372036854775807": math.MaxInt64} {
		id, err := reward.ParseID(text)
		require.NoError(t, err, text)
		require.Equal(t, want, id)
		require.Equal(t, text, id.String())
	}
	for _, text := range []string{
		"", "0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "٣", "9223372036854775808", "fulfilment-1",
	} {
		id, err := reward.ParseID(text)
		require.Error(t, err, text)
		require.Zero(t, id)
	}
}

func TestParseAmountNeverRounds(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]int64{
		"0": 0, "3": 3, " 3 ": 3, "3.0": 3, "-5": -5, "1250": 1250,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	} {
		got, err := reward.ParseAmount(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{
		"", ".0", "3.5", "3.00000001", "3.0.0", "1e3", "1E3", "NaN", "Inf", "0x10", "1_000", "1,000", "3 4", "$3",
		"9223372036854775808", "-9223372036854775809", "12.50", "null", "true",
	} {
		got, err := reward.ParseAmount(text)
		require.Error(t, err, text)
		require.Zero(t, got)
	}
	_, err := reward.ParseAmount(strings.Repeat("x", 5000))
	require.Less(t, len(err.Error()), 120)
}

func TestPayable(t *testing.T) {
	t.Parallel()

	for _, q := range []reward.Quantity{
		{Amount: 1, Unit: reward.Credits},
		{Amount: math.MaxInt64, Unit: reward.Points},
		{Amount: 1, Unit: "a unit of next year"},
		{Amount: 1, Unit: reward.Cash, Currency: "USD"},
	} {
		require.NoError(t, q.Payable(), "%+v", q)
	}
	for want, q := range map[string]reward.Quantity{
		"the unit is missing": {Amount: 1},
		"the amount is 0":     {Unit: reward.Credits},
		"the amount is -1":    {Amount: -1, Unit: reward.Cash, Currency: "USD"},
		"name it in the route": {
			Amount: 1, Unit: reward.Cash,
		},
		"credits cannot have the currency USD": {Amount: 1, Unit: reward.Credits, Currency: "USD"},
	} {
		require.ErrorContains(t, q.Payable(), want)
	}
}

func TestQuantityForPeople(t *testing.T) {
	t.Parallel()

	require.Equal(t, "3 free_months", reward.Quantity{Amount: 3, Unit: reward.FreeMonths}.String())
	require.Equal(t, "1250 USD (minor units)", reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}.String())
	require.Equal(t, "1250 cash", reward.Quantity{Amount: 1250, Unit: reward.Cash}.String())
}

func TestUnits(t *testing.T) {
	t.Parallel()

	for _, u := range []reward.Unit{"credits", "points", "free_months", "discount_per", "discount_mon", "cash"} {
		require.True(t, u.Known(), u)
	}
	for _, u := range []reward.Unit{"", "Cash", "mon_discount", "gold"} {
		require.False(t, u.Known(), u)
	}
}
