// Package email is the notification channel to mailboxes, over SMTP
// (https://www.rfc-editor.org/rfc/rfc5321).
package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
)

const op = "email.notify"

// How the connection is encrypted.
const (
	// TLSStart begins in clear and insists on STARTTLS before anything is said.
	TLSStart = "starttls"
	// TLSImplicit is encrypted from the first byte.
	TLSImplicit = "implicit"
	// TLSNone is not encrypted, for a relay on the same machine or network.
	TLSNone = "none"
)

// Config describes a mail server and who is written to.
type Config struct {
	// Name is the configured name of the channel.
	Name string
	// Host is the mail server's name, which its certificate must hold. Port zero
	// means 587, 465 or 25, as TLS is starttls, implicit or none.
	Host string
	Port int
	// TLS is TLSStart (the default), TLSImplicit or TLSNone.
	TLS string
	// Username and Password sign in; empty for a server that asks for nothing.
	// They are never sent without TLS.
	Username string
	Password string
	// From is one address, "Rewards <rewards@example.com>" or without a name; To
	// are those that are written to, together in one message.
	From string
	To   []string
	// Timeout bounds one try as a whole; zero means egress.DefaultTimeout.
	Timeout time.Duration
	// RootCAs judge the server's certificate; nil means the system's.
	RootCAs *x509.CertPool
	// Logger hears of addresses that the server refuses while it takes others;
	// nil means silence.
	Logger *slog.Logger
	// Now dates messages; nil means time.Now.
	Now func() time.Time
}

// Notifier writes messages to mailboxes. It is safe for concurrent use.
type Notifier struct {
	cfg     Config
	domain  string // Of the sender.
	options []mail.Option
}

// New returns a channel, or all that is wrong with the configuration, as a
// fault of kind Invalid that holds no secret.
func New(c Config) (*Notifier, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, "email.new",
			fmt.Sprintf("channel %q: %s", c.Name, strings.ReplaceAll(err.Error(), "\n", "; ")), err)
	}
	options := []mail.Option{mail.WithPort(c.Port), mail.WithTimeout(c.Timeout), mail.WithTLSConfig(c.tls())}
	switch c.TLS {
	case TLSImplicit:
		// The connection is encrypted when the library gets it, and it sees that.
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case TLSNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, mail.WithUsername(c.Username), mail.WithPassword(c.Password), mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
	}
	from, _ := netmail.ParseAddress(c.From) // It was checked.
	return &Notifier{cfg: c, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:], options: options}, nil
}

func (c Config) withDefaults() Config {
	if c.TLS == "" {
		c.TLS = TLSStart
	}
	if c.Port == 0 {
		c.Port = map[string]int{TLSStart: 587, TLSImplicit: 465, TLSNone: 25}[c.TLS]
	}
	if c.Timeout <= 0 {
		c.Timeout = egress.DefaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) check() error {
	var errs []error
	if c.TLS != TLSStart && c.TLS != TLSImplicit && c.TLS != TLSNone {
		errs = append(errs, errors.New("tls: it is none of starttls, implicit and none"))
	}
	if c.Host == "" || strings.ContainsAny(c.Host, " \r\n\t/@") {
		errs = append(errs, errors.New("host: it is not the name of a mail server"))
	}
	if c.Port < 1 || c.Port > 65535 {
		errs = append(errs, errors.New("port: it is not 1 to 65535"))
	}
	if (c.Username == "") != (c.Password == "") {
		errs = append(errs, errors.New("username and password: one without the other"))
	}
	if c.Username != "" && c.TLS == TLSNone {
		errs = append(errs, errors.New("password: it would be sent unprotected with tls: none"))
	}
	if _, err := netmail.ParseAddress(c.From); err != nil {
		errs = append(errs, errors.New("from: it is not an e-mail address"))
	}
	if len(c.To) == 0 {
		errs = append(errs, errors.New("to: it is empty"))
	}
	for i, to := range c.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			errs = append(errs, fmt.Errorf("to[%d]: it is not an e-mail address", i))
		}
	}
	return errors.Join(errs...)
}

