package firstpromoter_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/firstpromotertest"
)

// FuzzDecode plants a secret under every secret field's name, wherever the
// input has an object, and looks for it in what is kept.
func FuzzDecode(f *testing.F) {
	firstpromotertest.AddBodies(f, "testdata")
	f.Add([]byte(`{"event":{"id":"1e3","type":"fulfilment_pending"},"data":{"id":"9223372036854775807","amount":"-0.0","promoter":[],"campaign":{"id":null}}}`))
	f.Add([]byte(`{"event":{"id":1,"type":"new_customer","created_at":"9999-12-31T23:59:59-23:59"},"data":{"promotion":{"campaign_id":"6"}}}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		checkDecoded(t, body)
		if planted, ok := plant(body); ok {
			ev := checkDecoded(t, planted)
			require.NotContains(t, string(ev.Body()), canary)
			require.NotContains(t, ev.Dedupe(), canary)
			if ev.Reward != nil {
				claimed, err := json.Marshal(ev.Reward)
				require.NoError(t, err)
				require.NotContains(t, string(claimed), canary)
			}
		}
	})
}

// checkDecoded holds of every input.
func checkDecoded(t *testing.T, body []byte) firstpromoter.Event {
	t.Helper()
	ev, err := firstpromoter.Decode(body)
	if err != nil {
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		return ev
	}
	require.True(t, json.Valid(ev.Body()))
	require.NotEmpty(t, ev.Dedupe())
	require.LessOrEqual(t, len(ev.ID), 64)
	require.Equal(t, ev.Type == firstpromoter.FulfilmentPending, ev.Reward != nil)
	if ev.Reward != nil {
		require.Positive(t, int64(ev.Reward.Reward.ID))
		require.Equal(t, int64(ev.Reward.Reward.ID), ev.Fields.Reward.ID)
	}
	again, err := firstpromoter.Decode(body)
	require.NoError(t, err)
	require.Equal(t, ev.Dedupe(), again.Dedupe())
	return ev
}

// plant returns the input with secrets in it, and false when it has no objects.
func plant(body []byte) ([]byte, bool) {
	var top map[string]any
	if bytes.Contains(body, []byte(canary)) {
		body = bytes.ReplaceAll(body, []byte(canary), []byte("x"))
	}
	if json.Unmarshal(body, &top) != nil || top == nil {
		return nil, false
	}
	plantInto(top)
	planted, err := json.Marshal(top)
	// An escape may have hidden the word from the replacement above.
	return planted, err == nil && !bytes.Contains(body, []byte(`\u`))
}

func plantInto(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			plantInto(child)
		}
		for _, secret := range []string{
			"auth_token", "temp_password", "w8_form_url", "w9_form_url", "note", "default_webhook_url", "landing_url",
			"referral_link", "ref_id", "promo_code", "customer_promo_code", "profile", "custom_fields", "promotions",
			"uid", "username", "website", "event_id", "pref", "default_ref_id", "password_setup_url",
		} {
			v[secret] = canary + "-" + secret
		}
	case []any:
		for _, child := range v {
			plantInto(child)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := fixture(b, "fulfilment_pending")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := firstpromoter.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
