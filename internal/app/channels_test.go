package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/notify"
)

func TestEveryChannelIsBuilt(t *testing.T) {
	t.Parallel()

	const secret = "correct-horse-battery-24"
	cfg := &config.Config{Notifications: []config.Notification{
		{Events: []string{"lead_signup"}, Channel: config.Channel{Type: config.ChannelLog}},
		{Events: []string{"lead_signup", "reward_held"}, Channel: config.Channel{Type: config.ChannelWebhook, URL: "https://hooks.example.com", Secret: secret}},
		{Events: []string{"reward_held"}, Channel: config.Channel{Type: config.ChannelSlack, URL: "https://hooks.slack.com/services/x"}},
		{Events: []string{"reward_held"}, Channel: config.Channel{Type: config.ChannelSlack, Token: "xoxb-1", Channel: "C1"}},
		{Events: []string{"daily_summary"}, Channel: config.Channel{Type: config.ChannelEmail, Host: "smtp.example.com", From: "a@example.com", To: []string{"b@example.com"}}},
	}}
	built, err := notifiers(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, []string{"webhook-2", "slack-3", "slack-4"}, built.wanting("reward_held"))
	require.Equal(t, []string{"email-5"}, built.wanting(notify.DailySummary))
	require.Empty(t, built.wanting("promoter_accepted"))
	named := built.byName()
	require.Len(t, named, 5)
	require.Equal(t, []string{"lead_signup", "reward_held"}, named["webhook-2"].Events)
	for name, c := range named {
		require.Equal(t, name == "webhook-2", c.Fingerprint != "", "%s: only a webhook can say that it is gone", name)
		require.NotContains(t, c.Fingerprint, secret)
	}

	cfg.Notifications[0].Channel.Type = "smoke"
	_, err = notifiers(cfg, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "notifications[0]: ")
}

func TestDisabledChannelIsNamedUntilItsConfigurationChanges(t *testing.T) {
	t.Parallel()

	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	said := func(c config.Channel) string {
		var log bytes.Buffer
		built, err := notifiers(&config.Config{Notifications: []config.Notification{{Channel: config.Channel{Type: config.ChannelLog}}, {Channel: c}}}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		built.sayDisabled(t.Context(), l, slog.New(slog.NewTextHandler(&log, nil)))
		return log.String()
	}
	c := config.Channel{Type: config.ChannelWebhook, URL: "https://hooks.example.com/SECRETPATH", Secret: "correct-horse-battery-24"}
	require.Empty(t, said(c))
	require.NoError(t, l.DisableChannel(t.Context(), ledger.DisabledChannel{
		Fingerprint: fingerprint(c), Channel: "webhook-1", Reason: "the endpoint is gone (HTTP 410)",
	}))
	require.Contains(t, said(c), "channel=webhook-2")
	require.Contains(t, said(c), "HTTP 410")
	require.NotContains(t, said(c), "SECRETPATH")

	moved, resigned := c, c
	moved.URL += "?v=2"
	resigned.Secret += "5"
	require.Empty(t, said(moved))
	require.Empty(t, said(resigned))
}

func TestBrokenTemplateStopsTheStart(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	logger := slog.New(slog.DiscardHandler)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lead_signup.txt"), []byte("Title\n{{.Reason}}"), 0o600))
	_, err := writer(&config.Config{Templates: dir}, logger)
	require.ErrorContains(t, err, filepath.Join(dir, "lead_signup.txt")+":2:2: lead_signup has no field Reason")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "lead_signup.txt"), []byte("Lead {{.Lead.ID}}"), 0o600))
	for templates, want := range map[string]string{dir: "Lead 7", "": "A lead signed up"} {
		write, err := writer(&config.Config{Templates: templates}, logger)
		require.NoError(t, err)
		m, err := write("lead_signup", "1", []byte(`{"lead":{"id":7}}`))
		require.NoError(t, err)
		require.Equal(t, want, m.Title)
	}
	_, err = writer(&config.Config{Templates: filepath.Join(dir, "none")}, logger)
	require.ErrorContains(t, err, "cannot be read")
}
