package log_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/log"
	"github.com/rewardflow/rewardflow/internal/notify/notifytest"
)

func line(t *testing.T, m notify.Message) string {
	t.Helper()
	var out bytes.Buffer
	n := log.New("console", slog.New(slog.NewJSONHandler(&out, nil)))
	require.Equal(t, "console", n.Name())
	require.NoError(t, n.Notify(t.Context(), m))
	return out.String()
}

func TestNotifyWritesOneLine(t *testing.T) {
	t.Parallel()

	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(line(t, notifytest.Message())), &got))
	delete(got, "time")
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "notification.logged",
		"channel": "console", "type": "reward_attention", "key": "reward_attention-4711",
		"title": "Reward 3150771 needs attention", "text": "It does not go on before somebody has said what to do.",
		"reward_id": 3150771.0, "at": "2025-03-02T08:00:00.301Z",
		"fields": map[string]any{"reason": "the provider is not configured", "promoter_e_mail": "[masked]"},
	}, got)
}

func TestNotifyMasksPersonalData(t *testing.T) {
	t.Parallel()

	got := line(t, notify.Message{
		Title: "About ines@example.net", Text: "Ask <ines@example.net>, or \"ines nowak\"@example.net.",
		Fields: []notify.Field{
			{Label: "Reason", Value: "ines@example.net\tasked"},
			{Label: "Customer ID", Value: "Ines Nowak", Personal: true},
		},
		Link:  "https://rewards.example.com/ines@example.net",
		Event: json.RawMessage(`{"email":"ines@example.net"}`),
	})
	require.NotContains(t, got, "example")
	require.NotContains(t, got, "Ines Nowak")
	require.Contains(t, got, `"title":"About [masked]"`)
	require.Contains(t, got, `"reason":"[masked] asked"`)
	require.Contains(t, got, `"level":"INFO"`)
}
