package payouttest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// CheckSubject is one adapter that can be asked, with a double of its provider
// that takes its credentials and has everything.
type CheckSubject struct {
	// Fake is the provider's double.
	Fake http.Handler
	// Connect returns the adapter, which speaks to baseURL ("http://127.0.0.1:1234",
	// no slash at the end) and gives up after timeout.
	Connect func(t *testing.T, baseURL string, timeout time.Duration) payout.Checker
	// Units are what is asked about.
	Units []reward.Unit
	// Passes picks requests that reach the double also while everything else is
	// broken. Nil picks none.
	Passes func(*http.Request) bool
	// Harmless picks, beside GET, requests that have no effect. Nil picks none.
	Harmless func(*http.Request) bool
	// ErrorBody writes the provider's error document for a status. Nil writes
	// {"message":"no"}.
	ErrorBody func(status int) string
	// Secrets must appear in nothing that the adapter returns. The suite adds
	// the base URL.
	Secrets []string
}

// RunCheck runs the promises of payout.Checker.
func RunCheck(t *testing.T, newSubject func(t *testing.T) CheckSubject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *checkBench){
		"AllIsWell":          allIsWell,
		"RefusalsHaveAKind":  refusalsHaveAKind,
		"NothingIsFollowed":  nothingIsFollowed,
		"NoAnswer":           noAnswer,
		"ABrokenAnswer":      aBrokenAnswer,
		"AnAnswerThatIsLate": anAnswerThatIsLate,
		"NobodyListens":      nobodyListens,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newCheckBench(t, newSubject(t)))
		})
	}
}

// checkBench puts a server between the adapter and the double.
type checkBench struct {
	CheckSubject

	url string
	// broken, when set, answers in the double's place.
	broken http.HandlerFunc

	mu     sync.Mutex
	asked  int
	effect []string
}

func newCheckBench(t *testing.T, s CheckSubject) *checkBench {
	t.Helper()
	if s.ErrorBody == nil {
		s.ErrorBody = func(int) string { return `{"message":"no"}` }
	}
	b := &checkBench{CheckSubject: s}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP implements http.Handler.
func (b *checkBench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	passes := b.Passes != nil && b.Passes(r)
	b.mu.Lock()
	if !passes {
		b.asked++
	}
	if r.Method != http.MethodGet && (b.Harmless == nil || !b.Harmless(r)) {
		b.effect = append(b.effect, r.Method+" "+r.URL.Path)
	}
	broken := b.broken
	b.mu.Unlock()
	if broken != nil && !passes {
		broken(w, r)
		return
	}
	b.Fake.ServeHTTP(w, r)
}

// check asks once, and holds what every answer must hold.
func (b *checkBench) check(t *testing.T, timeout time.Duration) error {
	t.Helper()
	words, err := b.Connect(t, b.url, timeout).Check(t.Context(), b.Units)
	if err != nil {
		require.Empty(t, words)
		words = fault.Message(err)
	}
	require.NotEmpty(t, words)
	for _, secret := range append([]string{b.url, strings.TrimPrefix(b.url, "http://")}, b.Secrets...) {
		require.NotContains(t, words, secret)
		if err != nil {
			require.NotContains(t, err.Error(), secret)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(t, b.effect, "a check may have no effect")
	return err
}

func allIsWell(t *testing.T, b *checkBench) {
	require.NoError(t, b.check(t, patience))
	require.Positive(t, b.asked, "nothing was asked")
}

func refusalsHaveAKind(t *testing.T, b *checkBench) {
	for status, kind := range map[int]fault.Kind{
		401: fault.Denied, 403: fault.Denied, 429: fault.Throttled, 500: fault.Unavailable, 503: fault.Unavailable,
	} {
		b.broken = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(b.ErrorBody(status)))
		}
		require.Equal(t, kind, fault.KindOf(b.check(t, patience)), status)
	}
}

func nothingIsFollowed(t *testing.T, b *checkBench) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 307, 308} {
		b.broken = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) }
		require.Contains(t, []fault.Kind{fault.Invalid, fault.Unavailable}, fault.KindOf(b.check(t, patience)), status)
	}
	require.False(t, followed, "a redirect was followed with credentials")
}

func noAnswer(t *testing.T, b *checkBench) {
	b.broken = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	require.Equal(t, fault.Unavailable, fault.KindOf(b.check(t, patience)))
	// A read over a kept connection that breaks is made again by net/http itself.
	require.LessOrEqual(t, b.asked, 2, "nothing is asked again and again")
}

func aBrokenAnswer(t *testing.T, b *checkBench) {
	b.broken = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"half":`))
	}
	require.Contains(t, []fault.Kind{fault.Invalid, fault.Unavailable}, fault.KindOf(b.check(t, patience)))
}

func anAnswerThatIsLate(t *testing.T, b *checkBench) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	b.broken = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
		}
	}
	require.Equal(t, fault.Unavailable, fault.KindOf(b.check(t, 200*time.Millisecond)))
}

func nobodyListens(t *testing.T, b *checkBench) {
	server := httptest.NewServer(http.NotFoundHandler())
	b.url = server.URL
	server.Close()
	require.Equal(t, fault.Unavailable, fault.KindOf(b.check(t, patience)))
}