func (c Config) tls() *tls.Config {
	return &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}
}

// Name implements notify.Notifier.
func (n *Notifier) Name() string { return n.cfg.Name }

// Notify implements notify.Notifier. A message whose answer was lost after the
// last byte is Ambiguous and tried again: the mailbox may then hold it twice,
// under one Message-ID. An address that the server refuses for good keeps the
// message from nobody else.
func (n *Notifier) Notify(ctx context.Context, m notify.Message) error {
	message, err := n.compose(m)
	if err != nil {
		return fault.Wrap(fault.Invalid, op, "the message cannot be written as a mail", err)
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	client, server, err := n.dial(ctx)
	if err != nil {
		return err
	}
	if err := n.deliver(ctx, server, message); err != nil {
		_ = server.Close()
		return err
	}
	// The server has the message, whatever it says to the end of the talk.
	_ = client.CloseWithSMTPClient(server)
	return nil
}

// dial connects, encrypts and signs in. Nothing of the message is sent yet.
func (n *Notifier) dial(ctx context.Context) (*mail.Client, *smtp.Client, error) {
	client, err := mail.NewClient(n.cfg.Host, append([]mail.Option{mail.WithDialContextFunc(n.connect(ctx))}, n.options...)...)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, op, "the mail server's configuration is not usable", err)
	}
	server, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, nil, notSent(ctx, "cannot connect", err)
	}
	return client, server, nil
}

// connect returns how to connect within a try. When the try ends, its
// connection does: the library knows a deadline and no context.
func (n *Notifier) connect(try context.Context) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer interface {
			DialContext(ctx context.Context, network, address string) (net.Conn, error)
		} = &net.Dialer{}
		if n.cfg.TLS == TLSImplicit {
			dialer = &tls.Dialer{Config: n.cfg.tls()}
		}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(try, func() { _ = conn.Close() })
		return conn, nil
	}
}

// deliver hands the message over. Only from the first byte of its content on is
// a failure without an answer ambiguous.
func (n *Notifier) deliver(ctx context.Context, server *smtp.Client, message *mail.Msg) error {
	from, err := message.GetSender(false)
	if err != nil {
		return fault.Wrap(fault.Invalid, op, "the sender is not an e-mail address", err)
	}
	to, err := message.GetRecipients()
	if err != nil {
		return fault.Wrap(fault.Invalid, op, "the recipients are not e-mail addresses", err)
	}
	if err := server.Mail(from); err != nil {
		return notSent(ctx, "the mail server does not take the sender", err)
	}
	if err := n.address(ctx, server, to); err != nil {
		return err
	}
	content, err := server.Data()
	if err != nil {
		return notSent(ctx, "the mail server does not take the message", err)
	}
	if _, err := message.WriteTo(content); err != nil {
		return fault.Wrap(fault.Ambiguous, op, "the connection broke while the message was sent: "+reason(ctx, err), err)
	}
	if err := content.Close(); err != nil {
		if refusal := refused("the mail server does not take the message", err); refusal != nil {
			return refusal
		}
		return fault.Wrap(fault.Ambiguous, op, "no answer: "+reason(ctx, err), err)
	}
	return nil
}

// address names the recipients. One that is refused for good is left out, and
// one that is not taken now keeps the whole message back: it could otherwise
// not be told alone.
func (n *Notifier) address(ctx context.Context, server *smtp.Client, to []string) error {
	var last error
	taken := 0
	for i, recipient := range to {
		err := server.Rcpt(recipient)
		if err == nil {
			taken++
			continue
		}
		last = notSent(ctx, fmt.Sprintf("the mail server does not take the recipient to[%d]", i), err)
		if kind := fault.KindOf(last); kind != fault.Declined && kind != fault.Denied {
			return last
		}
		n.cfg.Logger.WarnContext(ctx, "email.recipient_refused", "channel", n.cfg.Name, "recipient", "to["+strconv.Itoa(i)+"]", "reason", fault.Message(last))
	}
	if taken == 0 {
		return last
	}
	return nil
}
