package firstpromoter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/firstpromoter"
)

const testKey = "fp-key-0123456789-secret"

// request is what a fake server received.
type request struct {
	method, path, key, contentType string
	query, form                    url.Values
}

// fake answers with a handler and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func newFake(t *testing.T, handler http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		f.mu.Lock()
		f.seen = append(f.seen, request{
			r.Method, r.URL.Path, r.Header.Get("X-API-KEY"), r.Header.Get("Content-Type"), r.URL.Query(), r.PostForm,
		})
		f.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.seen...)
}

func (f *fake) client() *firstpromoter.Client {
	return firstpromoter.NewClient(firstpromoter.Config{
		BaseURL: f.URL + "/api/v1", APIKey: testKey, RequestsPerMinute: 60_000,
	})
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// list renders payouts with the given IDs.
func list(ids ...int) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(
			`{"id":%d,"status":"pending","amount":%d,"unit":"points","promoter":{"id":5},"campaign":{"id":6,"name":"Spring"}}`, id, id%100))
	}
	return "[" + strings.Join(items, ",") + "]"
}

func span(from, to int) []int {
	var ids []int
	for id := from; id < to; id++ {
		ids = append(ids, id)
	}
	return ids
}

func requireHarmless(t *testing.T, server *fake, err error) {
	t.Helper()
	require.NotContains(t, err.Error(), testKey)
	require.NotContains(t, err.Error(), server.Listener.Addr().String())
}

func redirects(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/elsewhere", http.StatusFound)
}

func throttles(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// reset drops the connection after the request was read.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutOff promises more than it sends.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "500")
	_, _ = w.Write([]byte(`[{"id":1`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
