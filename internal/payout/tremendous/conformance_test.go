package tremendous_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/tremendous"
	"github.com/rewardflow/rewardflow/internal/reward"
)

var _ payout.Provider = (*tremendous.Provider)(nil)

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

// config is for a double at baseURL; an empty one is Tremendous itself.
func config(baseURL string) tremendous.Config {
	if baseURL != "" {
		baseURL += apiPath
	}
	return tremendous.Config{Name: "gifts", APIKey: apiKey, BaseURL: baseURL, CampaignID: campaign}
}

func newProvider(t *testing.T, c tremendous.Config) *tremendous.Provider {
	t.Helper()
	p, err := tremendous.New(c)
	require.NoError(t, err)
	return p
}

// chattyError is an error document that is full of what must not be kept.
func chattyError(status int) string {
	return fmt.Sprintf(`{"errors":{"message":"%s <%s> used %s at https://api.example/%d",`+
		`"payload":{"reward":{"recipient":{"email":"(%s) bounced"}},"key":"%s"}}}`, email, email, apiKey, status, email, apiKey)
}

func conform(t *testing.T, change func(*double)) {
	t.Helper()
	payouttest.Run(t, func(t *testing.T) payouttest.Subject {
		t.Helper()
		d := &double{}
		change(d)
		return payouttest.Subject{
			Fake: keepContract(t, d),
			Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
				t.Helper()
				c := config(baseURL)
				c.Timeout = timeout
				return newProvider(t, c)
			},
			Order:     order(),
			Effects:   d.Effects,
			IsSend:    func(r *http.Request) bool { return r.Method == http.MethodPost },
			ErrorBody: chattyError,
			Another: func(req payout.Request) payout.Request {
				req.Body = []byte(strings.Replace(string(req.Body), "12.50", "13.50", 1))
				return req
			},
			Secrets: []string{apiKey},
		}
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()

	conform(t, func(*double) {})
}

func TestConformanceWhereAKnownKeyIsAnsweredByItsOrderWhateverIsAsked(t *testing.T) {
	t.Parallel()

	conform(t, func(d *double) { d.replays = true })
}

func TestConformanceWhereOrdersWaitForAnApproval(t *testing.T) {
	t.Parallel()

	conform(t, func(d *double) { d.approvals = true })
}
