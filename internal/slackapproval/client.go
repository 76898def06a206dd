package slackapproval

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

// mendable is how long to wait where only a person at Slack can help: a token,
// a scope, an invitation. Nobody has to touch the waiting rewards afterwards.
const mendable = 10 * time.Minute

// Client calls Slack's Web API. Every method makes one try, and its errors are
// faults that hold no URL and no token:
//   - Denied: a person must change something at Slack, and then it works;
//   - NotFound: the message that was to be changed is gone;
//   - Invalid: Slack does not take what was written;
//   - Throttled: after RetryAfter;
//   - Unavailable: it certainly was not done;
//   - Ambiguous: it may have been done.
type Client struct {
	cfg  Config
	http *http.Client
}

// NewClient returns a Client.
func NewClient(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, http: egress.NewClient(egress.Options{Timeout: cfg.Timeout})}, nil
}

// Post sends a message to the channel and returns where it stands. Slack knows
// no key: a message whose answer was lost may stand there twice.
func (c *Client) Post(ctx context.Context, m Message) (channel, timestamp string, err error) {
	err = c.call(ctx, "slack.post", func(ctx context.Context, api *slackapi.Client) (err error) {
		channel, timestamp, err = api.PostMessageContext(ctx, c.cfg.Channel, m.options()...)
		if err == nil && (channel == "" || timestamp == "") {
			err = errors.New("no channel and no timestamp")
		}
		return err
	})
	return channel, timestamp, err
}

// Update draws a message anew.
func (c *Client) Update(ctx context.Context, channel, timestamp string, m Message) error {
	return c.call(ctx, "slack.update", func(ctx context.Context, api *slackapi.Client) error {
		_, drawn, _, err := api.UpdateMessageContext(ctx, channel, timestamp, m.options()...)
		if err == nil && drawn == "" {
			err = errors.New("no timestamp") // The library takes {"ok":false} for a success.
		}
		return err
	})
}

// Tell says something to one person in a channel, which nobody else sees.
func (c *Client) Tell(ctx context.Context, channel, user, words string) error {
	return c.call(ctx, "slack.tell", func(ctx context.Context, api *slackapi.Client) error {
		_, err := api.PostEphemeralContext(ctx, channel, user, slackapi.MsgOptionText(escape(words), false))
		return err
	})
}

// Ask opens a modal. The trigger is good for three seconds after the click
// (https://docs.slack.dev/interactivity/handling-user-interaction).
func (c *Client) Ask(ctx context.Context, trigger string, view slackapi.ModalViewRequest) error {
	return c.call(ctx, "slack.ask", func(ctx context.Context, api *slackapi.Client) error {
		_, err := api.OpenViewContext(ctx, trigger, view)
		return err
	})
}

func (c *Client) call(ctx context.Context, op string, do func(context.Context, *slackapi.Client) error) error {
	w := &wire{client: c.http, now: c.cfg.Now}
	err := do(ctx, slackapi.New(c.cfg.BotToken, slackapi.OptionAPIURL(c.cfg.BaseURL), slackapi.OptionHTTPClient(w)))
	switch {
	case w.err != nil:
		return egress.Classify(op, w.err)
	case w.status == http.StatusTooManyRequests:
		return throttled(op, w.retryAfter)
	case w.status >= http.StatusInternalServerError:
		return &fault.Error{
			Kind: fault.Ambiguous, Op: op, RetryAfter: w.retryAfter,
			Message: fmt.Sprintf("Slack answered %d: it may have been done", w.status),
		}
	case err == nil:
		return nil
	}
	if refusal, ok := errors.AsType[slackapi.SlackErrorResponse](err); ok {
		return refused(op, refusal.Err, w.retryAfter)
	}
	return fault.Wrap(fault.Ambiguous, op, fmt.Sprintf("Slack answered %d with something that it does not document", w.status), err)
}

func throttled(op string, after time.Duration) error {
	if after <= 0 {
		after = time.Second
	}
	return &fault.Error{Kind: fault.Throttled, Op: op, Message: "Slack asks to send less", RetryAfter: after}
}

// wire makes one request and keeps what came of it: the library's own errors
// quote URLs, and know one form of Retry-After.
type wire struct {
	client     *http.Client
	now        func() time.Time
	status     int
	retryAfter time.Duration
	err        error
}

// Do implements the library's HTTP client.
func (w *wire) Do(req *http.Request) (*http.Response, error) {
	resp, err := w.client.Do(req)
	if err != nil {
		w.err = err
		return nil, err
	}
	w.status, w.retryAfter = resp.StatusCode, egress.RetryAfter(resp.Header, w.now())
	return resp, nil
}

// refused classifies an error that Slack names. The names are documented with
// each method, https://docs.slack.dev/reference/methods/chat.postMessage for
// one.
func refused(op, name string, after time.Duration) error {
	switch name {
	case "not_in_channel", "channel_not_found":
		return denied(op, name, "invite the app into the channel, and give its ID in slack.channel")
	case "is_archived":
		return denied(op, name, "the channel is archived: name another one in slack.channel")
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "org_login_required", "ekm_access_denied":
		return denied(op, name, "the bot token is not good (any more): give another one in slack.bot_token")
	case "missing_scope", "no_permission", "restricted_action", "access_denied", "not_allowed_token_type",
		"restricted_action_read_only_channel", "team_access_not_granted", "two_factor_setup_required":
		return denied(op, name, "the app may not do it: it needs the scope chat:write, and leave to write in the channel")
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return fault.New(fault.NotFound, op, "the message is gone or cannot be changed (Slack says "+name+")")
	case "expired_trigger_id", "exchanged_trigger_id":
		return fault.New(fault.Conflict, op, "the click is too long ago: click again")
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return throttled(op, after)
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
		return &fault.Error{Kind: fault.Ambiguous, Op: op, RetryAfter: after, Message: "Slack is in trouble, and it may have been done"}
	}
	// Slack's names are words of its own; what is not one is not repeated.
	if !plain(name) {
		name = "something unreadable"
	}
	return fault.New(fault.Invalid, op, "Slack does not take it: "+name)
}

func denied(op, name, help string) error {
	return &fault.Error{Kind: fault.Denied, Op: op, Message: "Slack says " + name + ": " + help, RetryAfter: mendable}
}

func plain(name string) bool {
	for _, b := range []byte(name) {
		if (b < 'a' || b > 'z') && b != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 60
}

// CloseIdleConnections gives kept connections back.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }
