package email_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/notify/email"
	"github.com/rewardflow/rewardflow/internal/notify/notifytest"
)

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// letter is a mail taken apart.
type letter struct {
	header      netmail.Header
	plain, html string
}

func open(t *testing.T, raw string) letter {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	l := letter{header: m.Header}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return l
		}
		require.NoError(t, err)
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "text/plain":
			l.plain = strings.ReplaceAll(string(text), "\r\n", "\n")
		case "text/html":
			l.html = string(text)
		}
	}
}

func (l letter) subject(t *testing.T) string {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(l.header.Get("Subject"))
	require.NoError(t, err)
	return subject
}

// one returns the one mail that arrived, over one connection.
func (s *mailServer) one(t *testing.T) received {
	t.Helper()
	mails, sessions := s.take()
	require.Len(t, mails, 1)
	require.GreaterOrEqual(t, sessions, 1)
	return mails[0]
}

func TestMailArrives(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, how := range []string{email.TLSStart, email.TLSImplicit, email.TLSNone} {
		s := serve(t, how, nil)
		c := email.Config{TLS: how, To: []string{"Ops <ops@example.org>", "boss@example.org"}, Now: func() time.Time { return now }}
		if how != email.TLSNone {
			c.Username, c.Password = user, password
		}
		n := s.channel(t, c)
		require.Equal(t, "mail", n.Name())
		m := notifytest.Message()
		require.NoError(t, n.Notify(t.Context(), m), how)

		got := s.one(t)
		require.Equal(t, "rewards@example.com", got.from)
		require.Equal(t, []string{"ops@example.org", "boss@example.org"}, got.to)
		require.Equal(t, how != email.TLSNone, got.tls)
		require.Equal(t, c.Username, got.user)
		l := open(t, got.data)
		require.Equal(t, m.Title, l.subject(t))
		require.Equal(t, `"Rewards" <rewards@example.com>`, l.header.Get("From"))
		require.Equal(t, "auto-generated", l.header.Get("Auto-Submitted"))
		require.NotContains(t, got.data, "go-mail")
		date, err := l.header.Date()
		require.NoError(t, err)
		require.True(t, now.Equal(date))
		require.Equal(t, `Reward 3150771 needs attention

It does not go on before somebody has said what to do.

Reason: the provider is not configured
Promoter e-mail: ines.nowak@example.net
When: 2025-03-02 08:00:00 UTC

Open in rewardflow: https://rewards.example.com/#/rewards/3150771
`, l.plain)
		require.Contains(t, l.html, `<a href="https://rewards.example.com/#/rewards/3150771">Open in rewardflow</a>`)
		require.Contains(t, l.html, "<td>the provider is not configured</td>")
	}
}

// A try that is repeated is recognised by its Message-ID.
func TestEveryTryHasTheSameMessageID(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	ids := map[string]int{}
	send := func(name, key string) {
		m := notifytest.Message()
		m.Key = key
		require.NoError(t, s.channel(t, email.Config{Name: name}).Notify(t.Context(), m))
		id := open(t, s.one(t).data).header.Get("Message-ID")
		require.Regexp(t, `^<rewardflow\.[0-9a-f]{32}@example\.com>$`, id)
		ids[id]++
	}
	send("mail-1", "reward_attention-1")
	send("mail-1", "reward_attention-1")
	send("mail-1", "reward_attention-2")
	send("mail-2", "reward_attention-1")
	require.Len(t, ids, 3)
}

func TestMailIsNotSentUnprotected(t *testing.T) {
	t.Parallel()

	plain := serve(t, email.TLSNone, nil)
	err := plain.channel(t, email.Config{Username: user, Password: password}).Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.ErrorContains(t, err, "offers no STARTTLS")
	plain.requireSafe(t, err)

	// A certificate for somebody else, or of nobody who is trusted.
	for _, how := range []string{email.TLSStart, email.TLSImplicit} {
		s := serve(t, how, nil)
		s.roots = nil
		err := s.channel(t, email.Config{TLS: how, Username: user, Password: password}).Notify(t.Context(), notifytest.Message())
		require.EqualError(t, err, "email.notify: cannot connect: the certificate of the other side is not trusted", how)
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		mails, _ := s.take()
		require.Empty(t, mails)
	}
}

