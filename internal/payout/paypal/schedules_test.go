package paypal_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/protocoltest"
)

// TestProtocol uses a PayPal that forgets a sender_batch_id after 30 days, and
// pays for it again.
func TestProtocol(t *testing.T) {
	t.Parallel()

	protocoltest.Run(t, func(now func() time.Time) protocoltest.Subject {
		d := newDouble()
		onTime := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.set(now())
			d.ServeHTTP(w, r)
		})
		rejects := func(status int, name string) protocoltest.Mishap {
			return protocoltest.Mishap{Name: name, Serve: func(w http.ResponseWriter, _ *http.Request) {
				problem(w, status, name, "See the documentation.", nil)
			}}
		}
		becomes := func(batch, item, reason string) protocoltest.News {
			return protocoltest.News{Name: batch + "/" + item, Happen: func() { d.develop(batch, item, reason) }}
		}
		return protocoltest.Subject{
			Subject: payouttest.Subject{
				Fake: onTime, Order: order(), Effects: d.Effects, ErrorBody: chattyError,
				IsSend: func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/v1/payments/payouts" },
				Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
					t.Helper()
					c := config(baseURL)
					c.Timeout, c.Now = timeout, now
					return newProvider(t, c)
				},
			},
			Key: func(_ *http.Request, body []byte) string {
				var sent struct {
					Header struct {
						Key string `json:"sender_batch_id"`
					} `json:"sender_batch_header"`
				}
				_ = json.Unmarshal(body, &sent)
				return sent.Header.Key
			},
			Mishaps: []protocoltest.Mishap{
				rejects(http.StatusUnprocessableEntity, "RECEIVER_UNREGISTERED"),
				rejects(http.StatusUnprocessableEntity, "INSUFFICIENT_FUNDS"),
				rejects(http.StatusBadRequest, "USER_BUSINESS_ERROR"),
			},
			News: []protocoltest.News{
				becomes("PROCESSING", "PENDING", ""),
				becomes("SUCCESS", "SUCCESS", ""),
				becomes("SUCCESS", "UNCLAIMED", "RECEIVER_UNREGISTERED"),
				becomes("SUCCESS", "FAILED", "RISK_DECLINE"),
				becomes("DENIED", "PENDING", ""),
				becomes("SUCCESS", "RETURNED", ""),
				{Name: "every token ends", Happen: d.revoke},
			},
			Deliver: func() { d.develop("SUCCESS", "SUCCESS", "") },
		}
	})
}
