package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
)

const callbackBody = `{"type":"reward.payout.updated","data":{"key":"rf_2429153_1"}}`

func TestCallbackIsPassedOn(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	var provider, signature, body string
	a.callbacks.take = func(name string, header func(string) string, raw []byte) error {
		provider, signature, body = name, header("webhook-signature"), string(raw)
		return nil
	}
	rec := a.do(t, http.MethodPost, "/webhooks/providers/team", callbackBody,
		func(r *http.Request) { r.Header.Set("Webhook-Signature", "v1,abc") })
	require.Equal(t, http.StatusAccepted, rec.Code)
	require.JSONEq(t, `{"accepted":true}`, rec.Body.String())
	require.Equal(t, []string{"team", "v1,abc", callbackBody}, []string{provider, signature, body})
}

// TestCallbackNeedsNoToken is called from anywhere: its signature is what counts.
func TestCallbackNeedsNoToken(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	r := localRequest(http.MethodPost, "/webhooks/providers/team", callbackBody)
	r.RemoteAddr, r.Host = "203.0.113.9:1234", "rewards.example.com"
	require.Equal(t, http.StatusAccepted, a.send(t, r).Code)
}

func TestRefusedCallback(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		err    error
		status int
	}{
		"not signed":         {fault.New(fault.Denied, "op", "the words of the adapter"), http.StatusUnauthorized},
		"not readable":       {fault.New(fault.Invalid, "op", "not a callback"), http.StatusBadRequest},
		"not ours":           {fault.New(fault.NotFound, "op", "no such key"), http.StatusNotFound},
		"the ledger is away": {fault.New(fault.Unavailable, "op", "away"), http.StatusServiceUnavailable},
	}
	for name, tc := range tests {
		a := newAPITest(t)
		a.callbacks.take = func(string, func(string) string, []byte) error { return tc.err }
		rec := a.do(t, http.MethodPost, "/webhooks/providers/team", callbackBody)
		require.Equal(t, tc.status, rec.Code, name)
		require.NotContains(t, rec.Body.String(), "the words of the adapter")
	}

	a := newAPITest(t)
	rec := a.do(t, http.MethodPost, "/webhooks/providers/team", strings.Repeat(" ", 1<<20+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, rec.Code)
	rec = a.do(t, http.MethodGet, "/webhooks/providers/team", "")
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
}
