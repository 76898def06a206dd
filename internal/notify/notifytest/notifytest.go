// Package notifytest holds the suite that every notification channel over HTTP
// passes: one try is one request, every answer has its kind, and no error tells
// a secret.
package notifytest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
)

// Subject is one channel.
type Subject struct {
	// Connect returns the channel, which posts to url, may reach loopback
	// addresses, and gives up after timeout.
	Connect func(t *testing.T, url string, timeout time.Duration) notify.Notifier
	// Secrets must appear in no error. The suite adds the URL, which it treats
	// as a credential, and the personal data of the message.
	Secrets []string
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Helper()
	require.NotNil(t, s.Connect)
	for name, test := range map[string]func(*testing.T, Subject){
		"HasAName":                     hasAName,
		"SendsTheMessage":              sendsTheMessage,
		"EveryTrySaysTheSame":          everyTrySaysTheSame,
		"EveryStatusHasItsKind":        everyStatusHasItsKind,
		"SaysHowLongToWait":            saysHowLongToWait,
		"RedirectIsNotFollowed":        redirectIsNotFollowed,
		"LostAnswerIsAmbiguous":        lostAnswerIsAmbiguous,
		"TimeoutIsAmbiguous":           timeoutIsAmbiguous,
		"CancelledContextEndsTheTry":   cancelledContextEndsTheTry,
		"RefusedConnectionUnavailable": refusedConnectionIsUnavailable,
		"OddMessagesAreSent":           oddMessagesAreSent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test(t, s)
		})
	}
}

// patience is how long a channel waits in a test that does not want it to give
// up; impatience in one that does.
const (
	patience   = 20 * time.Second
	impatience = 2 * time.Second
)

// Email is personal data that Message holds.
const Email = "ines.nowak@example.net"

// Message returns a message with everything that a message can have.
func Message() notify.Message {
	return notify.Message{
		Key:         "reward_attention-4711",
		Type:        "reward_attention",
		Title:       "Reward 3150771 needs attention",
		Text:        "It does not go on before somebody has said what to do.",
		Fields:      []notify.Field{{Label: "Reason", Value: "the provider is not configured"}, {Label: "Promoter e-mail", Value: Email, Personal: true}},
		NeedsPerson: true,
		RewardID:    3150771,
		Link:        "https://rewards.example.com/#/rewards/3150771",
		At:          time.Date(2025, 3, 2, 8, 0, 0, 301e6, time.UTC),
		Event:       json.RawMessage(`{"reward_id":3150771,"reason":"the provider is not configured","email":"` + Email + `"}`),
	}
}

func hasAName(t *testing.T, s Subject) {
	r := newReceiver(t)
	require.NotEmpty(t, s.Connect(t, r.url, patience).Name())
	require.Empty(t, r.take(), "connecting sends nothing")
}

func sendsTheMessage(t *testing.T, s Subject) {
	r := newReceiver(t)
	m := Message()
	require.NoError(t, s.Connect(t, r.url, patience).Notify(t.Context(), m))

	got := r.take()
	require.Len(t, got, 1)
	require.Equal(t, http.MethodPost, got[0].method)
	require.Equal(t, "application/json", got[0].header.Get("Content-Type"))
	require.Equal(t, "rewardflow", got[0].header.Get("User-Agent"))
	said := allStrings(t, got[0].body)
	require.Contains(t, said, m.Title)
	require.Contains(t, said, m.Text)
	require.Contains(t, said, m.Link)
	require.Contains(t, said, "the provider is not configured")
}

func everyTrySaysTheSame(t *testing.T, s Subject) {
	r := newReceiver(t)
	r.answer(http.StatusServiceUnavailable)
	require.Error(t, s.Connect(t, r.url, patience).Notify(t.Context(), Message()))
	r.answer(http.StatusOK)
	require.NoError(t, s.Connect(t, r.url, patience).Notify(t.Context(), Message()))

	got := r.take()
	require.Len(t, got, 2)
	require.Equal(t, string(got[0].body), string(got[1].body))
}

func everyStatusHasItsKind(t *testing.T, s Subject) {
	for status, want := range map[int]fault.Kind{
		200: "", 201: "", 202: "", 204: "",
		300: fault.Invalid, 301: fault.Invalid, 302: fault.Invalid, 303: fault.Invalid, 304: fault.Invalid,
		307: fault.Invalid, 308: fault.Invalid,
		400: fault.Invalid, 402: fault.Invalid, 405: fault.Invalid, 406: fault.Invalid, 413: fault.Invalid,
		415: fault.Invalid, 422: fault.Invalid, 451: fault.Invalid,
		401: fault.Denied, 403: fault.Denied,
		404: fault.NotFound, 410: fault.NotFound,
		409: fault.Conflict,
		429: fault.Throttled,
		408: fault.Unavailable, 425: fault.Unavailable,
		500: fault.Ambiguous, 501: fault.Ambiguous, 502: fault.Ambiguous, 503: fault.Ambiguous, 504: fault.Ambiguous,
		599: fault.Ambiguous, 700: fault.Ambiguous,
	} {
		r := newReceiver(t)
		r.answer(status)
		err := s.Connect(t, r.url, patience).Notify(t.Context(), Message())
		require.Equal(t, want, fault.KindOf(err), "status %d: %v", status, err)
		require.Len(t, r.take(), 1, "status %d: one try is one request", status)
		s.requireSafe(t, r.url, err)
		if status == http.StatusGone {
			require.ErrorContains(t, err, "the endpoint is gone")
		}
	}
}

