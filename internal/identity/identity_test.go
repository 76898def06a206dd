package identity_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

func token(name string) string { return "rf_" + name + "_0123456789abcdef0123456789abcdef" }

func operator(name string, roles ...string) identity.Operator {
	return identity.Operator{Name: name, TokenSHA256: sha256.Sum256([]byte(token(name))), Roles: roles}
}

// bundle is an authenticator on a ledger, with a clock that the test moves.
type bundle struct {
	ledger *sqlite.Ledger
	auth   *identity.Authenticator

	mu  sync.Mutex
	now time.Time
}

func (b *bundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bundle) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func newBundle(t *testing.T, cfg identity.Config) *bundle {
	t.Helper()
	b := &bundle{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	l, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: b.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	b.ledger = l
	b.auth = b.with(cfg)
	return b
}

// with is a later start with another configuration on the same ledger.
func (b *bundle) with(cfg identity.Config) *identity.Authenticator {
	cfg.Now = b.clock
	return identity.New(cfg, b.ledger)
}

func request(edits ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/console/login", nil)
	r.RemoteAddr, r.Host = "203.0.113.9:4711", "rewards.example.com"
	for _, edit := range edits {
		edit(r)
	}
	return r
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
}

func from(remote string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = remote } }

// signIn signs in and returns the cookie.
func (b *bundle) signIn(t *testing.T, name string, edits ...func(*http.Request)) *http.Cookie {
	t.Helper()
	rec := httptest.NewRecorder()
	_, err := b.auth.SignIn(rec, request(edits...), token(name))
	require.NoError(t, err)
	require.Len(t, rec.Result().Cookies(), 1)
	return rec.Result().Cookies()[0]
}

func cookie(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func requireRefused(t *testing.T, code string, err error) *identity.Refusal {
	t.Helper()
	r, ok := errors.AsType[*identity.Refusal](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, r.Code)
	return r
}

func TestSessionIsThePerson(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{Operators: []identity.Operator{operator("alice", "approver")}})
	c := b.signIn(t, "alice")
	require.True(t, c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "rewardflow", c.Name)
	who, err := b.auth.Identify(request(cookie(c)))
	require.NoError(t, err)
	require.NotEmpty(t, who.SessionID)
	who.SessionID = ""
	require.Equal(t, identity.Principal{Name: "alice", Verified: true, Roles: []string{"approver"}, Method: identity.BySession}, who)

	live, err := b.auth.Live(t.Context())
	require.NoError(t, err)
	require.Len(t, live, 1)
	require.NotContains(t, live[0].TokenSHA256, c.Value)

	_, err = b.auth.Identify(request(cookie(&http.Cookie{Name: c.Name, Value: c.Value + "x"})))
	requireRefused(t, identity.CodeUnauthenticated, err)
	_, err = b.auth.Identify(request(cookie(&http.Cookie{Name: c.Name, Value: live[0].TokenSHA256})))
	requireRefused(t, identity.CodeUnauthenticated, err)
	_, err = b.auth.Identify(request(cookie(&http.Cookie{Name: c.Name, Value: live[0].ID})))
	requireRefused(t, identity.CodeUnauthenticated, err)
}

// Over TLS, seen by us or by a proxy, the cookie is one that no sibling domain
// can plant, and a planted plain one is not read.
func TestCookieIsBoundToTheHostOverTLS(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{Operators: []identity.Operator{operator("alice", "approver")}})
	plain := b.signIn(t, "alice")
	for name, secure := range map[string]func(*http.Request){
		"here":     func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		"at proxy": header("X-Forwarded-Proto", "https"),
	} {
		c := b.signIn(t, "alice", secure)
		require.Equal(t, "__Host-rewardflow", c.Name, name)
		require.True(t, c.Secure, name)
		require.Equal(t, "/", c.Path, name)
		require.Empty(t, c.Domain, name)
		_, err := b.auth.Identify(request(secure, cookie(c)))
		require.NoError(t, err, name)
		_, err = b.auth.Identify(request(secure, cookie(plain)))
		requireRefused(t, identity.CodeUnauthenticated, err)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()

	alice := operator("alice", "approver")
	b := newBundle(t, identity.Config{Operators: []identity.Operator{alice}})
	counts := func(c *http.Cookie, auth *identity.Authenticator) bool {
		_, err := auth.Identify(request(cookie(c)))
		return err == nil
	}
	byTime := b.signIn(t, "alice")
	b.advance(12*time.Hour - time.Second)
	require.True(t, counts(byTime, b.auth))
	b.advance(time.Second)
	require.False(t, counts(byTime, b.auth), "its time is over")

	out := b.signIn(t, "alice")
	who, err := b.auth.Identify(request(cookie(out)))
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	require.NoError(t, b.auth.SignOut(rec, request(cookie(out)), who))
	require.Negative(t, rec.Result().Cookies()[0].MaxAge)
	require.False(t, counts(out, b.auth), "it was signed out, and a copy of the cookie is worth nothing")

	ended, other := b.signIn(t, "alice"), b.signIn(t, "alice")
	who, err = b.auth.Identify(request(cookie(ended)))
	require.NoError(t, err)
	require.NoError(t, b.auth.End(t.Context(), who.SessionID, "root"))
	require.False(t, counts(ended, b.auth), "an admin ended it")
	require.True(t, counts(other, b.auth))

	rotated, renamed := alice, alice
	rotated.TokenSHA256[0]++
	renamed.Name = "alicia"
	for name, operators := range map[string][]identity.Operator{
		"taken off the list": {operator("bob", "approver")}, "another token": {rotated}, "another name": {renamed}, "nobody left": nil,
	} {
		require.False(t, counts(other, b.with(identity.Config{Operators: operators})), name)
	}
	promoted := alice
	promoted.Roles = []string{"viewer"}
	who, err = b.with(identity.Config{Operators: []identity.Operator{promoted}}).Identify(request(cookie(other)))
	require.NoError(t, err)
	require.Equal(t, []string{"viewer"}, who.Roles, "roles are those of now")
}

