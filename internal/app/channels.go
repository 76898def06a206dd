package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/email"
	notifylog "github.com/rewardflow/rewardflow/internal/notify/log"
	"github.com/rewardflow/rewardflow/internal/notify/slack"
	"github.com/rewardflow/rewardflow/internal/notify/templates"
	notifywebhook "github.com/rewardflow/rewardflow/internal/notify/webhook"
)

// channels are the configured notification channels, in their order.
type channels []channel

type channel struct {
	notifier    notify.Notifier
	events      []string
	fingerprint string
}

// notifiers builds the configured channels. A channel is named for its type
// and its place in the configuration: "slack-2". The name stands in histories.
func notifiers(cfg *config.Config, logger *slog.Logger) (channels, error) {
	var (
		built channels
		errs  []error
	)
	for i, n := range cfg.Notifications {
		notifier, err := notifier(fmt.Sprintf("%s-%d", n.Channel.Type, i+1), n.Channel, logger)
		if err != nil {
			errs = append(errs, fmt.Errorf("notifications[%d]: %w", i, err))
			continue
		}
		built = append(built, channel{notifier: notifier, events: n.Events, fingerprint: fingerprint(n.Channel)})
	}
	return built, errors.Join(errs...)
}

func notifier(name string, c config.Channel, logger *slog.Logger) (notify.Notifier, error) {
	switch c.Type {
	case config.ChannelLog:
		return notifylog.New(name, logger), nil
	case config.ChannelEmail:
		return email.New(email.Config{
			Name: name, Host: c.Host, Port: c.Port, TLS: c.TLS, Username: c.Username, Password: c.Password.Reveal(),
			From: c.From, To: c.To, Logger: logger,
		})
	case config.ChannelSlack:
		if c.Token != "" {
			return slack.NewBot(slack.BotConfig{Name: name, Token: c.Token.Reveal(), Channel: c.Channel})
		}
		return slack.New(slack.Config{Name: name, URL: c.URL.Reveal(), AllowPrivateNetworks: c.AllowPrivateNetworks})
	case config.ChannelWebhook:
		return notifywebhook.New(notifywebhook.Config{
			Name: name, URL: c.URL.Reveal(), Secret: c.Secret.Reveal(), AllowPrivateNetworks: c.AllowPrivateNetworks,
		})
	}
	return nil, fmt.Errorf("no channel type %q", c.Type)
}

// wanting returns the names of the channels that an event type is routed to.
func (c channels) wanting(eventType string) []string {
	var names []string
	for _, ch := range c {
		if slices.Contains(ch.events, eventType) {
			names = append(names, ch.notifier.Name())
		}
	}
	return names
}

func (c channels) byName() map[string]activities.Channel {
	named := make(map[string]activities.Channel, len(c))
	for _, ch := range c {
		named[ch.notifier.Name()] = activities.Channel{Notifier: ch.notifier, Events: ch.events, Fingerprint: ch.fingerprint}
	}
	return named
}

// fingerprint is a digest of what leads to a webhook's receiver, which may say
// that it is gone. It does not hold the channel's name, which changes with the
// order of the configuration. Other channels cannot be disabled.
func fingerprint(c config.Channel) string {
	if c.Type != config.ChannelWebhook {
		return ""
	}
	sum := sha256.Sum256([]byte(c.Type + "\x00" + c.URL.Reveal() + "\x00" + c.Secret.Reveal()))
	return hex.EncodeToString(sum[:])
}

// writer returns how messages are written: in the words of the configured
// templates, or in the built-in ones. A template that is broken is an error.
func writer(cfg *config.Config, logger *slog.Logger) (func(eventType, eventID string, body []byte) (notify.Message, error), error) {
	if cfg.Templates == "" {
		return notify.Render, nil
	}
	set, err := templates.Load(os.DirFS(cfg.Templates), cfg.Templates, logger)
	if err != nil {
		return nil, err
	}
	return set.Write, nil
}

// sayDisabled says at start which configured channels take nothing any more.
func (c channels) sayDisabled(ctx context.Context, record ledger.Notifications, logger *slog.Logger) {
	gone, err := record.DisabledChannels(ctx)
	if err != nil {
		logger.WarnContext(ctx, "notification.channels_not_read", "error", err)
		return
	}
	for _, ch := range c {
		for _, d := range gone {
			if d.Fingerprint == ch.fingerprint {
				logger.ErrorContext(ctx, "notification.channel_disabled", "channel", ch.notifier.Name(), "since", d.At, "reason", d.Reason,
					"consequence", "nothing is sent to it, until its configuration changes")
			}
		}
	}
}
