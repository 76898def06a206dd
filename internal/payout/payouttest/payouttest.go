// Package payouttest holds the suite that every payout provider passes: one
// key pays once, whatever happens to the answer, and what cannot be known is
// said to be unknown.
//
// The suite puts itself, as a real HTTP server, between the adapter and a
// stateful double of its provider, and breaks what passes through. A double
// needs no faults of its own.
package payouttest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// Subject is one adapter with a fresh double of its provider.
type Subject struct {
	// Fake is the provider's double. It keeps state and recognises keys.
	Fake http.Handler
	// Connect returns the adapter, which speaks to baseURL ("http://127.0.0.1:1234",
	// no slash at the end) and gives up after timeout.
	Connect func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider
	// Order can be paid. The suite sets its key.
	Order payout.Order
	// Effects counts what the double did under a key.
	Effects func(key string) int

	// IsSend picks, of all requests, those that can have the effect; it must
	// not read the body. Nil picks every method but GET and HEAD.
	IsSend func(*http.Request) bool
	// ErrorBody writes the provider's error document for a status. Nil writes
	// {"message":"no"}.
	ErrorBody func(status int) string
	// Another returns a request with the same key that asks for something else.
	// Nil says that a request holds nothing else than its key.
	Another func(payout.Request) payout.Request
	// BlindLookup says that the provider has no look-up by key: the way out of
	// an unknown outcome is then the same key and the same bytes again.
	BlindLookup bool
	// Secrets must appear in no text that the adapter returns. The suite adds
	// the promoter's email address and the base URL.
	Secrets []string
}

// Run runs the suite. New makes a fresh subject; its double is closed by t.
func Run(t *testing.T, newSubject func(t *testing.T) Subject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *bench){
		"KeyIsShortASCII":                    keyIsShortASCII,
		"PrepareIsDeterministic":             prepareIsDeterministic,
		"PrepareHasNoEffect":                 prepareHasNoEffect,
		"PrepareRefusesWhatCannotBePaid":     prepareRefusesWhatCannotBePaid,
		"SameKeyPaysOnce":                    sameKeyPaysOnce,
		"SameKeyAtTheSameTimePaysOnce":       sameKeyAtTheSameTimePaysOnce,
		"EveryTryHasTheSameBytes":            everyTryHasTheSameBytes,
		"AnotherBodyPaysNothing":             anotherBodyPaysNothing,
		"LookupBeforeSending":                lookupBeforeSending,
		"LookupWithoutAnAnswerCannotTell":    lookupWithoutAnAnswerCannotTell,
		"LostAnswersAreUnknownAndFoundAgain": lostAnswersAreUnknownAndFoundAgain,
		"BrokenAnswersAreUnknown":            brokenAnswersAreUnknown,
		"TimeoutIsUnknown":                   timeoutIsUnknown,
		"CancelledContextIsUnknown":          cancelledContextIsUnknown,
		"RefusedConnectionIsNotSent":         refusedConnectionIsNotSent,
		"ThrottledIsNotSent":                 throttledIsNotSent,
		"DeniedIsNotSent":                    deniedIsNotSent,
		"RedirectIsNotFollowed":              redirectIsNotFollowed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			test(t, newBench(t, newSubject(t)))
		})
	}
}

// patience is how long an adapter waits in a test that does not want it to
// give up; impatience in one that does.
const (
	patience   = 20 * time.Second
	impatience = 2 * time.Second
)

// bench is one subject behind a proxy that breaks things.
type bench struct {
	Subject
	proxy    *proxy
	provider payout.Provider
	order    payout.Order
}

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	require.NotNil(t, s.Fake)
	require.NotNil(t, s.Connect)
	require.NotNil(t, s.Effects)
	if s.IsSend == nil {
		s.IsSend = func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
	}
	if s.ErrorBody == nil {
		s.ErrorBody = func(int) string { return `{"message":"no"}` }
	}
	p := newProxy(t, s)
	order := s.Order
	order.Key = payout.Key(order.Reward.ID, 1)
	return &bench{Subject: s, proxy: p, provider: s.Connect(t, p.url, patience), order: order}
}

// prepare freezes the order and checks that the request may be stored.
func (b *bench) prepare(t *testing.T) payout.Request {
	t.Helper()
	req, err := b.provider.Prepare(t.Context(), b.order)
	require.NoError(t, err)
	require.Equal(t, b.order.Key, req.Key)
	require.NotEmpty(t, req.Destination, "people must see where the value goes")
	b.requireSafe(t, req.Destination)
	return req
}

// send submits the request and checks what holds for every outcome.
func (b *bench) send(t *testing.T, req payout.Request) payout.Outcome {
	t.Helper()
	out := b.provider.Send(t.Context(), req)
	b.requireSound(t, out)
	return out
}

// requireSound checks what holds for every outcome.
func (b *bench) requireSound(t *testing.T, out payout.Outcome) {
	t.Helper()
	require.Contains(t, payout.Classes(), out.Class)
	b.requireSafe(t, out.Detail)
	switch out.Class {
	case payout.ClassAccepted:
		require.NotEmpty(t, out.Reference, "an accepted payout has a reference")
	case payout.ClassNotSent:
		require.NotEmpty(t, out.Detail)
		require.NotEmpty(t, out.Kind, "a payout that was not sent says why")
	case payout.ClassRefused, payout.ClassUnknown, payout.ClassConflict:
		require.NotEmpty(t, out.Detail)
	}
	if out.Class != payout.ClassAccepted {
		require.False(t, out.Settled)
	}
}

// lookup looks up and checks what holds for every finding.
func (b *bench) lookup(t *testing.T, req payout.Request) payout.Finding {
	t.Helper()
	f := b.provider.Lookup(t.Context(), req)
	b.requireSafe(t, f.Detail)
	return f
}

// requireSafe fails when a text holds what must never be stored or shown.
func (b *bench) requireSafe(t *testing.T, text string) {
	t.Helper()
	for _, secret := range b.Secrets {
		require.NotContains(t, text, secret, "a secret leaks")
	}
	require.NotContains(t, text, "://", "a URL leaks")
	require.NotContains(t, text, b.proxy.url[len("http://"):], "an address leaks")
	if email := b.order.Reward.Promoter.Email; email != "" {
		require.NotContains(t, text, email, "an email address leaks")
	}
}
