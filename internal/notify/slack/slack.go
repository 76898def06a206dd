// Package slack is the notification channel to Slack, by an incoming webhook
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/post"
)

const op = "slack.notify"

// Config describes one incoming webhook.
type Config struct {
	// Name is the configured name of the channel.
	Name string
	// URL is the incoming webhook's. It is a credential.
	URL string
	// AllowPrivateNetworks permits loopback and private addresses, and http,
	// for a service of one's own that speaks Slack's format.
	AllowPrivateNetworks bool
	// Timeout bounds one call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Notifier posts messages to one Slack channel. It is safe for concurrent use.
type Notifier struct {
	name     string
	endpoint *post.Endpoint
}

// New returns a channel, or what is wrong with the configuration, as a fault of
// kind Invalid that does not hold the URL.
func New(c Config) (*Notifier, error) {
	endpoint, err := post.New(post.Config{
		URL: c.URL, AllowPrivateNetworks: c.AllowPrivateNetworks, Timeout: c.Timeout, Now: c.Now,
	})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "slack.new", fmt.Sprintf("channel %q: %s", c.Name, err), err)
	}
	return &Notifier{name: c.Name, endpoint: endpoint}, nil
}

// Name implements notify.Notifier.
func (n *Notifier) Name() string { return n.name }

// Notify implements notify.Notifier. Slack knows no key, so a message whose
// answer was lost may stand in the channel twice.
func (n *Notifier) Notify(ctx context.Context, m notify.Message) error {
	body, err := json.Marshal(format(m))
	if err != nil {
		return fault.Wrap(fault.Invalid, op, "the message cannot be written as JSON", err)
	}
	answer, err := n.endpoint.Post(ctx, op, nil, body)
	if err != nil {
		return err
	}
	return answer.Err(op, code(answer.Said))
}

// code returns the error that Slack names in the body, if it is one of those
// that it documents. Whatever else is in the body stays out of our errors.
func code(said []byte) string {
	word := string(bytes.TrimSpace(said))
	if slices.Contains(codes(), word) {
		return word
	}
	return ""
}

// codes are the errors of incoming webhooks
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
// and the change log of 2016-05-17).
func codes() []string {
	return []string{
		"action_prohibited", "channel_is_archived", "channel_not_found", "invalid_blocks", "invalid_blocks_format",
		"invalid_payload", "invalid_token", "missing_text_or_fallback_or_attachments", "no_active_hooks", "no_service",
		"no_service_id", "no_team", "no_text", "posting_to_general_channel_denied", "rate_limited", "rollup_error",
		"team_disabled", "too_many_attachments", "user_not_found",
	}
}
