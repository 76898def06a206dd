package stripe_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/protocoltest"
)

// TestProtocol uses a Stripe that forgets an idempotency key after 24 hours,
// and until then says again what it said, a 500 included.
func TestProtocol(t *testing.T) {
	t.Parallel()

	var subjects []protocoltest.Make
	for _, name := range slices.Sorted(maps.Keys(kinds())) {
		subjects = append(subjects, func(now func() time.Time) protocoltest.Subject { return onSchedule(kinds()[name], now) })
	}
	protocoltest.Run(t, subjects...)
}

func onSchedule(k kind, now func() time.Time) protocoltest.Subject {
	fake := newFake()
	onTime := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fake.do(func() { fake.now = now() })
		fake.ServeHTTP(w, r)
	})
	fails := func(name string, how failing) protocoltest.Mishap {
		return protocoltest.Mishap{Name: name, Serve: func(w http.ResponseWriter, r *http.Request) {
			fake.do(func() { fake.fault = func(*http.Request) failing { return how } })
			defer fake.do(func() { fake.fault = nil })
			onTime(w, r)
		}}
	}
	return protocoltest.Subject{
		Subject: payouttest.Subject{
			Fake: onTime, Order: order(k.quantity), Effects: fake.Effects, ErrorBody: errorBody,
			IsSend: func(r *http.Request) bool { return effectKey().MatchString(r.Header.Get("Idempotency-Key")) },
			Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
				t.Helper()
				c := config(baseURL)
				c.Timeout, c.Now = timeout, now
				return newProvider(t, c)
			},
		},
		Key: func(r *http.Request, _ []byte) string { return r.Header.Get("Idempotency-Key") },
		Mishaps: []protocoltest.Mishap{
			fails("500 before the effect, kept for the key", failsBefore),
			fails("500 after the effect, kept for the key", failsAfter),
			{Name: "refused", Serve: func(w http.ResponseWriter, _ *http.Request) {
				write(w, http.StatusBadRequest, failure("invalid_request_error", "parameter_invalid", "No"))
			}},
		},
	}
}
