package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/protocoltest"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

// TestProtocol uses a receiver that keeps no more than its contract: it forgets
// a key after 90 days.
func TestProtocol(t *testing.T) {
	t.Parallel()

	protocoltest.Run(t, func(now func() time.Time) protocoltest.Subject {
		fake, err := sandbox.New(sandbox.Config{Secret: secret, Memory: 90 * 24 * time.Hour, Now: now})
		require.NoError(t, err)
		behaves := func(name string, b sandbox.Behaviour) protocoltest.Mishap {
			return protocoltest.Mishap{Name: name, Serve: func(w http.ResponseWriter, r *http.Request) {
				fake.Script(once(), b)
				fake.ServeHTTP(w, r)
			}}
		}
		return protocoltest.Subject{
			Subject: payouttest.Subject{
				Fake: fake, Order: order(), Effects: fake.Effects,
				Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
					t.Helper()
					p, err := webhook.New(webhook.Config{
						Name: "team", URL: baseURL + "/rewards", Secret: secret, AllowPrivateNetworks: true, Timeout: timeout, Now: now,
					})
					require.NoError(t, err)
					return p
				},
			},
			Key: func(r *http.Request, _ []byte) string { return r.Header.Get("webhook-id") },
			Mishaps: []protocoltest.Mishap{
				behaves("refused", sandbox.Refuse("no such customer")),
				behaves("accepted, fulfilled in an hour", sandbox.SettleLater(time.Hour)),
				behaves("accepted, fails in an hour", sandbox.FailLater(time.Hour)),
				behaves("fulfilled, comes back in a minute", sandbox.ReturnLater(time.Minute)),
				{Name: "409 without a reason", Serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) }},
			},
		}
	})
}

// once matches the next payout, and none after it.
func once() sandbox.Match {
	used := false
	return func(sandbox.Payout) bool {
		defer func() { used = true }()
		return !used
	}
}