func saysHowLongToWait(t *testing.T, s Subject) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "soon": 0, "-5": 0,
		// A message is tried for a day: one wish must not use that up.
		"86400": time.Hour,
	} {
		r := newReceiver(t)
		r.handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		err := s.Connect(t, r.url, patience).Notify(t.Context(), Message())
		require.Equal(t, fault.Throttled, fault.KindOf(err))
		require.Equal(t, want, fault.RetryAfter(err), "Retry-After: %s", header)
	}
}

func redirectIsNotFollowed(t *testing.T, s Subject) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere, r := newReceiver(t), newReceiver(t)
		r.handle(func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, elsewhere.url, status) })
		err := s.Connect(t, r.url, patience).Notify(t.Context(), Message())
		require.Equal(t, fault.Invalid, fault.KindOf(err), "status %d", status)
		s.requireSafe(t, r.url, err)
		s.requireSafe(t, elsewhere.url, err)
		require.Empty(t, elsewhere.take(), "status %d was followed", status)
	}
}

func lostAnswerIsAmbiguous(t *testing.T, s Subject) {
	r := newReceiver(t)
	r.handle(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	err := s.Connect(t, r.url, patience).Notify(t.Context(), Message())
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.Len(t, r.take(), 1, "one try is one request")
	s.requireSafe(t, r.url, err)
}

func timeoutIsAmbiguous(t *testing.T, s Subject) {
	r := newReceiver(t)
	r.handle(silence)
	err := s.Connect(t, r.url, impatience).Notify(t.Context(), Message())
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.ErrorContains(t, err, "timed out")
	s.requireSafe(t, r.url, err)
}

func cancelledContextEndsTheTry(t *testing.T, s Subject) {
	r := newReceiver(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Bool
	r.handle(func(w http.ResponseWriter, req *http.Request) {
		asked.Store(true)
		cancel()
		silence(w, req)
	})
	err := s.Connect(t, r.url, patience).Notify(ctx, Message())
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.True(t, asked.Load())
	s.requireSafe(t, r.url, err)
}

func refusedConnectionIsUnavailable(t *testing.T, s Subject) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	err := s.Connect(t, closed.URL+secretPath, patience).Notify(t.Context(), Message())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	s.requireSafe(t, closed.URL+secretPath, err)
}

func oddMessagesAreSent(t *testing.T, s Subject) {
	long := strings.Repeat("Zażółć <&> \U0001F600 ", 2000)
	for name, m := range map[string]notify.Message{
		"bare": {Key: "x-1", Type: "x"},
		"long": {
			Key: "x-1", Type: "x", Title: long, Text: long, Link: "https://rewards.example.com/" + long,
			Fields: []notify.Field{{Label: long, Value: long}, {Label: long, Value: long}, {}},
		},
		"hostile": {
			Key: "x-1", Type: "x", Title: "<!channel> \x00\"}]", Text: "\xff\xfe</script>\r\n", Link: "javascript:alert(1)|<x>",
			Fields: []notify.Field{{Label: "*_`", Value: "<https://evil.example.com|Approve>"}},
		},
	} {
		r := newReceiver(t)
		require.NoError(t, s.Connect(t, r.url, patience).Notify(t.Context(), m), name)
		got := r.take()
		require.Len(t, got, 1, name)
		require.True(t, json.Valid(got[0].body), name)
	}
}

// requireSafe fails when an error tells what must never be stored or shown.
func (s Subject) requireSafe(t *testing.T, url string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	for _, secret := range s.Secrets {
		require.NotContains(t, text, secret, "a secret leaks")
	}
	require.NotContains(t, text, "://", "a URL leaks")
	require.NotContains(t, text, strings.TrimPrefix(strings.TrimSuffix(url, secretPath), "http://"), "an address leaks")
	require.NotContains(t, text, strings.Trim(secretPath, "/"), "the path of the URL leaks")
	require.NotContains(t, text, Email, "an e-mail address leaks")
}

// allStrings returns every string of a JSON document, one in a line.
func allStrings(t *testing.T, body []byte) string {
	t.Helper()
	var document any
	require.NoError(t, json.Unmarshal(body, &document))
	var lines []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			lines = append(lines, v)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(document)
	return strings.Join(lines, "\n")
}
