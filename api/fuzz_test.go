package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter/firstpromotertest"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// canaryWord is planted under the names of secret fields.
const canaryWord = "CANARY7f3a"

// secretFields are names of fields that are never kept.
func secretFields() []string {
	return []string{
		"auth_token", "temp_password", "w8_form_url", "w9_form_url", "note", "default_webhook_url", "profile", "custom_fields",
		"promotions", "promo_code", "password_setup_url", "uid",
	}
}

// plantSecrets puts secrets into every object of a body; nil when it has none.
func plantSecrets(body []byte) []byte {
	var top map[string]any
	if bytes.Contains(body, []byte(canaryWord)) || bytes.Contains(body, []byte(`\u`)) || json.Unmarshal(body, &top) != nil || top == nil {
		return nil
	}
	var into func(v any)
	into = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, child := range v {
				into(child)
			}
			for _, name := range secretFields() {
				v[name] = canaryWord + "-" + name
			}
		case []any:
			for _, child := range v {
				into(child)
			}
		}
	}
	into(top)
	planted, err := json.Marshal(top)
	if err != nil {
		return nil
	}
	return planted
}

// FuzzWebhookAnswer sends whatever comes through the real router, intake and
// ledger. Nothing is paid here, so the answer is never 200. It is 202 for what is
// stored, and then the event is shown; else 400. No secret is kept or answered.
func FuzzWebhookAnswer(f *testing.F) {
	firstpromotertest.AddBodies(f, "../internal/firstpromoter/testdata")
	for _, seed := range []string{
		``, `[]`, `null`, `{"event":{}}`, `{"event":{"type":"fulfilment_pending"},"data":{"id":0}}`,
		`{"event":{"id":1,"type":"fulfilment_pending"},"data":{"id":9223372036854775807,"amount":1e400,"unit":"cash"}}`,
		`{"event":{"id":"\u0000","type":"x.y-z_1"},"data":{"id":[]}}`, `{"event":{"id":1,"type":"lead_signup"},"data":{"email":"\ud83d\ude80"}}`,
	} {
		f.Add([]byte(seed))
	}
	// One ledger for each process of the fuzzer, which runs one input at a time.
	l, real := withRealLedger(f, f.TempDir())
	var a *apiTest
	f.Fuzz(func(t *testing.T, body []byte) {
		if a == nil {
			a = newAPITest(t, real)
		}
		checkAnswer(t, a, l, body)
		if planted := plantSecrets(body); planted != nil {
			checkAnswer(t, a, l, planted)
		}
	})
}

func checkAnswer(t *testing.T, a *apiTest, l *sqlite.Ledger, body []byte) {
	t.Helper()
	rec := a.deliver(webhookURL, body)
	require.Contains(t, []int{http.StatusAccepted, http.StatusBadRequest}, rec.Code, "%q", body)
	require.True(t, json.Valid(rec.Body.Bytes()))
	require.NotContains(t, rec.Body.String(), canaryWord)
	require.Equal(t, http.StatusUnauthorized, a.deliver(webhookURL+"x", body).Code)
	if rec.Code != http.StatusAccepted {
		return
	}
	listed, err := l.ListEvents(t.Context(), ledger.LogFilter{Limit: 1})
	require.NoError(t, err)
	newest := listed[0] // It may be an older one, if this event came before.
	require.Equal(t, http.StatusAccepted, newest.Answer)
	shown := a.send(t, localRequest(http.MethodGet, fmt.Sprintf("/api/v1/events/%d", newest.Inbox), ""))
	require.Equal(t, http.StatusOK, shown.Code)
	require.NotContains(t, shown.Body.String(), canaryWord)
	file, err := l.EventFile(t.Context(), newest.Inbox)
	require.NoError(t, err)
	require.True(t, json.Valid(file.Body))
	require.NotContains(t, string(file.Body)+newest.Type+newest.EventID, canaryWord)
	require.NotContains(t, a.logs.String(), canaryWord)
	a.logs.reset()
}
