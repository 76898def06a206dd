package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/notify"
	notifylog "github.com/rewardflow/rewardflow/internal/notify/log"
	"github.com/rewardflow/rewardflow/internal/notify/slack"
	notifywebhook "github.com/rewardflow/rewardflow/internal/notify/webhook"
)

// channels are the configured notification channels, in their order.
type channels []channel

type channel struct {
	notifier notify.Notifier
	events   []string
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
		built = append(built, channel{notifier: notifier, events: n.Events})
	}
	return built, errors.Join(errs...)
}

func notifier(name string, c config.Channel, logger *slog.Logger) (notify.Notifier, error) {
	switch c.Type {
	case config.ChannelLog:
		return notifylog.New(name, logger), nil
	case config.ChannelSlack:
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

func (c channels) byName() map[string]notify.Notifier {
	named := make(map[string]notify.Notifier, len(c))
	for _, ch := range c {
		named[ch.notifier.Name()] = ch.notifier
	}
	return named
}
