package stripe_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	apiKey = "sk_test_mF8qLz4hWc1"
	key    = "rf_2429153_1"
)

var _ payout.Provider = (*stripe.Provider)(nil)

func order(quantity reward.Quantity) payout.Order {
	promoter := reward.Promoter{ID: 5272969, CustID: customerID, Email: email}
	if quantity.Unit == reward.Cash {
		promoter.CustID = accountID
	}
	return payout.Order{
		Key: key,
		Reward: reward.Reward{
			ID: 2429153, Quantity: quantity, Promoter: promoter, Campaign: reward.Campaign{ID: 17476, Name: "Friends"},
		},
		At: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
	}
}

func config(baseURL string) stripe.Config {
	return stripe.Config{
		Name: "billing", APIKey: apiKey, BaseURL: baseURL, Timeout: 20 * time.Second,
		CreditValue: map[string]int64{"USD": 100}, DiscountValue: map[string]int64{"USD": 1},
	}
}

func newProvider(t *testing.T, c stripe.Config) *stripe.Provider {
	t.Helper()
	p, err := stripe.New(c)
	require.NoError(t, err)
	return p
}

// serve starts the fake and connects a provider to it.
func serve(t *testing.T, fake http.Handler, change ...func(*stripe.Config)) *stripe.Provider {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	c := config(server.URL)
	for _, f := range change {
		f(&c)
	}
	return newProvider(t, c)
}

func prepare(t *testing.T, p payout.Provider, o payout.Order) payout.Request {
	t.Helper()
	req, err := p.Prepare(t.Context(), o)
	require.NoError(t, err)
	return req
}

// kind is one kind of payout: its quantity, and a change of the frozen request
// that asks for something else.
type kind struct {
	quantity reward.Quantity
	old, new string
}

func kinds() map[string]kind {
	return map[string]kind{
		"Credits":     {reward.Quantity{Amount: 5, Unit: reward.Credits}, `"amount":-500`, `"amount":-600`},
		"FreeMonths":  {reward.Quantity{Amount: 3, Unit: reward.FreeMonths}, `months=3`, `months=4`},
		"DiscountPer": {reward.Quantity{Amount: 20, Unit: reward.DiscountPer}, `"percent":20`, `"percent":30`},
		"DiscountMon": {reward.Quantity{Amount: 750, Unit: reward.DiscountMon}, `"amount":750`, `"amount":850`},
		"Cash":        {reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}, `"amount":1250`, `"amount":1350`},
	}
}

func (k kind) another(req payout.Request) payout.Request {
	req.Body = bytes.Replace(req.Body, []byte(k.old), []byte(k.new), 1)
	return req
}

// effectKey matches the keys of the calls that pay, and not those of the calls
// that lead up to them.
func effectKey() *regexp.Regexp { return regexp.MustCompile(`^rf_[0-9]+_[0-9]+$`) }

func errorBody(status int) string {
	if status >= 500 {
		return `{"error":{"type":"api_error","message":"An unknown error occurred"}}`
	}
	return `{"error":{"type":"invalid_request_error","message":"Look at https://dashboard.stripe.com, ` + email + `, ` + apiKey + `"}}`
}

func TestConformance(t *testing.T) {
	t.Parallel()

	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			payouttest.Run(t, func(t *testing.T) payouttest.Subject {
				t.Helper()
				fake := newFake()
				return payouttest.Subject{
					Fake: fake, Order: order(k.quantity), Effects: fake.Effects, Another: k.another, ErrorBody: errorBody,
					Secrets: []string{apiKey},
					IsSend:  func(r *http.Request) bool { return effectKey().MatchString(r.Header.Get("Idempotency-Key")) },
					Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
						t.Helper()
						c := config(baseURL)
						// The reads before the effect must not be what times out.
						c.Timeout = max(timeout, time.Second)
						return newProvider(t, c)
					},
				}
			})
		})
	}
}