func TestBearerTokenGoesBeforeASession(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{Operators: []identity.Operator{operator("alice", "approver"), operator("bob", "finance")}})
	c := b.signIn(t, "alice")
	who, err := b.auth.Identify(request(cookie(c), header("Authorization", "Bearer "+token("bob"))))
	require.NoError(t, err)
	require.Equal(t, "bob", who.Name)
	require.Equal(t, identity.ByToken, who.Method)
	_, err = b.auth.Identify(request(cookie(c), header("Authorization", "Bearer wrong")))
	requireRefused(t, identity.CodeUnauthenticated, err)
}

func TestFailedLoginsAreSlowedDown(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{
		Operators: []identity.Operator{operator("alice", "approver")},
		Proxy:     identity.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, UserHeader: "X-User"},
	})
	try := func(tok string, edits ...func(*http.Request)) error {
		_, err := b.auth.SignIn(httptest.NewRecorder(), request(edits...), tok)
		return err
	}
	for range 5 {
		requireRefused(t, identity.CodeUnauthenticated, try("wrong"))
	}
	refusal := requireRefused(t, identity.CodeTooMany, try("wrong"))
	require.Equal(t, 12*time.Second, refusal.RetryAfter)
	requireRefused(t, identity.CodeTooMany, try(token("alice")))
	requireRefused(t, identity.CodeTooMany, try(token("alice"), header("X-Forwarded-For", "198.51.100.7")))
	require.NoError(t, try(token("alice"), from("203.0.113.10:4711")), "others are not slowed down")
	b.advance(12 * time.Second)
	require.NoError(t, try(token("alice")))

	// Behind a trusted proxy it is the client that counts, not the proxy.
	for range 5 {
		requireRefused(t, identity.CodeUnauthenticated, try("wrong", from("10.1.2.3:1"), header("X-Forwarded-For", "198.51.100.7")))
	}
	requireRefused(t, identity.CodeTooMany, try("wrong", from("10.1.2.3:1"), header("X-Forwarded-For", "spoofed, 198.51.100.7")))
	require.NoError(t, try(token("alice"), from("10.1.2.3:1"), header("X-Forwarded-For", "198.51.100.8")))
	for _, empty := range []string{"", " "} {
		requireRefused(t, identity.CodeUnauthenticated, try(empty, from("203.0.113.77:1")))
	}
}

func proxied() identity.Config {
	return identity.Config{Proxy: identity.Proxy{
		Trusted:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		UserHeader: "X-Forwarded-User", GroupsHeader: "X-Forwarded-Groups",
		Groups: map[string][]string{"payments": {"approver", "finance"}, "on-call": {"operator", "approver"}},
	}}
}

