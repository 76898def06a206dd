package slack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/slacktest"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/notifytest"
	"github.com/rewardflow/rewardflow/internal/notify/slack"
)

const token = "xoxb-TOKEN-of-the-bot"

func bot(t *testing.T, api string) *slack.Bot {
	t.Helper()
	b, err := slack.NewBot(slack.BotConfig{
		Name: "ops", Token: token, Channel: "C0123456789", APIURL: api, AllowPrivateNetworks: true, Timeout: 20 * time.Second,
	})
	require.NoError(t, err)
	return b
}

// answering is a Slack that gives one answer, and counts.
func answering(t *testing.T, answer http.HandlerFunc) (api string, calls func() int) {
	t.Helper()
	seen := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- struct{}{}
		_, _ = io.ReadAll(r.Body)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/", func() int { return len(seen) }
}

func requireNothingLeaks(t *testing.T, api string, err error) {
	t.Helper()
	require.Error(t, err)
	for _, secret := range []string{token, "xoxb", "://", strings.Trim(strings.TrimPrefix(api, "http://"), "/"), notifytest.Email} {
		require.NotContains(t, err.Error(), secret)
	}
}

// listener is somebody in the conversation: what it returns waits for the next
// message there.
func listener(t *testing.T, server *slacktest.Server) (next func() slackapi.Message) {
	t.Helper()
	rtm := slackapi.New(token, slackapi.OptionAPIURL(server.GetAPIURL())).NewRTM()
	go rtm.ManageConnection()
	t.Cleanup(func() { _ = rtm.Disconnect() })
	deadline := time.After(20 * time.Second)
	return func() slackapi.Message {
		for {
			select {
			case event := <-rtm.IncomingEvents:
				if m, ok := event.Data.(*slackapi.MessageEvent); ok {
					return slackapi.Message(*m)
				}
			case <-deadline:
				t.Fatal("no message came")
			}
		}
	}
}

func TestBotPosts(t *testing.T) {
	t.Parallel()

	server := slacktest.NewTestServer()
	server.Start()
	t.Cleanup(server.Stop)
	listen := listener(t, server)
	b := bot(t, server.GetAPIURL())
	require.Equal(t, "ops", b.Name())
	require.NoError(t, b.Notify(t.Context(), notifytest.Message()))

	m := listen()
	require.Equal(t, "C0123456789", m.Channel)
	require.Equal(t, "Reward 3150771 needs attention: It does not go on before somebody has said what to do.", m.Text)
	require.Len(t, m.Blocks.BlockSet, 3)
	first, ok := m.Blocks.BlockSet[0].(*slackapi.SectionBlock)
	require.True(t, ok)
	require.Equal(t, "mrkdwn", first.Text.Type)
	require.True(t, first.Text.Verbatim)
	require.Equal(t, "*Reward 3150771 needs attention*\nIt does not go on before somebody has said what to do.", first.Text.Text)
}

func TestBotEscapesMarkup(t *testing.T) {
	t.Parallel()

	forms := make(chan url.Values, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		forms <- r.Form
		require.Equal(t, "Bearer "+token, "Bearer "+r.Form.Get("token")+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		_, _ = io.WriteString(w, `{"ok":true,"channel":"C0123456789","ts":"1.2"}`)
	}))
	t.Cleanup(server.Close)
	require.NoError(t, bot(t, server.URL+"/").Notify(t.Context(), notify.Message{
		Key: "x-1", Title: "<!channel> & co", Text: "a < b",
		Fields: []notify.Field{{Label: "<@U1>", Value: "<https://evil.example.com|Approve>"}},
	}))
	form := <-forms
	require.Equal(t, "&lt;!channel&gt; &amp; co: a &lt; b", form.Get("text"))
	var blocks slackapi.Blocks
	require.NoError(t, json.Unmarshal([]byte(form.Get("blocks")), &blocks))
	require.Equal(t, "*&lt;@U1&gt;*: &lt;https://evil.example.com|Approve&gt;", blocks.BlockSet[1].(*slackapi.SectionBlock).Text.Text)
	require.Equal(t, "false", form.Get("unfurl_links"))
	require.Equal(t, "false", form.Get("unfurl_media"))
}

