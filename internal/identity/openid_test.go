package identity_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// oneProvider signs in one person, whatever the code.
type oneProvider struct {
	person identity.Person
	err    error
	// begun and redeemed are the handshakes that it saw.
	begun, redeemed []identity.Handshake
}

func (p *oneProvider) Ready(context.Context) error { return p.err }

func (p *oneProvider) AuthURL(_ context.Context, h identity.Handshake) (string, error) {
	p.begun = append(p.begun, h)
	return "https://id.example.com/authorize", p.err
}

func (p *oneProvider) Redeem(_ context.Context, _ string, h identity.Handshake) (identity.Person, error) {
	p.redeemed = append(p.redeemed, h)
	return p.person, p.err
}

func elsewhere(p *oneProvider) identity.Config {
	return identity.Config{OpenID: identity.OpenID{
		Provider: p, Name: "Example ID", Source: "example", Secure: true,
		Groups: map[string][]string{"payments": {"approver", "finance"}, "on-call": {"approver", "operator"}},
	}}
}

// signInElsewhere goes to the provider and back, and returns the cookie of the
// session.
func (b *bundle) signInElsewhere(t *testing.T, p *oneProvider, next string) (*http.Cookie, error) {
	t.Helper()
	rec := httptest.NewRecorder()
	_, err := b.auth.BeginOpenID(rec, request(), next)
	require.NoError(t, err)
	begun := rec.Result().Cookies()[0]
	back := request(cookie(begun))
	back.URL.RawQuery = url.Values{"state": {p.begun[len(p.begun)-1].State}, "code": {"c"}}.Encode()
	rec = httptest.NewRecorder()
	to, err := b.auth.FinishOpenID(rec, back)
	if len(next) < 1000 {
		require.Equal(t, next, to)
	}
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge > 0 {
			return c, err
		}
		require.Equal(t, begun.Name, c.Name)
	}
	return nil, err
}

func TestEachSignInHasSecretsOfItsOwn(t *testing.T) {
	t.Parallel()

	p := &oneProvider{person: identity.Person{Name: "dana", Groups: []string{"payments", "other", "on-call"}}}
	b := newBundle(t, elsewhere(p))
	for range 3 {
		c, err := b.signInElsewhere(t, p, "/console/brake")
		require.NoError(t, err)
		who, err := b.auth.Identify(request(cookie(c)))
		require.NoError(t, err)
		who.SessionID = ""
		require.Equal(t, identity.Principal{
			Name: "dana", Verified: true, Roles: []string{"approver", "finance", "operator"}, Method: identity.BySession,
		}, who)
	}
	require.Equal(t, p.begun, p.redeemed)
	seen := map[string]bool{}
	for _, h := range p.begun {
		for _, secret := range []string{h.State, h.Nonce, h.Verifier} {
			require.Len(t, secret, 43)
			require.False(t, seen[secret])
			seen[secret] = true
		}
	}
}

// What the provider's word means is asked once, so the session ends when that
// changes.
func TestSessionEndsWithWhatTheProvidersWordMeans(t *testing.T) {
	t.Parallel()

	p := &oneProvider{person: identity.Person{Name: "dana", Groups: []string{"payments"}}}
	b := newBundle(t, elsewhere(p))
	c, err := b.signInElsewhere(t, p, "")
	require.NoError(t, err)
	counts := func(edit func(*identity.Config)) bool {
		cfg := elsewhere(p)
		edit(&cfg)
		_, err := b.with(cfg).Identify(request(cookie(c)))
		return err == nil
	}
	require.True(t, counts(func(*identity.Config) {}), "a restart changes nothing")
	require.True(t, counts(func(c *identity.Config) { c.OpenID.Name = "Another name" }))
	require.True(t, counts(func(c *identity.Config) { c.SessionLifetime = time.Hour }), "sessions end as they began")
	for name, edit := range map[string]func(*identity.Config){
		"another source":  func(c *identity.Config) { c.OpenID.Source = "another" },
		"a group's roles": func(c *identity.Config) { c.OpenID.Groups["payments"] = []string{"viewer"} },
		"a group less":    func(c *identity.Config) { delete(c.OpenID.Groups, "on-call") },
		"no provider": func(c *identity.Config) {
			c.OpenID = identity.OpenID{}
			c.Operators = []identity.Operator{operator("alice", "viewer")}
		},
		"nobody at all": func(c *identity.Config) { c.OpenID = identity.OpenID{} },
		"an operator's name there": func(c *identity.Config) {
			c.Operators = []identity.Operator{{Name: "alice", TokenSHA256: operator("alice").TokenSHA256, OpenIDUser: "dana"}}
		},
	} {
		require.False(t, counts(edit), name)
	}
	b.advance(12 * time.Hour)
	require.False(t, counts(func(*identity.Config) {}), "its time is over")
}

// Whoever sets up a provider has said that this machine alone proves nothing.
func TestProviderEndsTheServiceOfThisMachine(t *testing.T) {
	t.Parallel()

	auth := newBundle(t, elsewhere(&oneProvider{})).auth
	require.False(t, auth.Open())
	_, err := auth.Identify(request(from("127.0.0.1:1"), func(r *http.Request) { r.Host = "localhost:8080" }))
	requireRefused(t, identity.CodeUnauthenticated, err)
	code, err := auth.NewLoginCode(t.Context())
	require.NoError(t, err)
	require.Empty(t, code)
}

func TestRefusalsBeginNothing(t *testing.T) {
	t.Parallel()

	p := &oneProvider{person: identity.Person{Name: "dana", Groups: []string{"staff"}}}
	b := newBundle(t, elsewhere(p))
	_, err := b.signInElsewhere(t, p, "")
	requireRefused(t, identity.CodeNoRole, err)
	for name, row := range map[string]struct {
		err  error
		code string
	}{
		"down":   {fault.New(fault.Unavailable, "x", "it is down"), identity.CodeProviderDown},
		"forged": {fault.New(fault.Invalid, "x", "it is forged"), identity.CodeUnauthenticated},
		"denied": {fault.New(fault.Denied, "x", "it is denied"), identity.CodeUnauthenticated},
	} {
		q := &oneProvider{}
		b.auth = b.with(elsewhere(q))
		rec := httptest.NewRecorder()
		_, err := b.auth.BeginOpenID(rec, request(), "")
		require.NoError(t, err, name)
		q.err = row.err
		back := request(cookie(rec.Result().Cookies()[0]))
		back.URL.RawQuery = url.Values{"state": {q.begun[0].State}, "code": {"c"}}.Encode()
		_, err = b.auth.FinishOpenID(httptest.NewRecorder(), back)
		refusal := requireRefused(t, row.code, err)
		require.Equal(t, fault.Message(row.err), refusal.Message, name)

		rec = httptest.NewRecorder()
		_, err = b.auth.BeginOpenID(rec, request(), "")
		requireRefused(t, identity.CodeProviderDown, err)
		require.Empty(t, rec.Result().Cookies(), name)
	}
	live, err := b.auth.Live(t.Context())
	require.NoError(t, err)
	require.Empty(t, live)
}