func TestWrongPasswordIsDenied(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	err := s.channel(t, email.Config{Username: user, Password: "WRONG"}).Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "email.notify: cannot connect (SMTP 535 5.7.8)")
	require.Equal(t, fault.Denied, fault.KindOf(err))
	s.requireSafe(t, err, "WRONG", user)
	mails, sessions := s.take()
	require.Empty(t, mails)
	require.GreaterOrEqual(t, sessions, 1)
}

func TestEveryCodeHasItsKind(t *testing.T) {
	t.Parallel()

	none := smtp.NoEnhancedCode
	for _, c := range []struct {
		code     int
		enhanced smtp.EnhancedCode
		want     fault.Kind
	}{
		{421, none, fault.Unavailable},
		{450, none, fault.Unavailable},
		{451, smtp.EnhancedCode{4, 3, 0}, fault.Unavailable},
		{451, smtp.EnhancedCode{4, 7, 1}, fault.Throttled},
		{452, none, fault.Throttled},
		{454, none, fault.Unavailable},
		{500, none, fault.Declined},
		{530, none, fault.Denied},
		{550, smtp.EnhancedCode{5, 1, 1}, fault.Declined},
		{550, smtp.EnhancedCode{5, 7, 26}, fault.Denied},
		{552, none, fault.Declined},
		{554, none, fault.Declined},
	} {
		for step, words := range map[string]string{
			"MAIL": "the mail server does not take the sender", "RCPT ops@example.org": "the mail server does not take the recipient to[0]",
			"DATA": "the mail server does not take the message",
		} {
			s := serve(t, email.TLSNone, nil)
			s.set("", map[string]error{step: &smtp.SMTPError{Code: c.code, EnhancedCode: c.enhanced, Message: "ops@example.org at 127.0.0.1: no"}})
			err := s.channel(t, email.Config{TLS: email.TLSNone}).Notify(t.Context(), notifytest.Message())
			require.Equal(t, c.want, fault.KindOf(err), "%s %d: %v", step, c.code, err)
			require.ErrorContains(t, err, fmt.Sprintf("%s (SMTP %d", words, c.code))
			s.requireSafe(t, err)
			mails, sessions := s.take()
			require.Empty(t, mails)
			require.GreaterOrEqual(t, sessions, 1)

			s.set("", nil)
			require.NoError(t, s.channel(t, email.Config{TLS: email.TLSNone}).Notify(t.Context(), notifytest.Message()), "it works again")
		}
	}
}

