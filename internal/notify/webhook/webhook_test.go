package webhook_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/notifytest"
	"github.com/rewardflow/rewardflow/internal/notify/webhook"
)

// The same 24 bytes, plain and in base64.
const (
	plainSecret   = "correct-horse-battery-24"
	encodedSecret = "whsec_Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LTI0"
)

func connect(t *testing.T, c webhook.Config) *webhook.Notifier {
	t.Helper()
	n, err := webhook.New(c)
	require.NoError(t, err)
	return n
}

func TestConformance(t *testing.T) {
	t.Parallel()

	notifytest.Run(t, notifytest.Subject{
		Connect: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			return connect(t, webhook.Config{Name: "team", URL: url, Secret: plainSecret, AllowPrivateNetworks: true, Timeout: timeout})
		},
		Secrets: []string{plainSecret},
	})
}

// The body is a literal: it is what the team's own service reads.
func TestNotifySignsTheDocument(t *testing.T) {
	t.Parallel()

	type delivery struct {
		header http.Header
		body   []byte
	}
	deliveries := make(chan delivery, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		deliveries <- delivery{r.Header.Clone(), body}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)

	for _, secret := range []string{plainSecret, encodedSecret} {
		n := connect(t, webhook.Config{Name: "team", URL: server.URL, Secret: secret, AllowPrivateNetworks: true})
		require.Equal(t, "team", n.Name())
		require.NoError(t, n.Notify(t.Context(), notifytest.Message()))

		got := <-deliveries
		require.Equal(t, `{"type":"reward_attention","timestamp":"2025-03-02T08:00:00.301Z","data":{`+
			`"key":"reward_attention-4711","title":"Reward 3150771 needs attention",`+
			`"text":"It does not go on before somebody has said what to do.","needs_person":true,"reward_id":3150771,`+
			`"link":"https://rewards.example.com/#/rewards/3150771",`+
			`"event":{"reward_id":3150771,"reason":"the provider is not configured","email":"ines.nowak@example.net"}}}`, string(got.body))
		require.Equal(t, "reward_attention-4711", got.header.Get("webhook-id"))

		verifier, err := standardwebhooks.NewWebhookRaw([]byte(plainSecret))
		require.NoError(t, err)
		require.NoError(t, verifier.Verify(got.body, got.header))
		require.Error(t, verifier.Verify(append(got.body, ' '), got.header), "the signature covers the body")
	}
}

func TestNotifyDatesEveryTryAndAnUnknownTime(t *testing.T) {
	t.Parallel()

	deliveries := make(chan http.Header, 1)
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		deliveries <- r.Header.Clone()
		bodies <- body
	}))
	t.Cleanup(server.Close)

	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	n := connect(t, webhook.Config{
		Name: "team", URL: server.URL, Secret: plainSecret, AllowPrivateNetworks: true, Now: func() time.Time { return now },
	})
	require.NoError(t, n.Notify(t.Context(), notify.Message{Key: "lead_signup-1", Type: "lead_signup"}))
	require.Equal(t, "1796040000", (<-deliveries).Get("webhook-timestamp"))
	var document struct{ Timestamp time.Time }
	require.NoError(t, json.Unmarshal(<-bodies, &document))
	require.Equal(t, now, document.Timestamp)
}

func TestNotifyRefusesAKeyThatCannotBeSigned(t *testing.T) {
	t.Parallel()

	n := connect(t, webhook.Config{Name: "team", URL: "https://hooks.example.com", Secret: plainSecret})
	for _, key := range []string{"", "a.b", "a b", "a\r\nb", "ż"} {
		err := n.Notify(t.Context(), notify.Message{Key: key})
		require.Equal(t, fault.Invalid, fault.KindOf(err), "key %q", key)
		require.ErrorContains(t, err, "key")
	}
}

func TestNotifyStaysOutOfPrivateNetworks(t *testing.T) {
	t.Parallel()

	asked := make(chan struct{}, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(server.Close)

	n := connect(t, webhook.Config{Name: "team", URL: server.URL, Secret: plainSecret})
	err := n.Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.ErrorContains(t, err, "allow_private_networks")
	require.Empty(t, asked)
}

func TestNewRefusesAWrongConfiguration(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		url, secret string
		want        []string
	}{
		"nothing":     {"", "", []string{"url: it is missing", "secret: it has 0 bytes"}},
		"relative":    {"hooks.example.com/SECRETPATH", plainSecret, []string{"absolute"}},
		"unparsable":  {"https://hooks.example.com/SECRETPATH%zz", plainSecret, []string{"absolute"}},
		"scheme":      {"ftp://hooks.example.com/SECRETPATH", plainSecret, []string{"neither https nor http"}},
		"credentials": {"https://user:SECRETPATH@hooks.example.com", plainSecret, []string{"password"}},
		"fragment":    {"https://hooks.example.com/SECRETPATH#x", plainSecret, []string{"fragment"}},
		"http":        {"http://hooks.example.com/SECRETPATH", plainSecret, []string{"use https"}},
		"short":       {"https://hooks.example.com/SECRETPATH", "SECRETPATH-is-too-short", []string{"at least 24"}},
		"notBase64":   {"https://hooks.example.com/SECRETPATH", "whsec_SECRETPATH!", []string{"base64"}},
		"shortBase64": {"https://hooks.example.com/SECRETPATH", "whsec_c2hvcnQ=", []string{"it has 5 bytes"}},
	} {
		_, err := webhook.New(webhook.Config{Name: "team", URL: c.url, Secret: c.secret})
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.ErrorContains(t, err, `channel "team"`, name)
		for _, want := range c.want {
			require.ErrorContains(t, err, want, name)
		}
		require.NotContains(t, err.Error(), "SECRETPATH", name)
		require.NotContains(t, err.Error(), "\n", name)
	}
}

// Only 410 says that the receiver wants nothing more.
func TestGoneDisablesTheChannel(t *testing.T) {
	t.Parallel()

	for status, gone := range map[int]bool{410: true, 404: false, 400: false, 401: false, 301: false, 429: false, 500: false, 503: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		err := connect(t, webhook.Config{Name: "team", URL: server.URL, Secret: plainSecret, AllowPrivateNetworks: true}).Notify(t.Context(), notifytest.Message())
		require.Equal(t, gone, errors.Is(err, notify.ErrGone), "status %d: %v", status, err)
		if gone {
			require.EqualError(t, err, "webhook.notify: the endpoint is gone (HTTP 410)")
		}
	}
}