func TestBotsErrorsHaveTheirKind(t *testing.T) {
	t.Parallel()

	for code, want := range map[string]fault.Kind{
		"channel_not_found": fault.Invalid, "is_archived": fault.Invalid, "not_in_channel": fault.Invalid, "msg_too_long": fault.Invalid,
		"invalid_auth": fault.Denied, "token_revoked": fault.Denied, "account_inactive": fault.Denied, "missing_scope": fault.Denied,
		"restricted_action": fault.Denied, "ratelimited": fault.Throttled, "message_limit_exceeded": fault.Throttled,
		"service_unavailable": fault.Unavailable, "fatal_error": fault.Ambiguous, "internal_error": fault.Ambiguous,
		"something_new": fault.Ambiguous,
	} {
		api, calls := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"ok":false,"error":%q}`, code)
		})
		err := bot(t, api).Notify(t.Context(), notifytest.Message())
		require.Equal(t, want, fault.KindOf(err), code)
		require.ErrorContains(t, err, "Slack does not take the message: "+code)
		requireNothingLeaks(t, api, err)
		require.Equal(t, 1, calls(), "one try is one request")
	}
}

func TestBotUnderstandsOnlyASuccess(t *testing.T) {
	t.Parallel()

	for _, body := range []string{
		`{"ok":false}`, `{"ok":true}`, `{}`, ``, `[]`, `<html>`, `{"ok":false,"error":"` + token + ` of ` + notifytest.Email + `"}`,
	} {
		api, calls := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		err := bot(t, api).Notify(t.Context(), notifytest.Message())
		require.Equal(t, fault.Ambiguous, fault.KindOf(err), "%s: %v", body, err)
		requireNothingLeaks(t, api, err)
		require.Equal(t, 1, calls())
	}
}

func TestBotsStatuses(t *testing.T) {
	t.Parallel()

	for status, want := range map[int]fault.Kind{
		301: fault.Invalid, 400: fault.Invalid, 401: fault.Denied, 403: fault.Denied, 404: fault.NotFound,
		429: fault.Throttled, 500: fault.Ambiguous, 502: fault.Ambiguous, 503: fault.Ambiguous,
	} {
		api, calls := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(status)
		})
		err := bot(t, api).Notify(t.Context(), notifytest.Message())
		require.Equal(t, want, fault.KindOf(err), "%d: %v", status, err)
		requireNothingLeaks(t, api, err)
		require.Equal(t, 1, calls(), "no retries of the library's own")
	}
	for header, want := range map[string]time.Duration{"30": 30 * time.Second, "": 0, "soon": 0, "86400": time.Hour} {
		api, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		err := bot(t, api).Notify(t.Context(), notifytest.Message())
		require.Equal(t, fault.Throttled, fault.KindOf(err), header)
		require.Equal(t, want, fault.RetryAfter(err), header)
	}
}

func TestBotsLostAnswers(t *testing.T) {
	t.Parallel()

	api, calls := answering(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	err := bot(t, api).Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	requireNothingLeaks(t, api, err)
	require.Equal(t, 1, calls())

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	err = bot(t, closed.URL+"/").Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "slack.notify: cannot connect: connection refused")
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestNewBotRefusesAWrongConfiguration(t *testing.T) {
	t.Parallel()

	for want, c := range map[string]slack.BotConfig{
		"token: ":   {Name: "ops", Token: "xoxp-SECRET", Channel: "#ops"},
		"channel: ": {Name: "ops", Token: token},
	} {
		_, err := slack.NewBot(c)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		require.ErrorContains(t, err, `channel "ops": `+want)
		require.NotContains(t, err.Error(), "SECRET")
		require.NotContains(t, err.Error(), token)
	}
}
