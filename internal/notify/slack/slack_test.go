package slack_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/notifytest"
	"github.com/rewardflow/rewardflow/internal/notify/slack"
)

func connect(t *testing.T, c slack.Config) *slack.Notifier {
	t.Helper()
	n, err := slack.New(c)
	require.NoError(t, err)
	return n
}

func TestConformance(t *testing.T) {
	t.Parallel()

	notifytest.Run(t, notifytest.Subject{
		Connect: func(t *testing.T, url string, timeout time.Duration) notify.Notifier {
			return connect(t, slack.Config{Name: "ops", URL: url, AllowPrivateNetworks: true, Timeout: timeout})
		},
	})
}

// sent is what Slack receives.
type sent struct {
	Text   string
	Blocks []struct {
		Type string
		Text struct {
			Type     string
			Text     string
			Verbatim bool
		}
	}
	UnfurlLinks *bool `json:"unfurl_links"`
	UnfurlMedia *bool `json:"unfurl_media"`
}

// post sends a message to a double of Slack and returns what arrived there.
func post(t *testing.T, m notify.Message) sent {
	t.Helper()
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(server.Close)
	n := connect(t, slack.Config{Name: "ops", URL: server.URL, AllowPrivateNetworks: true})
	require.Equal(t, "ops", n.Name())
	require.NoError(t, n.Notify(t.Context(), m))
	var s sent
	require.NoError(t, json.Unmarshal(<-bodies, &s))
	return s
}

func TestNotifyShowsTheMessage(t *testing.T) {
	t.Parallel()

	s := post(t, notifytest.Message())
	require.Equal(t, "Reward 3150771 needs attention: It does not go on before somebody has said what to do.", s.Text)
	require.Len(t, s.Blocks, 3)
	require.Equal(t, "*Reward 3150771 needs attention*\nIt does not go on before somebody has said what to do.", s.Blocks[0].Text.Text)
	require.Equal(t, "*Reason*: the provider is not configured\n*Promoter e-mail*: ines.nowak@example.net", s.Blocks[1].Text.Text)
	require.Equal(t, "<https://rewards.example.com/#/rewards/3150771|Open in rewardflow>", s.Blocks[2].Text.Text)
	require.False(t, *s.UnfurlLinks)
	require.False(t, *s.UnfurlMedia)
	for _, b := range s.Blocks {
		require.Equal(t, "section", b.Type)
		require.Equal(t, "mrkdwn", b.Text.Type)
		require.True(t, b.Text.Verbatim)
	}
}

func TestNotifyEscapesMarkup(t *testing.T) {
	t.Parallel()

	s := post(t, notify.Message{
		Title: "<!channel> & co", Text: "a < b > c &lt;",
		Fields: []notify.Field{{Label: "<@U1>", Value: "<https://evil.example.com|Approve>"}},
		Link:   "https://rewards.example.com/?a=1&b=2",
	})
	require.Equal(t, "&lt;!channel&gt; &amp; co: a &lt; b &gt; c &amp;lt;", s.Text)
	require.Equal(t, "*&lt;!channel&gt; &amp; co*\na &lt; b &gt; c &amp;lt;", s.Blocks[0].Text.Text)
	require.Equal(t, "*&lt;@U1&gt;*: &lt;https://evil.example.com|Approve&gt;", s.Blocks[1].Text.Text)
	require.Equal(t, "<https://rewards.example.com/?a=1&amp;b=2|Open in rewardflow>", s.Blocks[2].Text.Text)
}

func TestNotifyKeepsSlacksLimits(t *testing.T) {
	t.Parallel()

	for name, filling := range map[string]string{"plain": "word ", "escaped": "&", "wide": "\U0001F600", "none": ""} {
		long := strings.Repeat(filling, 4000)
		s := post(t, notify.Message{
			Title: long, Text: long, Link: "https://rewards.example.com/" + strings.Repeat("x", 3000),
			Fields: []notify.Field{{Label: long, Value: long}, {Label: long, Value: long}, {Label: long, Value: long}},
		})
		require.NotEmpty(t, s.Text, name)
		require.LessOrEqual(t, len(utf16.Encode([]rune(s.Text))), 3000, name)
		require.NotEmpty(t, s.Blocks, name)
		for _, b := range s.Blocks {
			require.NotEmpty(t, b.Text.Text, name)
			require.LessOrEqual(t, len(utf16.Encode([]rune(b.Text.Text))), 3000, name)
			require.NotContains(t, b.Text.Text, "xxx", "%s: a link that was cut leads elsewhere", name)
			require.Equal(t, strings.Count(b.Text.Text, "&"), strings.Count(b.Text.Text, "&amp;"), "%s: an entity is cut", name)
		}
	}
}

func TestNotifyNamesSlacksOwnErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		want   string
	}{
		{http.StatusBadRequest, "invalid_payload", fault.Invalid, "slack.notify: the endpoint does not take this message (HTTP 400): invalid_payload"},
		{http.StatusForbidden, "action_prohibited\n", fault.Denied, "slack.notify: the endpoint denies access: check its url and secret (HTTP 403): action_prohibited"},
		{http.StatusGone, "channel_is_archived", fault.NotFound, "slack.notify: the endpoint is gone (HTTP 410): channel_is_archived"},
		{http.StatusNotFound, "token xoxb-1 of ines@example.net", fault.NotFound, "slack.notify: there is no endpoint at the url: check it (HTTP 404)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		t.Cleanup(server.Close)
		err := connect(t, slack.Config{Name: "ops", URL: server.URL, AllowPrivateNetworks: true}).Notify(t.Context(), notifytest.Message())
		require.EqualError(t, err, c.want)
		require.Equal(t, c.kind, fault.KindOf(err))
	}
}

func TestNewRefusesAWrongURL(t *testing.T) {
	t.Parallel()

	for _, url := range []string{"", "hooks.slack.com/services/SECRETPATH", "http://hooks.slack.com/services/SECRETPATH"} {
		_, err := slack.New(slack.Config{Name: "ops", URL: url})
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		require.ErrorContains(t, err, `channel "ops": url: `)
		require.NotContains(t, err.Error(), "SECRETPATH")
	}
}

func TestNotifyStaysOutOfPrivateNetworks(t *testing.T) {
	t.Parallel()

	asked := make(chan struct{}, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(server.Close)

	err := connect(t, slack.Config{Name: "ops", URL: server.URL}).Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Empty(t, asked)
}
