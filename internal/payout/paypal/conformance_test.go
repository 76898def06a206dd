package paypal_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
	"github.com/rewardflow/rewardflow/internal/reward"
)

var _ payout.Provider = (*paypal.Provider)(nil)

const (
	key   = "rf_2429153_1"
	email = "p@example.com"
)

func order() payout.Order {
	return payout.Order{
		Key: key,
		Reward: reward.Reward{
			ID:       2429153,
			Quantity: reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"},
			Promoter: reward.Promoter{ID: 5272969, CustID: "cus_9", Email: email},
			Campaign: reward.Campaign{ID: 17476, Name: "Friends & family"},
		},
		At: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
}

func config(baseURL string) paypal.Config {
	return paypal.Config{Name: "payouts", ClientID: clientID, ClientSecret: clientSecret, BaseURL: baseURL}
}

func newProvider(t *testing.T, c paypal.Config) *paypal.Provider {
	t.Helper()
	p, err := paypal.New(c)
	require.NoError(t, err)
	return p
}

// chattyError is an error document that is full of what must not be kept.
func chattyError(status int) string {
	return fmt.Sprintf(`{"name":"INTERNAL_SERVICE_ERROR","message":"%s %s","debug_id":"53d95c3d17ae5",`+
		`"details":[{"field":"x","issue":"<%s> at https://api.example/%d with (%s)"}]}`, email, clientSecret, email, status, email)
}

func conform(t *testing.T, change func(*double)) {
	t.Helper()
	payouttest.Run(t, func(t *testing.T) payouttest.Subject {
		t.Helper()
		d := newDouble()
		change(d)
		return payouttest.Subject{
			Fake: keepContract(t, d),
			Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
				t.Helper()
				c := config(baseURL)
				c.Timeout, c.Now = timeout, d.Now
				return newProvider(t, c)
			},
			Order:       order(),
			Effects:     d.Effects,
			IsSend:      func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/v1/payments/payouts" },
			ErrorBody:   chattyError,
			BlindLookup: true,
			Secrets:     []string{clientID, clientSecret, tokenPrefix},
		}
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()

	conform(t, func(*double) {})
}

func TestConformanceWithLinksWhereTheyAreDocumented(t *testing.T) {
	t.Parallel()

	conform(t, func(d *double) { d.linksOnTop, d.host = true, "https://api-m.paypal.com" })
}

func TestConformanceWithTokensThatLiveForASecond(t *testing.T) {
	t.Parallel()

	conform(t, func(d *double) { d.lifetime = time.Second })
}
