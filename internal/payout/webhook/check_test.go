package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

var _ payout.Checker = (*webhook.Provider)(nil)

func newSandbox(t *testing.T, c sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	fake, err := sandbox.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fake.Close()) })
	return fake
}

func checker(t *testing.T, baseURL string, timeout time.Duration) payout.Checker {
	t.Helper()
	return connect(t, baseURL, timeout).(payout.Checker)
}

func TestCheck(t *testing.T) {
	t.Parallel()

	payouttest.RunCheck(t, func(t *testing.T) payouttest.CheckSubject {
		t.Helper()
		return payouttest.CheckSubject{
			Fake: newSandbox(t, sandbox.Config{Secret: secret}), Connect: checker, Secrets: []string{secret, secret[len("whsec_"):]},
		}
	})
}

func TestCheckOfAReceiverWithAnotherSecretOrClock(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]sandbox.Config{
		"another secret": {Secret: "another secret of 24 characters"},
		"another clock":  {Secret: secret, Now: func() time.Time { return time.Now().Add(6 * time.Minute) }},
	} {
		server := httptest.NewServer(newSandbox(t, c))
		t.Cleanup(server.Close)
		_, err := checker(t, server.URL, 20*time.Second).Check(t.Context(), nil)
		require.True(t, fault.Is(err, fault.Denied), "%s: %v", name, err)
		require.Equal(t, "the receiver does not accept our signature (HTTP 401): the signature is not valid", fault.Message(err))
	}
}

// half answers a look-up by one status when it is signed, and by another when
// it is not.
func half(t *testing.T, signed, unsigned int, body string) string {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := unsigned
		if verifier.Verify(nil, r.Header) == nil {
			status = signed
		}
		if r.URL.Path != "/rewards/rf_0_0" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCheckReadsBothAnswers(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		signed, unsigned int
		kind             fault.Kind
		words            string
	}{
		{404, 401, "", ""},
		{404, 403, "", ""},
		{404, 400, "", ""},
		// Any server says 404 to a path that it does not know.
		{404, 404, fault.Invalid, "with a signature and one without it alike"},
		{404, 200, fault.Invalid, "a look-up without a signature is not turned away (HTTP 200)"},
		{404, 302, fault.Invalid, "redirects are not followed"},
		{404, 429, fault.Throttled, "asks to come back later"},
		{404, 502, fault.Unavailable, "could not answer (HTTP 502)"},
		{200, 401, fault.Invalid, "must say 404"},
		{202, 401, fault.Invalid, "by 404 (HTTP 202)"},
		{204, 401, fault.Invalid, "by 404 (HTTP 204)"},
		{400, 401, fault.Invalid, "by 404 (HTTP 400)"},
		{405, 401, fault.Invalid, "by 404 (HTTP 405)"},
		{408, 401, fault.Unavailable, "could not answer (HTTP 408)"},
		{410, 401, fault.Invalid, "by 404 (HTTP 410)"},
	} {
		_, err := checker(t, half(t, row.signed, row.unsigned, `{"status":"fulfilled"}`), 20*time.Second).Check(t.Context(), nil)
		require.Equal(t, row.kind, fault.KindOf(err), "%d %d: %v", row.signed, row.unsigned, err)
		if row.words != "" {
			require.Contains(t, fault.Message(err), row.words)
		}
	}
}

func TestCheckDoesNotKnockOnPrivateDoors(t *testing.T) {
	t.Parallel()

	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	p, err := webhook.New(webhook.Config{Name: "team", URL: "https://localhost:" + port, Secret: secret})
	require.NoError(t, err)
	_, err = p.Check(t.Context(), nil)
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.False(t, asked)
}
