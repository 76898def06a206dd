package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/post"
)

// BotConfig describes an app's bot and the conversation that it posts to.
type BotConfig struct {
	// Name is the configured name of the channel.
	Name string
	// Token is the bot's, "xoxb-...", with the scope chat:write.
	Token string
	// Channel is the ID of a conversation that the bot is a member of, or its
	// name with #.
	Channel string
	// APIURL ends in a slash; empty means Slack's own. AllowPrivateNetworks
	// permits loopback and private addresses there. Both are for a double.
	APIURL               string
	AllowPrivateNetworks bool
	// Timeout bounds one call; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Bot posts messages to one conversation with the method chat.postMessage
// (https://docs.slack.dev/reference/methods/chat.postMessage). It is safe for
// concurrent use.
type Bot struct {
	cfg    BotConfig
	client *http.Client
}

// NewBot returns a channel, or what is wrong with the configuration, as a fault
// of kind Invalid that does not hold the token.
func NewBot(c BotConfig) (*Bot, error) {
	var wrong []string
	if !strings.HasPrefix(c.Token, "xoxb-") || strings.ContainsAny(c.Token, " \r\n\t") {
		wrong = append(wrong, "token: it is not a bot's, which begins with xoxb-")
	}
	if c.Channel == "" || strings.ContainsAny(c.Channel, " \r\n\t") {
		wrong = append(wrong, "channel: it is neither a conversation's ID, such as C0123456789, nor #name")
	}
	if len(wrong) > 0 {
		return nil, fault.New(fault.Invalid, "slack.new", fmt.Sprintf("channel %q: %s", c.Name, strings.Join(wrong, "; ")))
	}
	if c.APIURL == "" {
		c.APIURL = slackapi.APIURL
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Bot{
		cfg:    c,
		client: egress.NewClient(egress.Options{Timeout: c.Timeout, GuardPrivateNetworks: !c.AllowPrivateNetworks}),
	}, nil
}

// Name implements notify.Notifier.
func (b *Bot) Name() string { return b.cfg.Name }

// Notify implements notify.Notifier. Slack knows no key, so a message whose
// answer was lost may stand in the conversation twice.
func (b *Bot) Notify(ctx context.Context, m notify.Message) error {
	call := &call{client: b.client, now: b.cfg.Now}
	// A client of this library is a few fields; it has no retries unless asked.
	api := slackapi.New(b.cfg.Token, slackapi.OptionHTTPClient(call), slackapi.OptionAPIURL(b.cfg.APIURL))
	d := format(m)
	_, posted, err := api.PostMessageContext(ctx, b.cfg.Channel,
		slackapi.MsgOptionText(d.Text, false), slackapi.MsgOptionBlocks(d.apiBlocks()...),
		slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl())
	switch {
	case call.err != nil:
		return egress.Classify(op, call.err)
	case call.answer.Status != http.StatusOK:
		return call.answer.Err(op, "")
	case err == nil && posted != "":
		return nil
	}
	if refusal, ok := errors.AsType[slackapi.SlackErrorResponse](err); ok {
		return call.refused(refusal.Err)
	}
	// The library takes an answer without an error's name for a success.
	return fault.Wrap(fault.Ambiguous, op, "Slack's answer is not one that it documents", err)
}

// call makes one request and keeps what came of it: the library's errors quote
// URLs, and know fewer forms of Retry-After.
type call struct {
	client *http.Client
	now    func() time.Time
	answer post.Answer
	err    error
}

// Do implements the library's HTTP client.
func (c *call) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.client.Do(req)
	if err != nil {
		c.err = err
		return nil, err
	}
	c.answer = post.Answer{Status: resp.StatusCode, RetryAfter: post.RetryAfter(resp.Header, c.now())}
	return resp, nil
}

// refused classifies the error that Slack names in an answer of 200.
func (c *call) refused(code string) error {
	words := "Slack does not take the message"
	// A name holds no secret; anything else that stands there stays out.
	if regexp.MustCompile(`^[a-z][a-z_]{1,63}$`).MatchString(code) {
		words += ": " + code
	}
	kind, advice := kindOf(code)
	if advice != "" {
		words += " (" + advice + ")"
	}
	return &fault.Error{Kind: kind, Op: op, Message: words, RetryAfter: c.answer.RetryAfter}
}

// kindOf classifies the errors of chat.postMessage
// (https://docs.slack.dev/reference/methods/chat.postMessage#errors). One that
// is not known is asked again.
func kindOf(code string) (kind fault.Kind, advice string) {
	switch code {
	case "channel_not_found", "is_archived", "not_in_channel":
		return fault.Invalid, "check the channel, and invite the bot to it"
	case "invalid_blocks", "invalid_blocks_format", "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset",
		"invalid_form_data", "invalid_post_type", "missing_post_type", "msg_blocks_too_long", "msg_too_long", "no_text", "too_many_attachments":
		return fault.Invalid, ""
	case "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type":
		return fault.Denied, "check the token"
	case "missing_scope", "no_permission", "access_denied", "ekm_access_denied", "org_login_required", "team_access_not_granted",
		"restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel",
		"restricted_action_non_threadable_channel", "two_factor_setup_required", "accesslimited", "team_not_found", "enterprise_is_restricted":
		return fault.Denied, "check the app's scopes and the workspace's rules"
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return fault.Throttled, ""
	case "service_unavailable", "team_added_to_org", "deprecated_endpoint":
		return fault.Unavailable, ""
	}
	return fault.Ambiguous, ""
}

// apiBlocks are the document's blocks in the words of the library.
func (d document) apiBlocks() []slackapi.Block {
	var blocks []slackapi.Block
	for _, b := range d.Blocks {
		t := slackapi.NewTextBlockObject(b.Text.Type, b.Text.Text, false, b.Text.Verbatim)
		blocks = append(blocks, slackapi.NewSectionBlock(t, nil, nil))
	}
	return blocks
}
