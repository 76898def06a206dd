package webhook_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

const anotherSecret = "another secret of the team, long enough"

// signedBy signs a callback as the reference library does.
func signedBy(t *testing.T, secret, body string, at time.Time) http.Header {
	t.Helper()
	signer, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	require.NoError(t, err)
	signature, err := signer.Sign("msg_1", at, []byte(body))
	require.NoError(t, err)
	h := http.Header{}
	h.Set(standardwebhooks.HeaderWebhookID, "msg_1")
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return h
}

func TestHeard(t *testing.T) {
	t.Parallel()

	const secret = "the team's own secret, long enough"
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	p, err := webhook.New(webhook.Config{
		Name: "team", URL: "https://billing.example.com/rewards", Secret: secret, OtherSecrets: []string{anotherSecret},
		Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	var _ payout.Caller = p

	const good = `{"type":"reward.payout.updated","timestamp":"2026-11-25T12:00:00Z","data":{"key":"rf_2429153_1","status":"returned"}}`
	for name, h := range map[string]http.Header{
		"signed":                    signedBy(t, secret, good, now),
		"signed with another one":   signedBy(t, anotherSecret, good, now),
		"signed five minutes ago":   signedBy(t, secret, good, now.Add(-5*time.Minute)),
		"signed in five minutes":    signedBy(t, secret, good, now.Add(5*time.Minute)),
		"one signature among three": with(signedBy(t, secret, good, now), "v1,bm90IGl0 %s v1a,bm90IGl0"),
	} {
		key, err := p.Heard(h.Get, []byte(good))
		require.NoError(t, err, name)
		require.Equal(t, "rf_2429153_1", key)
	}

	stale := signedBy(t, secret, good, now.Add(-5*time.Minute-time.Second))
	undated := signedBy(t, secret, good, now)
	undated.Del(standardwebhooks.HeaderWebhookTimestamp)
	unnamed := signedBy(t, secret, good, now)
	unnamed.Set(standardwebhooks.HeaderWebhookID, "msg_2")
	for name, h := range map[string]http.Header{
		"another's secret":    signedBy(t, "a secret that is nobody's, long enough", good, now),
		"another body":        signedBy(t, secret, good+" ", now),
		"another message ID":  unnamed,
		"too old":             stale,
		"too new":             signedBy(t, secret, good, now.Add(5*time.Minute+time.Second)),
		"no time":             undated,
		"no headers at all":   {},
		"an empty signature":  with(signedBy(t, secret, good, now), "%.0s"),
		"a signature of none": with(signedBy(t, secret, good, now), "v1,%.0s"),
	} {
		_, err := p.Heard(h.Get, []byte(good))
		require.Equal(t, fault.Denied, fault.KindOf(err), name)
		require.NotContains(t, err.Error(), secret)
	}

	for name, body := range map[string]string{
		"not JSON":        `reward.payout.updated`,
		"another type":    `{"type":"reward.payout","data":{"key":"rf_2429153_1"}}`,
		"no key":          `{"type":"reward.payout.updated","data":{}}`,
		"an unusable key": `{"type":"reward.payout.updated","data":{"key":"rf 1"}}`,
		"a number as key": `{"type":"reward.payout.updated","data":{"key":2429153}}`,
	} {
		_, err := p.Heard(signedBy(t, secret, body, now).Get, []byte(body))
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
	}
}

// with puts the signature into a pattern.
func with(h http.Header, pattern string) http.Header {
	h.Set(standardwebhooks.HeaderWebhookSignature, fmt.Sprintf(pattern, h.Get(standardwebhooks.HeaderWebhookSignature)))
	return h
}
