package tremendous_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// stub answers everything in one way. It keeps what it got.
type stub struct {
	url    string
	status int
	header map[string]string
	body   string

	mu  sync.Mutex
	got []received
}

type received struct {
	method, uri string
	header      http.Header
	body        string
}

// newStub checks every request against the contract. The answers are the
// test's own, and may be anything.
func newStub(t *testing.T, status int, body string) *stub {
	t.Helper()
	s := &stub{status: status, body: body}
	c := keepContract(t, s)
	c.lax = true
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, received{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	s.mu.Unlock()
	for name, value := range s.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func (s *stub) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// only returns the one thing that was received.
func (s *stub) only(t *testing.T) received {
	t.Helper()
	got := s.all()
	require.Len(t, got, 1)
	return got[0]
}

func prepared(t *testing.T, p payout.Provider) payout.Request {
	t.Helper()
	req, err := p.Prepare(t.Context(), order())
	require.NoError(t, err)
	return req
}

// requireSafe fails when a text holds what must never be stored or shown.
func requireSafe(t *testing.T, text string) {
	t.Helper()
	for _, leak := range []string{apiKey, email, "@", "://", "127.0.0.1"} {
		require.NotContains(t, text, leak)
	}
}
