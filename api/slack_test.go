package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// slackDouble answers as it is told.
type slackDouble struct {
	take func(header http.Header, body []byte) ([]byte, error)
}

func (d slackDouble) Take(_ context.Context, header http.Header, body []byte) ([]byte, error) {
	return d.take(header, body)
}

func withSlack(take func(header http.Header, body []byte) ([]byte, error)) func(*apiTest) {
	return func(a *apiTest) { a.deps.Slack = slackDouble{take} }
}

const slackURL = "/slack/interactions"

// TestSlackGetsTheRawBody is called from anywhere: its signature is what counts.
func TestSlackGetsTheRawBody(t *testing.T) {
	t.Parallel()

	var signature, body string
	a := newAPITest(t, withOperators, withSlack(func(header http.Header, raw []byte) ([]byte, error) {
		signature, body = header.Get("X-Slack-Signature"), string(raw)
		return nil, nil
	}))
	r := localRequest(http.MethodPost, slackURL+"?payload=forged", "payload=%7B%7D&x=+")
	r.RemoteAddr, r.Host = "203.0.113.9:1234", "rewards.example.com"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Signature", "v0=abc")
	rec := a.send(t, r)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Empty(t, rec.Body.String())
	require.Equal(t, []string{"v0=abc", "payload=%7B%7D&x=+"}, []string{signature, body})
}

func TestSlackAnswerForAModal(t *testing.T) {
	t.Parallel()

	const answer = `{"response_action":"errors","errors":{"reason":"Say why"}}`
	a := newAPITest(t, withSlack(func(http.Header, []byte) ([]byte, error) { return []byte(answer), nil }))
	rec := a.do(t, http.MethodPost, slackURL, "payload=x", header("Content-Type", "application/x-www-form-urlencoded"))
	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, answer, rec.Body.String())
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
}

func TestRefusedSlackRequest(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		err    error
		status int
	}{
		"not signed":   {fault.New(fault.Denied, "op", "the words of the adapter"), http.StatusUnauthorized},
		"not readable": {fault.New(fault.Invalid, "op", "no payload"), http.StatusBadRequest},
	} {
		a := newAPITest(t, withSlack(func(http.Header, []byte) ([]byte, error) { return nil, tc.err }))
		rec := a.do(t, http.MethodPost, slackURL, "payload=x")
		require.Equal(t, tc.status, rec.Code, name)
		require.NotContains(t, rec.Body.String(), "the words of the adapter")
	}
	a := newAPITest(t, withSlack(func(http.Header, []byte) ([]byte, error) {
		t.Error("it was taken")
		return nil, nil
	}))
	require.Equal(t, http.StatusRequestEntityTooLarge, a.do(t, http.MethodPost, slackURL, strings.Repeat("x", 1<<20+1)).Code)
	require.Equal(t, http.StatusMethodNotAllowed, a.do(t, http.MethodGet, slackURL+"?payload=x", "").Code, "a link that is fetched ahead changes nothing")
	require.Equal(t, http.StatusForbidden, a.do(t, http.MethodPost, slackURL, "payload=x", header("Sec-Fetch-Site", "cross-site")).Code)
	require.Equal(t, http.StatusNotFound, newAPITest(t).do(t, http.MethodPost, slackURL, "payload=x").Code, "where Slack is not configured")
}
