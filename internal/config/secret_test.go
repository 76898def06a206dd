package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/internal/config"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()

	const hidden = "s3cret"
	cfg := mustParse(t, `
firstpromoter: {api_key: s3cret-key, webhook_secret: s3cret-webhook-0123456789-0123456789, basic_auth: "u:s3cret"}
providers: {team: {type: webhook, url: https://billing.example.com/hook, secret: s3cret-0123456789-0123456789, secrets: [s3cret-0123456789-9876543210]}}
notifications: [{events: [lead_signup], channel: {type: slack, url: https://hooks.slack.com/s3cret}}]
`, nil)
	require.Equal(t, "s3cret-key", cfg.FirstPromoter.APIKey.Reveal())

	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(cfg)
	require.NoError(t, err)
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("config", "pointer", cfg, "value", *cfg, "key", cfg.FirstPromoter.APIKey, "account", cfg.FirstPromoter)
	}
	texts := []string{string(asJSON), string(asYAML), logged.String(), fmt.Sprint(cfg.Summary())}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, value := range []any{cfg, *cfg, cfg.FirstPromoter, cfg.FirstPromoter.APIKey, &cfg.FirstPromoter.APIKey, cfg.Providers, cfg.Notifications} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
	}
	for _, text := range texts {
		require.NotContains(t, text, hidden)
		require.NotContains(t, text, fmt.Sprintf("%x", hidden))
		require.NotContains(t, text, fmt.Sprintf("%X", hidden))
	}
	require.Contains(t, string(asJSON), `"APIKey":"***"`)
	require.Contains(t, string(asYAML), `api_key: '***'`)
	require.Contains(t, logged.String(), "firstpromoter.api_key=set")
}

func TestEmptySecretPrintsEmpty(t *testing.T) {
	t.Parallel()

	require.Equal(t, `|""|***|"***"`, fmt.Sprintf("%v|%#v|%v|%#v", config.Secret(""), config.Secret(""), config.Secret("x"), config.Secret("x")))
	require.Empty(t, config.Secret("").LogValue().String())
}

func TestSummary(t *testing.T) {
	t.Parallel()

	summary := map[string]string{}
	cfg := mustParse(t, withTeam+"notifications: [{events: [lead_signup, reward_held], channel: {type: log}}]\n", nil)
	for _, s := range cfg.Summary() {
		summary[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"firstpromoter.base_url":   "https://firstpromoter.com",
		"firstpromoter.basic_auth": "not set",
		"firstpromoter.api_key":    "set",
		"providers.team":           "webhook at https://one.example.com",
		"routes[0]":                "everything to team",
		"brake.max_single":         "10 credits",
		"brake.max_per_day":        "no cap",
		"policy":                   "0 rules",
		"notifications[0]":         "log: lead_signup, reward_held",
	} {
		require.Equal(t, want, summary[key], key)
	}
}
