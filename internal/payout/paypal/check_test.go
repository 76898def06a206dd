package paypal_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/paypal"
)

var _ payout.Checker = (*paypal.Provider)(nil)

func isToken(r *http.Request) bool { return r.URL.Path == "/v1/oauth2/token" }

// The promises hold while the token is refused, and while a token is given out
// and the read is refused.
func TestCheck(t *testing.T) {
	t.Parallel()

	for name, passes := range map[string]func(*http.Request) bool{"Token": nil, "Read": isToken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			payouttest.RunCheck(t, func(t *testing.T) payouttest.CheckSubject {
				t.Helper()
				d := newDouble()
				return payouttest.CheckSubject{
					Fake: keepContract(t, d), Passes: passes, Harmless: isToken, ErrorBody: chattyError,
					Secrets: []string{clientID, clientSecret, tokenPrefix, email, "://"},
					Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Checker {
						t.Helper()
						c := config(baseURL)
						c.Timeout, c.Now = timeout, d.Now
						return newProvider(t, c)
					},
				}
			})
		})
	}
}

func TestCheckOfAnAppThatMayNotPay(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		change func(*double)
		words  string
	}{
		"no feature": {
			func(d *double) { d.scopes = "https://uri.paypal.com/services/invoicing" },
			"PayPal accepts client_id and client_secret, and the app does not have the feature Payouts",
		},
		"no feature, and nothing said of it": {
			func(d *double) { d.scopes = "" },
			"PayPal does not allow the app to use Payouts (HTTP 403): REQUIRED_SCOPE_MISSING (PayPal's debug ID 53d95c3d17ae5)",
		},
		"closed account": {
			func(d *double) { d.closed = true },
			"PayPal does not allow the app to use Payouts (HTTP 403): AUTHORIZATION_ERROR (PayPal's debug ID 53d95c3d17ae5)",
		},
	} {
		d := newDouble()
		row.change(d)
		_, err := serve(t, d).Check(t.Context(), nil)
		require.True(t, fault.Is(err, fault.Denied), "%s: %v", name, err)
		require.Equal(t, row.words, fault.Message(err), name)
	}
}

func TestCheckOfCredentialsThatPayPalDoesNotKnow(t *testing.T) {
	t.Parallel()

	s := newStub(t, http.StatusUnauthorized, refusal("AUTHENTICATION_FAILURE"))
	_, err := newProvider(t, config(s.url)).Check(t.Context(), nil)
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.Equal(t, "/v1/payments/payouts/RF0CHECK00000", s.only(t).uri)
	require.Equal(t, http.MethodGet, s.only(t).method)
}

func TestCheckReadsTheAnswer(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		status int
		body   string
		kind   fault.Kind
	}{
		{404, refusal("RESOURCE_NOT_FOUND"), ""},
		{400, refusal("VALIDATION_ERROR"), ""},
		{422, refusal("UNPROCESSABLE_ENTITY"), ""},
		// Any server says 404 to a path that it does not know.
		{404, `<html>`, fault.Invalid},
		{404, ``, fault.Invalid},
		{400, refusal("REQUIRED_SCOPE_MISSING"), fault.Invalid},
		{200, `{"batch_header":{"payout_batch_id":"X"}}`, fault.Invalid},
		{405, refusal("METHOD_NOT_SUPPORTED"), fault.Invalid},
		{408, ``, fault.Unavailable},
	} {
		s := newStub(t, row.status, row.body)
		words, err := newProvider(t, config(s.url)).Check(t.Context(), nil)
		require.Equal(t, row.kind, fault.KindOf(err), "%d %s: %v", row.status, row.body, err)
		if row.kind != "" {
			words = fault.Message(err)
		}
		requireSafe(t, words)
	}
}

// A check that comes first leaves a token for the payouts after it.
func TestCheckUsesTheTokenThatPayoutsUse(t *testing.T) {
	t.Parallel()

	d := newDouble()
	p := serve(t, d)
	_, err := p.Check(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepared(t, p)).Class)
	require.Equal(t, 1, d.Issued())

	d.revoke()
	_, err = p.Check(t.Context(), nil)
	require.True(t, fault.Is(err, fault.Denied))
	_, err = p.Check(t.Context(), nil)
	require.NoError(t, err, "the token that was not taken is asked for anew")
}