func TestProxyNamesPeople(t *testing.T) {
	t.Parallel()

	b := newBundle(t, proxied())
	alice := header("X-Forwarded-User", "alice@example.com")
	for name, row := range map[string]struct {
		edits []func(*http.Request)
		roles []string
		ok    bool
	}{
		"groups":               {[]func(*http.Request){from("10.1.2.3:1"), alice, header("X-Forwarded-Groups", "payments, on-call,other")}, []string{"approver", "finance", "operator"}, true},
		"ipv6":                 {[]func(*http.Request){from("[fd00::1]:1"), alice, header("X-Forwarded-Groups", "on-call")}, []string{"approver", "operator"}, true},
		"mapped":               {[]func(*http.Request){from("[::ffff:10.1.2.3]:1"), alice}, nil, true},
		"no groups":            {[]func(*http.Request){from("10.1.2.3:1"), alice}, nil, true},
		"groups of two":        {[]func(*http.Request){from("10.1.2.3:1"), alice, header("X-Forwarded-Groups", "payments", "on-call")}, nil, true},
		"from elsewhere":       {[]func(*http.Request){from("192.0.2.1:1"), alice}, nil, false},
		"from this machine":    {[]func(*http.Request){from("127.0.0.1:1"), alice}, nil, false},
		"forged forwarded for": {[]func(*http.Request){from("192.0.2.1:1"), alice, header("X-Forwarded-For", "10.1.2.3")}, nil, false},
		"two names":            {[]func(*http.Request){from("10.1.2.3:1"), alice, header("X-Forwarded-User", "mallory")}, nil, false},
		"empty name":           {[]func(*http.Request){from("10.1.2.3:1"), header("X-Forwarded-User", " ")}, nil, false},
		"control characters":   {[]func(*http.Request){from("10.1.2.3:1"), header("X-Forwarded-User", "alice\x1b[31m")}, nil, false},
		"a sign unseen":        {[]func(*http.Request){from("10.1.2.3:1"), header("X-Forwarded-User", "alice\u200b@example.com")}, nil, false},
		"a very long name":     {[]func(*http.Request){from("10.1.2.3:1"), header("X-Forwarded-User", strings.Repeat("a", 201))}, nil, false},
		"no name":              {[]func(*http.Request){from("10.1.2.3:1")}, nil, false},
	} {
		who, err := b.auth.Identify(request(row.edits...))
		if !row.ok {
			requireRefused(t, identity.CodeUnauthenticated, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, identity.Principal{Name: "alice@example.com", Verified: true, Roles: row.roles, Method: identity.ByProxy}, who, name)
	}
}

// Whoever sets up a proxy has said that this machine alone proves nothing.
func TestProxyEndsTheServiceOfThisMachine(t *testing.T) {
	t.Parallel()

	local := []func(*http.Request){from("127.0.0.1:1"), func(r *http.Request) { r.Host = "localhost:8080" }}
	_, err := newBundle(t, proxied()).auth.Identify(request(local...))
	requireRefused(t, identity.CodeUnauthenticated, err)
	who, err := newBundle(t, identity.Config{}).auth.Identify(request(local...))
	require.NoError(t, err)
	require.Equal(t, identity.ByMachine, who.Method)
	require.False(t, who.Verified)
}

func TestLoginLinkWorksOnceAndWhileNobodyIsConfigured(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{})
	newCode := func() string {
		code, err := b.auth.NewLoginCode(t.Context())
		require.NoError(t, err)
		return code
	}
	use := func(code string) (*http.Cookie, error) {
		rec := httptest.NewRecorder()
		_, err := b.auth.SignInWithCode(rec, request(from("203.0.113."+string(rune('1'+len(code)%9))+":1")), code)
		if err != nil {
			return nil, err
		}
		return rec.Result().Cookies()[0], nil
	}
	void, late := newCode(), newCode()
	_, err := use(void)
	requireRefused(t, identity.CodeUnauthenticated, err)
	b.advance(time.Hour)
	_, err = use(late)
	requireRefused(t, identity.CodeUnauthenticated, err)

	code := newCode()
	c, err := use(code)
	require.NoError(t, err)
	who, err := b.auth.Identify(request(cookie(c)))
	require.NoError(t, err)
	require.Equal(t, "admin", who.Name)
	require.True(t, who.Verified)
	require.Equal(t, identity.Roles(), who.Roles)
	_, err = use(code)
	requireRefused(t, identity.CodeUnauthenticated, err)
	require.Empty(t, newCode(), "somebody is signed in")

	configured := b.with(identity.Config{Operators: []identity.Operator{operator("alice", "viewer")}})
	_, err = configured.Identify(request(cookie(c)))
	requireRefused(t, identity.CodeUnauthenticated, err)
	none, err := configured.NewLoginCode(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	b.advance(24 * time.Hour)
	open := newCode()
	_, err = configured.SignInWithCode(httptest.NewRecorder(), request(), open)
	requireRefused(t, identity.CodeUnauthenticated, err)
}

// A ledger that cannot be read keeps nobody out for good: it is no wrong cookie.
func TestUnreadableSessionIsNoRefusal(t *testing.T) {
	t.Parallel()

	b := newBundle(t, identity.Config{Operators: []identity.Operator{operator("alice", "approver")}})
	c := b.signIn(t, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.auth.Identify(request(cookie(c)).WithContext(ctx))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestNewTokenIsFoundByScanners(t *testing.T) {
	t.Parallel()

	one, sum := identity.NewToken()
	other, _ := identity.NewToken()
	require.NotEqual(t, one, other)
	require.True(t, strings.HasPrefix(one, "rf_"))
	require.Len(t, one, 46)
	require.Len(t, sum, 64)
}
