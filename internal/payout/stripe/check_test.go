package stripe_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
	"github.com/rewardflow/rewardflow/internal/reward"
)

var _ payout.Checker = (*stripe.Provider)(nil)

func everyUnit() []reward.Unit {
	return []reward.Unit{reward.Credits, reward.FreeMonths, reward.DiscountPer, reward.DiscountMon, reward.Cash, reward.Points}
}

func TestCheck(t *testing.T) {
	t.Parallel()

	payouttest.RunCheck(t, func(t *testing.T) payouttest.CheckSubject {
		t.Helper()
		return payouttest.CheckSubject{
			Fake: newFake(), Units: everyUnit(), Secrets: []string{apiKey, email}, ErrorBody: errorBody,
			Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Checker {
				t.Helper()
				c := config(baseURL)
				c.Timeout = timeout
				return newProvider(t, c)
			},
		}
	})
}

// reads are the paths that a check of the units asks for.
func reads(t *testing.T, units ...reward.Unit) []string {
	t.Helper()
	fake := newFake()
	_, err := serve(t, fake).Check(t.Context(), units)
	require.NoError(t, err)
	var paths []string
	for _, call := range fake.calls {
		path, ok := strings.CutPrefix(call, "GET /v1/")
		require.True(t, ok, call)
		paths = append(paths, path)
	}
	return paths
}

// A restricted key has what its routes need, so nothing else may be asked for.
func TestCheckReadsWhatTheUnitsNeed(t *testing.T) {
	t.Parallel()

	const credits = "customers/cus_rewardflow_doctor/balance_transactions"
	require.Equal(t, []string{"customers", credits}, reads(t, reward.Credits))
	require.Equal(t, []string{"customers", "subscriptions"}, reads(t, reward.FreeMonths))
	require.Equal(t, []string{"customers", "subscriptions", "coupons"}, reads(t, reward.DiscountPer, reward.DiscountMon))
	require.Equal(t, []string{"accounts", "balance", "transfers"}, reads(t, reward.Cash))
	require.Equal(t, []string{"customers", credits, "subscriptions", "coupons", "accounts", "balance", "transfers"}, reads(t, everyUnit()...))
	require.Equal(t, []string{"balance"}, reads(t, reward.Points))
	require.Equal(t, []string{"balance"}, reads(t))
}

func TestCheckNamesEachPermissionThatIsMissing(t *testing.T) {
	t.Parallel()

	for what, words := range map[string]string{
		"customers":        "the API key may not read the list of customers: ",
		"customer balance": "the API key may not read the list of customer balance: ",
		"subscriptions":    "the API key may not read the list of subscriptions: ",
		"coupons":          "the API key may not read the list of coupons: ",
		"accounts":         "the API key may not read the list of connected accounts: ",
		"balance":          "the API key may not read the balance: ",
		"transfers":        "the API key may not read the list of transfers: ",
	} {
		fake := newFake()
		fake.lacks = map[string]bool{"GET " + what: true}
		_, err := serve(t, fake).Check(t.Context(), everyUnit())
		require.True(t, fault.Is(err, fault.Denied), "%s: %v", what, err)
		require.Contains(t, fault.Message(err), words)
		require.Contains(t, fault.Message(err), "'rak_"+what)
		require.NotContains(t, fault.Message(err), "\n")
		require.NotContains(t, fault.Message(err), apiKey)
	}

	fake := newFake()
	fake.lacks = map[string]bool{"GET subscriptions": true, "GET coupons": true}
	_, err := serve(t, fake).Check(t.Context(), []reward.Unit{reward.DiscountPer})
	require.Len(t, strings.Split(fault.Message(err), "\n"), 2, "both are told at once")

	_, err = serve(t, fake).Check(t.Context(), []reward.Unit{reward.Credits, reward.Cash})
	require.NoError(t, err, "what no route needs may be missing")
	fake.lacks["GET balance"] = true
	_, err = serve(t, fake).Check(t.Context(), nil)
	require.NoError(t, err, "a key that is refused a permission is a key that Stripe knows")
}

func TestCheckOfAnAccountThatIsNoPlatform(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.single = true
	_, err := serve(t, fake).Check(t.Context(), []reward.Unit{reward.Cash})
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.Contains(t, fault.Message(err), "platform_account_required")
	_, err = serve(t, fake).Check(t.Context(), []reward.Unit{reward.Credits})
	require.NoError(t, err)
}

func TestCheckOfAKeyThatStripeDoesNotKnow(t *testing.T) {
	t.Parallel()

	for _, units := range [][]reward.Unit{everyUnit(), nil} {
		_, err := serve(t, newFake(), func(c *stripe.Config) { c.APIKey = "rk_live_another" }).Check(t.Context(), units)
		require.True(t, fault.Is(err, fault.Denied), "%v", err)
		require.Equal(t, "Stripe does not accept the API key", fault.Message(err))
	}
}

func TestCheckSaysWhatItCannotSee(t *testing.T) {
	t.Parallel()

	fake := newFake()
	said := func(key string, units ...reward.Unit) string {
		open := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+apiKey)
			fake.ServeHTTP(w, r)
		})
		words, err := serve(t, open, func(c *stripe.Config) { c.APIKey = key }).Check(t.Context(), units)
		require.NoError(t, err)
		return words
	}
	require.Equal(t, "Stripe accepts the API key, and it may read customers, subscriptions\nnot seen: whether it may write, which shows with the first payout",
		said("rk_live_1", reward.FreeMonths))
	require.Equal(t, "Stripe accepts the API key, which moves no real money; it is a secret key, which may do everything: a restricted one (rk_...) is enough",
		said("sk_test_1", reward.FreeMonths))
	require.Equal(t, "Stripe accepts the API key, which moves no real money; no route needs a permission of it", said("rk_test_1"))
}

// A 200 that is no list of Stripe's is no permission.
func TestCheckOfSomethingElseThanStripe(t *testing.T) {
	t.Parallel()

	for _, body := range []string{`{}`, `{"object":"list"}`, `{"object":"list","data":[]}`, `{"object":"page","has_more":false,"data":[]}`} {
		p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeBytes(w, http.StatusOK, []byte(body)) }))
		for _, unit := range []reward.Unit{reward.Credits, reward.Points} {
			_, err := p.Check(t.Context(), []reward.Unit{unit})
			require.True(t, fault.Is(err, fault.Invalid), "%s %s: %v", unit, body, err)
		}
	}
}
