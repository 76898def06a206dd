package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The example is in package main, so its test is, too.
func TestTheExampleKeepsTheContract(t *testing.T) {
	t.Parallel()

	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	payouttest.Run(t, func(t *testing.T) payouttest.Subject {
		t.Helper()
		fake := &receiver{key: []byte("01234567890123456789012345678901"), dir: t.TempDir()}
		return payouttest.Subject{
			Fake: fake,
			Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
				t.Helper()
				p, err := webhook.New(webhook.Config{
					Name: "team", URL: baseURL + "/rewards", Secret: secret, AllowPrivateNetworks: true, Timeout: timeout,
				})
				require.NoError(t, err)
				return p
			},
			Order: payout.Order{
				Reward: reward.Reward{
					ID: 2429153, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
					Promoter: reward.Promoter{ID: 5272969, CustID: "cus_9", Email: "p@example.com"},
				},
				At: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
			},
			Effects: func(key string) int {
				_, err := os.Stat(fake.file(key))
				if os.IsNotExist(err) {
					return 0
				}
				require.NoError(t, err)
				return 1
			},
			Another: func(req payout.Request) payout.Request {
				req.Body = bytes.Replace(req.Body, []byte(`"amount":3`), []byte(`"amount":4`), 1)
				return req
			},
			Secrets: []string{secret},
		}
	})
}