// A colleague who has left keeps the message from nobody else.
func TestRefusedRecipientIsLeftOut(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	gone := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "gone@example.org: no such user"}
	s.set("", map[string]error{"RCPT gone@example.org": gone})
	var logged bytes.Buffer
	c := email.Config{
		To: []string{"ops@example.org", "gone@example.org", "boss@example.org"}, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	}
	require.NoError(t, s.channel(t, c).Notify(t.Context(), notifytest.Message()))
	require.Equal(t, []string{"ops@example.org", "boss@example.org"}, s.one(t).to)
	require.Contains(t, logged.String(), "recipient=to[1]")
	require.NotContains(t, logged.String(), "@")

	s.set("", map[string]error{"RCPT gone@example.org": &smtp.SMTPError{Code: 450, Message: "later"}})
	err := s.channel(t, c).Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	mails, _ := s.take()
	require.Empty(t, mails, "who is not taken now would never be told alone")

	s.set("", map[string]error{"RCPT gone@example.org": gone, "RCPT ops@example.org": gone, "RCPT boss@example.org": gone})
	require.Equal(t, fault.Declined, fault.KindOf(s.channel(t, c).Notify(t.Context(), notifytest.Message())))
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	s.set("lose", nil)
	err := s.channel(t, email.Config{}).Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "email.notify: no answer: the connection was closed")
	require.Equal(t, fault.Ambiguous, fault.KindOf(err), "it may be in the mailbox")
	mails, sessions := s.take()
	require.Len(t, mails, 1)
	require.GreaterOrEqual(t, sessions, 1)

	s.set("break", nil)
	err = s.channel(t, email.Config{}).Notify(t.Context(), notifytest.Message())
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	s.requireSafe(t, err)

	s = serve(t, email.TLSNone, nil)
	s.set("hang", nil)
	err = s.channel(t, email.Config{TLS: email.TLSNone, Timeout: 3 * time.Second}).Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "email.notify: no answer: timed out")
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))

	<-s.hung
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.hung
		cancel()
	}()
	began := time.Now()
	err = s.channel(t, email.Config{TLS: email.TLSNone}).Notify(ctx, notifytest.Message())
	require.Error(t, err)
	require.Less(t, time.Since(began), 10*time.Second, "a try ends with its context")
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	require.NoError(t, listener.Close())
	err = s.channel(t, email.Config{}).Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "email.notify: cannot connect: connection refused")
	require.Equal(t, fault.Unavailable, fault.KindOf(err))

	// One that accepts and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	s.address = silent.Addr().String()
	err = s.channel(t, email.Config{Timeout: 300 * time.Millisecond}).Notify(t.Context(), notifytest.Message())
	require.EqualError(t, err, "email.notify: cannot connect: timed out")
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestMailCannotBeForgedFromWithin(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	const hostile = "Free\r\nBcc: victim@example.net\r\n\r\n<script>alert(1)</script>\r\n.\r\nMAIL FROM:<x@example.net>\x00\u202e\u2028"
	m := notify.Message{
		Key: hostile, Type: hostile, Title: hostile, Text: hostile, Link: "javascript:alert(1)",
		Fields: []notify.Field{{Label: hostile, Value: "<img src=x onerror=alert(1)>"}},
	}
	require.NoError(t, s.channel(t, email.Config{}).Notify(t.Context(), m))
	got := s.one(t)
	require.Equal(t, []string{"ops@example.org"}, got.to)
	l := open(t, got.data)
	require.Empty(t, l.header.Get("Bcc"))
	require.Equal(t, "Free Bcc: victim@example.net <script>alert(1)</script> . MAIL FROM:<x@example.net>", l.subject(t))
	known := map[string]bool{
		"Date": true, "Mime-Version": true, "Message-Id": true, "Subject": true, "User-Agent": true, "X-Mailer": true,
		"Auto-Submitted": true, "From": true, "To": true, "Content-Type": true,
	}
	for name := range l.header {
		require.True(t, known[name], name)
	}
	require.NotContains(t, l.html, "<script")
	require.NotContains(t, l.html, "<img")
	require.NotContains(t, l.html, "javascript:")
	require.NotContains(t, l.plain, "javascript:")
	mails, _ := s.take()
	require.Empty(t, mails, "one message is one mail")

	require.NoError(t, s.channel(t, email.Config{}).Notify(t.Context(), notify.Message{Key: "x", Text: strings.Repeat("Zażółć <&> \U0001F600 ", 5000)}))
	require.Equal(t, "Notification", open(t, s.one(t).data).subject(t))
}

func TestTemplatesOwnHTMLIsSent(t *testing.T) {
	t.Parallel()

	s := serve(t, email.TLSStart, nil)
	m := notifytest.Message()
	m.HTML = "<p>Our own words</p>"
	require.NoError(t, s.channel(t, email.Config{}).Notify(t.Context(), m))
	require.Equal(t, m.HTML, open(t, s.one(t).data).html)
}

func TestNewRefusesAWrongConfiguration(t *testing.T) {
	t.Parallel()

	good := email.Config{Name: "mail", Host: "mx.example.com", From: "rewards@example.com", To: []string{"ops@example.org"}}
	for want, change := range map[string]func(*email.Config){
		"tls: it is none of":    func(c *email.Config) { c.TLS = "maybe" },
		"host: it is not":       func(c *email.Config) { c.Host = "" },
		"port: it is not":       func(c *email.Config) { c.Port = 70000 },
		"one without the other": func(c *email.Config) { c.Password = password },
		"unprotected":           func(c *email.Config) { c.TLS, c.Username, c.Password = email.TLSNone, user, password },
		"from: it is not":       func(c *email.Config) { c.From = "rewards@example.com\r\nBcc: x@example.net" },
		"to: it is empty":       func(c *email.Config) { c.To = nil },
		"to[1]: it is not":      func(c *email.Config) { c.To = append(c.To, "nobody") },
	} {
		c := good
		c.To = append([]string(nil), good.To...)
		change(&c)
		_, err := email.New(c)
		require.Equal(t, fault.Invalid, fault.KindOf(err), want)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, `channel "mail"`)
		require.NotContains(t, err.Error(), password)
	}
	_, err := email.New(good)
	require.NoError(t, err)
}
