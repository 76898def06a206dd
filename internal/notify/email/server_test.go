package email_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/notify/email"
)

// received is one mail as the server took it.
type received struct {
	from string
	to   []string
	user string
	data string
	tls  bool
}

// mailServer is a real SMTP server that can be told to misbehave. Its answers
// quote what it was sent, so that an error that quotes an answer is found out.
type mailServer struct {
	address string
	roots   *x509.CertPool

	mu       sync.Mutex
	mails    []received
	sessions int
	// refuse answers a step, "MAIL", "RCPT <address>" or "DATA", with an error.
	refuse map[string]error
	// faults happen at a step: "lose" takes the mail and closes the connection
	// in place of an answer, "break" closes it at DATA, "hang" says nothing more.
	fault  string
	hung   chan struct{} // Told when it begins to say nothing.
	closed chan struct{}
}

const (
	user     = "rewards"
	password = "PASSWORD-of-the-relay"
)

// serve starts a server: how is one of email's TLS words.
func serve(t *testing.T, how string, change func(*smtp.Server)) *mailServer {
	t.Helper()
	// The certificate is for 127.0.0.1 and example.com.
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)

	s := &mailServer{refuse: map[string]error{}, roots: x509.NewCertPool(), hung: make(chan struct{}, 8), closed: make(chan struct{})}
	s.roots.AddCert(certified.Certificate())
	server := smtp.NewServer(s)
	server.Domain = "mx.example.com"
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.AllowInsecureAuth = true // The client must not sign in unprotected, whatever the server allows.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	certificates := &tls.Config{Certificates: certified.TLS.Certificates}
	switch how {
	case email.TLSStart:
		server.TLSConfig = certificates
	case email.TLSImplicit:
		listener = tls.NewListener(listener, certificates)
	}
	if change != nil {
		change(server)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		close(s.closed)
		_ = server.Close()
		running.Wait()
	})
	return s
}

// NewSession implements smtp.Backend.
func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	return &session{server: s, conn: c}, nil
}

func (s *mailServer) set(fault string, refuse map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.refuse = fault, refuse
}

func (s *mailServer) step(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse[name]
}

// take returns the mails, and how many connections there were, since the last
// call.
func (s *mailServer) take() ([]received, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mails, sessions := s.mails, s.sessions
	s.mails, s.sessions = nil, 0
	return mails, sessions
}

type session struct {
	server *mailServer
	conn   *smtp.Conn
	mail   received
}

var _ smtp.AuthSession = (*session)(nil)

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, given string) error {
		if username != user || given != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such pair: " + username + " " + given}
		}
		s.mail.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.from = from
	_, s.mail.tls = s.conn.TLSConnectionState()
	return s.server.step("MAIL")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.server.step("RCPT " + to); err != nil {
		return err
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	s.server.mu.Lock()
	fault := s.server.fault
	s.server.mu.Unlock()
	if fault == "break" {
		_ = s.conn.Conn().Close()
		return errors.New("broken")
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = string(data)
	if err := s.server.step("DATA"); err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, s.mail)
	s.server.mu.Unlock()
	switch fault {
	case "lose":
		_ = s.conn.Conn().Close()
	case "hang":
		s.server.hung <- struct{}{}
		<-s.server.closed
	}
	return nil
}

func (s *session) Reset() { s.mail = received{user: s.mail.user} }

func (s *session) Logout() error { return nil }

// channel connects to a server.
func (s *mailServer) channel(t *testing.T, c email.Config) *email.Notifier {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	c.Host, c.Port, c.RootCAs = host, number(t, port), s.roots
	if c.Name == "" {
		c.Name = "mail"
	}
	if c.From == "" {
		c.From = "Rewards <rewards@example.com>"
	}
	if c.To == nil {
		c.To = []string{"ops@example.org"}
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	n, err := email.New(c)
	require.NoError(t, err)
	return n
}

// requireSafe fails when an error tells what must never be stored or shown.
func (s *mailServer) requireSafe(t *testing.T, err error, more ...string) {
	t.Helper()
	require.Error(t, err)
	for _, secret := range slices.Concat([]string{password, s.address, "@", "127.0.0.1"}, more) {
		require.NotContains(t, err.Error(), secret)
	}
	require.False(t, strings.ContainsAny(err.Error(), "\r\n"), err.Error())
}
