package manual_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/manual"
	"github.com/rewardflow/rewardflow/internal/reward"
)

var _ payout.Provider = (*manual.Provider)(nil)

func order() payout.Order {
	return payout.Order{
		Key: "rf_2429153_1",
		Reward: reward.Reward{
			ID:       2429153,
			Quantity: reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"},
			Promoter: reward.Promoter{ID: 5272969, CustID: "cus_9", Email: "p@example.com"},
			Campaign: reward.Campaign{ID: 17476, Name: "Friends"},
		},
		At: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
	}
}

func TestPrepareFreezesTheTask(t *testing.T) {
	t.Parallel()

	p := manual.New("people")
	require.Equal(t, "people", p.Name())
	require.True(t, p.Traits().ByHand)

	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	require.Equal(t, payout.Request{
		Key:         "rf_2429153_1",
		Destination: "promoter 5272969, paid by hand",
		Body: []byte(`{"task":"pay by hand","key":"rf_2429153_1","reward_id":2429153,` +
			`"quantity":{"amount":1250,"unit":"cash","currency":"USD"},` +
			`"promoter":{"id":5272969,"cust_id":"cus_9"},"campaign_id":17476}`),
	}, req)
}

func TestPrepareRefusesWhatNobodyCanPay(t *testing.T) {
	t.Parallel()

	for name, spoil := range map[string]func(*payout.Order){
		"nothing":               func(o *payout.Order) { o.Reward.Quantity.Amount = 0 },
		"cash without currency": func(o *payout.Order) { o.Reward.Quantity.Currency = "" },
		"no key":                func(o *payout.Order) { o.Key = "" },
	} {
		o := order()
		spoil(&o)
		_, err := manual.New("people").Prepare(t.Context(), o)
		require.True(t, fault.Is(err, fault.Invalid), name)
	}
}

func TestSendAndLookupWaitForAPerson(t *testing.T) {
	t.Parallel()

	p := manual.New("people")
	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	const detail = "waiting for a person to pay it by hand and to record the reference"
	for range 2 {
		require.Equal(t, payout.Outcome{
			Class: payout.ClassAccepted, Reference: "manual-rf_2429153_1", Detail: detail,
		}, p.Send(t.Context(), req))
		require.Equal(t, payout.Finding{
			Answer: payout.FoundPending, Reference: "manual-rf_2429153_1", Detail: detail,
		}, p.Lookup(t.Context(), req))
	}
}
