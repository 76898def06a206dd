package webhook_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

var _ payout.Provider = (*webhook.Provider)(nil)

func order() payout.Order {
	return payout.Order{
		Key: "rf_2429153_1",
		Reward: reward.Reward{
			ID:       2429153,
			Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
			Promoter: reward.Promoter{ID: 5272969, CustID: "cus_9", Email: "p@example.com"},
			Campaign: reward.Campaign{ID: 17476, Name: "Friends & family"},
		},
		At: time.Date(2026, 11, 23, 16, 0, 0, 5, time.FixedZone("", 3600)),
	}
}

func connect(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
	t.Helper()
	p, err := webhook.New(webhook.Config{
		Name: "team", URL: baseURL + "/rewards", Secret: secret, AllowPrivateNetworks: true, Timeout: timeout,
	})
	require.NoError(t, err)
	return p
}

// another asks for more under the same key.
func another(req payout.Request) payout.Request {
	req.Body = bytes.Replace(req.Body, []byte(`"amount":3`), []byte(`"amount":4`), 1)
	return req
}

func TestConformance(t *testing.T) {
	t.Parallel()

	payouttest.Run(t, func(t *testing.T) payouttest.Subject {
		t.Helper()
		fake, err := sandbox.New(sandbox.Config{Secret: secret})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, fake.Close()) })
		return payouttest.Subject{
			Fake: fake, Connect: connect, Order: order(), Effects: fake.Effects,
			Another: another, Secrets: []string{secret, secret[len("whsec_"):]},
		}
	})
}

func TestConformanceWhereItSettlesLater(t *testing.T) {
	t.Parallel()

	payouttest.Run(t, func(t *testing.T) payouttest.Subject {
		t.Helper()
		fake, err := sandbox.New(sandbox.Config{Secret: secret})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, fake.Close()) })
		fake.Script(sandbox.Everything(), sandbox.SettleLater(time.Hour))
		return payouttest.Subject{
			Fake: fake, Connect: connect, Order: order(), Effects: fake.Effects,
			Another: another, Secrets: []string{secret},
		}
	})
}
