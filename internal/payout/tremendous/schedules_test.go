package tremendous_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/protocoltest"
)

// TestProtocol uses a Tremendous that makes another order for an external_id
// after a week: the worst that the adapter's window allows for. One kind of
// account pays at once, the other one waits for an approval first.
func TestProtocol(t *testing.T) {
	t.Parallel()

	protocoltest.Run(t, scheduled(t, false), scheduled(t, true))
}

func scheduled(t *testing.T, approvals bool) protocoltest.Make {
	t.Helper()
	return func(now func() time.Time) protocoltest.Subject {
		d := &double{approvals: approvals, forgets: 7 * 24 * time.Hour, now: now}
		rejects := func(name string, status int, message string) protocoltest.Mishap {
			return protocoltest.Mishap{Name: name, Serve: func(w http.ResponseWriter, _ *http.Request) {
				problem(w, status, message, nil)
			}}
		}
		becomes := func(status, deliver string) protocoltest.News {
			return protocoltest.News{Name: status + "/" + deliver, Happen: func() { d.develop(status, deliver) }}
		}
		return protocoltest.Subject{
			Subject: payouttest.Subject{
				Fake: keepContract(t, d), Order: order(), Effects: d.Effects, ErrorBody: chattyError,
				IsSend: func(r *http.Request) bool { return r.Method == http.MethodPost },
				Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
					t.Helper()
					c := config(baseURL)
					c.Timeout, c.Now = timeout, now
					return newProvider(t, c)
				},
			},
			Key: func(_ *http.Request, body []byte) string {
				var sent struct {
					Key string `json:"external_id"`
				}
				_ = json.Unmarshal(body, &sent)
				return sent.Key
			},
			Mishaps: []protocoltest.Mishap{
				rejects("the recipient is refused", http.StatusUnprocessableEntity, "Order failed: validation failure"),
				rejects("the funds do not cover it", http.StatusPaymentRequired, "Not enough funds"),
				rejects("too many requests", http.StatusTooManyRequests, "Slow down"),
			},
			News: []protocoltest.News{
				becomes("EXECUTED", "SUCCEEDED"),
				becomes("EXECUTED", "FAILED"),
				becomes("CANCELED", "SCHEDULED"),
				{Name: "the account is empty", Happen: func() { d.empty(true) }},
				{Name: "the account is filled", Happen: func() { d.empty(false) }},
			},
			Deliver: func() {
				d.empty(false)
				d.develop("EXECUTED", "SUCCEEDED")
			},
		}
	}
}
