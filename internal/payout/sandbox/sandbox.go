// Package sandbox is a double of a team's own reward service. It speaks
// docs/providers/webhook.md over HTTP, keeps books of its own that survive a
// restart, and can be told to have bad days. It delivers nothing.
//
// It shares no code with the webhook provider, so that the two check each other.
package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	// maxBody is the longest request body that is read, in bytes.
	maxBody = 1 << 20
	// tolerance is how far a signature's time may be from now.
	tolerance = 5 * time.Minute
)

// Config describes a sandbox.
type Config struct {
	// Secret verifies requests: "whsec_" and base64, or a plain text.
	Secret string
	// BooksPath names the file of the books, which is created when it is not
	// there. Empty keeps the books in memory only.
	BooksPath string
	// Memory is how long a key is remembered, from its first payout on: after
	// that the same key pays again. Zero remembers for ever.
	Memory time.Duration
	// Now dates entries and judges signatures; nil means time.Now.
	Now func() time.Time
	// Logger takes one line per request; nil logs nothing.
	Logger *slog.Logger
}

// Sandbox is the double. It is an http.Handler and safe for concurrent use:
// POST on any path is a payout, GET on a path that ends in a key a look-up.
type Sandbox struct {
	verifier *standardwebhooks.Webhook
	now      func() time.Time
	log      *slog.Logger
	books    *books
	closed   chan struct{}
	close    func() error

	mu    sync.Mutex
	rules []*rule
}

// New opens the books and restores what stands in them. The caller closes the
// sandbox after its server.
func New(c Config) (*Sandbox, error) {
	verifier, err := newVerifier(c.Secret)
	if err != nil {
		return nil, err
	}
	b, err := openBooks(c.BooksPath)
	if err != nil {
		return nil, err
	}
	b.memory = c.Memory
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	closed := make(chan struct{})
	return &Sandbox{
		verifier: verifier, now: c.Now, log: c.Logger, books: b, closed: closed,
		close: sync.OnceValue(func() error {
			close(closed)
			return b.close()
		}),
	}, nil
}

func newVerifier(secret string) (*standardwebhooks.Webhook, error) {
	if secret == "" {
		return nil, errors.New("the sandbox has no secret")
	}
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("the sandbox's secret is not base64 after whsec_")
		}
		key = decoded
	}
	verifier, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's secret: %w", err)
	}
	return verifier, nil
}

// Close ends every wait and closes the books. Later payouts are answered 503.
func (s *Sandbox) Close() error { return s.close() }

// Books returns what the sandbox did until now.
func (s *Sandbox) Books() Books { return s.books.report(s.now()) }

// Effects returns how many effects the sandbox made under a key: never more
// than one while it remembers the key.
func (s *Sandbox) Effects(key string) int { return s.Books().ByKey[key] }

// ServeHTTP implements http.Handler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		// Nobody who speaks the contract, such as a gRPC client that looks for a
		// server that was here before: no payout, signed or not.
		w.Header().Set("Allow", "GET, POST")
		say(w, http.StatusMethodNotAllowed, reply{Error: "only GET and POST are known here"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		say(w, http.StatusRequestEntityTooLarge, reply{Error: "the body cannot be read"})
		return
	}
	if err := s.verify(body, r.Header); err != nil {
		s.books.countDenied()
		s.log.Warn("sandbox.denied", "reason", err.Error())
		say(w, http.StatusUnauthorized, reply{Error: "the signature is not valid"})
		return
	}
	if r.Method == http.MethodGet {
		s.lookup(w, r.Header.Get(standardwebhooks.HeaderWebhookID), path.Base(r.URL.Path))
		return
	}
	s.pay(w, r.Header.Get(standardwebhooks.HeaderWebhookID), body)
}

func (s *Sandbox) verify(body []byte, h http.Header) error {
	if err := s.verifier.VerifyIgnoringTimestamp(body, h); err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	seconds, err := strconv.ParseInt(h.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	if s.now().Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errors.New("verifying: the signature is too old or too new")
	}
	return nil
}

// pay answers one POST, as its script wants it.
func (s *Sandbox) pay(w http.ResponseWriter, id string, body []byte) {
	p, err := decode(body)
	if err != nil || p.Key != id {
		say(w, http.StatusBadRequest, reply{Error: "the body is not a payout whose key is the webhook-id"})
		return
	}
	b := s.behaviourFor(p)
	s.pause(b.before)
	if b.instead != 0 {
		if b.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(b.retryAfter.Seconds())))
		}
		say(w, b.instead, reply{Error: "scripted"})
		return
	}
	e, verdict, err := s.books.submit(p, body, b.plan, s.now())
	if err != nil {
		s.log.Error("sandbox.books_broken", "error", err)
		say(w, http.StatusServiceUnavailable, reply{Error: "the books cannot be written"})
		return
	}
	s.log.Info("sandbox.payout", "key", p.Key, "reward_id", p.Reward.ID, "verdict", string(verdict))
	s.pause(b.after)
	switch {
	case b.lose:
		hangUp(w)
	case b.afterwards != 0:
		say(w, b.afterwards, reply{Error: "scripted"})
	case verdict == verdictConflict:
		say(w, http.StatusConflict, reply{Error: "the key is known with another body"})
	default:
		sayEntry(w, e, s.now())
	}
}

// lookup answers one GET.
func (s *Sandbox) lookup(w http.ResponseWriter, id, key string) {
	if id != key {
		say(w, http.StatusBadRequest, reply{Error: "the webhook-id is not the key in the path"})
		return
	}
	e, ok := s.books.find(key, s.now())
	if !ok {
		say(w, http.StatusNotFound, reply{Error: "the key is not known"})
		return
	}
	say(w, http.StatusOK, reply{Status: e.statusAt(s.now()), Reference: e.Reference, Message: e.Message})
}

// pause waits, whether or not the other side still listens: a slow service
// does not stop working because its caller gave up.
func (s *Sandbox) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closed:
	}
}

// reply is the JSON document of every answer.
type reply struct {
	Status    string `json:"status,omitempty"`
	Reference string `json:"reference,omitempty"`
	Message   string `json:"message,omitempty"`
	Error     string `json:"error,omitempty"`
}

// sayEntry answers a payout that is in the books: the same for every try, but
// for what has changed since.
func sayEntry(w http.ResponseWriter, e entry, now time.Time) {
	answer := reply{Status: e.statusAt(now), Reference: e.Reference, Message: e.Message}
	switch answer.Status {
	case statusPending:
		answer.Status = "accepted"
		say(w, http.StatusAccepted, answer)
	case statusRefused, statusFailed:
		say(w, http.StatusUnprocessableEntity, answer)
	default:
		say(w, http.StatusOK, answer)
	}
}

func say(w http.ResponseWriter, code int, answer reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A caller that is gone asks again.
	_ = json.NewEncoder(w).Encode(answer)
}

// hangUp resets the connection instead of answering.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // The server closes the connection.
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
