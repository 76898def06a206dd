package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

const hidden = "hunter2-must-not-be-seen"

func TestNewLoggerRedactsWhatLooksSecret(t *testing.T) {
	t.Parallel()

	for _, format := range []string{telemetry.FormatText, telemetry.FormatJSON} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()

			var out bytes.Buffer
			log := telemetry.NewLogger(&out, format, nil)
			for _, key := range []string{
				"secret", "webhook_secret", "auth_token", "tokens", "temp_password", "PASSWORD",
				"api_key", "Api-Key", "firstpromoter_api_key", "apikey", "authorization", "Proxy-Authorization", "cookie",
			} {
				log.Info("as an attribute", key, hidden)
				log.With(key, hidden).Info("as an attribute of the logger")
				log.Info("in a group", slog.Group("request", slog.String(key, hidden)))
				log.Info("under a group", slog.Group(key, slog.String("value", hidden)))
				log.WithGroup(key).Info("under a group of the logger", "value", hidden)
			}
			require.NotContains(t, out.String(), hidden)
			require.Contains(t, out.String(), "[redacted]")
		})
	}
}

func TestNewLoggerKeepsWhatIsHarmless(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	telemetry.NewLogger(&out, telemetry.FormatJSON, nil).Info("reward.paid", "reward_id", 2429153, "key", "payout-1-g1")

	var entry map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &entry))
	require.Equal(t, "reward.paid", entry["msg"])
	require.Equal(t, "INFO", entry["level"])
	require.EqualValues(t, 2429153, entry["reward_id"])
	require.Equal(t, "payout-1-g1", entry["key"])
	require.NotContains(t, entry, "trace_id")
}

func TestNewLoggerAddsTheIDsOfTheTrace(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	log := telemetry.NewLogger(&out, telemetry.FormatJSON, nil).With("component", "intake")
	ctx, span := setup(t, telemetry.Config{}).Tracer("test").Start(t.Context(), "webhook")
	log.InfoContext(ctx, "webhook.accepted")

	var entry map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &entry))
	require.Equal(t, span.SpanContext().TraceID().String(), entry["trace_id"])
	require.Equal(t, span.SpanContext().SpanID().String(), entry["span_id"])
	require.Equal(t, "intake", entry["component"])
}

func TestNewLoggerNamesTheRewardAndItsWorkflow(t *testing.T) {
	t.Parallel()

	id := workflows.FulfilmentID(2429153)
	for name, test := range map[string]struct {
		log  func(l *slog.Logger)
		want map[string]any
	}{
		"AReward":       {func(l *slog.Logger) { l.Info("x", "reward_id", 2429153) }, map[string]any{"reward_id": 2429153., "workflow_id": id}},
		"ARewardBefore": {func(l *slog.Logger) { l.With("reward_id", reward.ID(2429153)).Info("x") }, map[string]any{"reward_id": 2429153., "workflow_id": id}},
		"TheSDKs":       {func(l *slog.Logger) { l.Info("x", "WorkflowID", id, "RunID", "r") }, map[string]any{"reward_id": 2429153., "workflow_id": id, "run_id": "r"}},
		"TheSDKsBefore": {func(l *slog.Logger) { l.With("WorkflowID", id).Info("x") }, map[string]any{"reward_id": 2429153., "workflow_id": id}},
		"Both":          {func(l *slog.Logger) { l.Info("x", "WorkflowID", id, "reward_id", 2429153) }, map[string]any{"reward_id": 2429153., "workflow_id": id}},
		"AnotherOne":    {func(l *slog.Logger) { l.Info("x", "WorkflowID", "notification-lead_signup-5") }, map[string]any{"workflow_id": "notification-lead_signup-5"}},
		"NoNumber":      {func(l *slog.Logger) { l.Info("x", "workflow_id", "fulfilment-x") }, map[string]any{"workflow_id": "fulfilment-x"}},
		"Neither":       {func(l *slog.Logger) { l.Info("x", "n", 1) }, map[string]any{"n": 1.}},
		"OwnTrace":      {func(l *slog.Logger) { l.Info("x", "trace_id", "t") }, map[string]any{"trace_id": "t"}},
		"InAGroup":      {func(l *slog.Logger) { l.WithGroup("g").Info("x", "reward_id", 1) }, map[string]any{"g": map[string]any{"reward_id": 1.}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var out bytes.Buffer
			test.log(telemetry.NewLogger(&out, telemetry.FormatJSON, nil))
			var entry map[string]any
			require.NoError(t, json.Unmarshal(out.Bytes(), &entry))
			for _, key := range []string{"time", "level", "msg"} {
				delete(entry, key)
			}
			require.Equal(t, test.want, entry)
		})
	}
}

func TestNewLoggerLeavesOutWhatIsBelowItsLevel(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	log := telemetry.NewLogger(&out, telemetry.FormatText, level)
	log.Info("quiet")
	require.Empty(t, out.String())
	level.Set(slog.LevelDebug)
	log.Debug("loud")
	require.Contains(t, out.String(), "msg=loud")
}
