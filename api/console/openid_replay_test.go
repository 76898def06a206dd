package console_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/openid"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// cookies are those that a reader would send.
func (r *reader) cookies(t *testing.T) map[string]*http.Cookie {
	t.Helper()
	base, err := url.Parse(r.base)
	require.NoError(t, err)
	byName := map[string]*http.Cookie{}
	for _, c := range r.client.Jar.Cookies(base) {
		byName[c.Name] = c
	}
	return byName
}

// copied is another browser with some of the cookies of this one.
func (r *reader) copied(t *testing.T, w *world, cookies ...*http.Cookie) *reader {
	t.Helper()
	other := newReader(t, w)
	base, err := url.Parse(r.base)
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	jar.SetCookies(base, cookies)
	other.client.Jar = jar
	return other
}

const loginCookie = "rewardflow-login"

// A state works once, in the browser in which it began, and not for long.
func TestStateWorksOnceAndInItsBrowser(t *testing.T) {
	t.Parallel()

	const notBegun = "This sign-in did not begin in this browser, was used already, or took longer than 10 minutes: begin again."
	s := newSignInWorld(t)
	// Codes that work twice leave it to us.
	s.provider.Be(openidtest.Day{Person: dana(), Repeatable: true})
	start := time.Now()
	s.set(start)
	r := newReader(t, s.world)
	to := r.stopBefore(returnPath)
	s.begin(t, r)
	cookie := r.cookies(t)[loginCookie]
	require.NotNil(t, cookie)
	require.NotContains(t, to.RawQuery, cookie.Value[:43], "the secret of the sign-in stays in the browser")

	refused := func(r *reader, address string, status int, text string) {
		t.Helper()
		before := len(s.sessions(t))
		r.open(t, address)
		require.Equal(t, status, r.status, r.text)
		require.Contains(t, r.text, text)
		require.Len(t, s.sessions(t), before)
		s.requireNothingLeaked(t, r.text)
	}
	refused(newReader(t, s.world), to.RequestURI(), http.StatusBadRequest, notBegun)
	refused(r, returnPath+"?code=x", http.StatusBadRequest, notBegun)
	refused(r, returnPath+"?code=x&state=x", http.StatusBadRequest, notBegun)
	refused(r, returnPath+"?error=access_denied&state=x", http.StatusBadRequest, notBegun)
	changed := *cookie
	parts := strings.Split(cookie.Value, ".")
	changed.Value = parts[0] + "." + strconv.FormatInt(start.Add(time.Hour).Unix(), 10) + "." + parts[2]
	refused(r.copied(t, s.world, &changed), to.RequestURI(), http.StatusBadRequest, notBegun)
	changed.Value = parts[0]
	refused(r.copied(t, s.world, &changed), to.RequestURI(), http.StatusBadRequest, notBegun)
	s.set(start.Add(10 * time.Minute))
	refused(r.copied(t, s.world, cookie), to.RequestURI(), http.StatusBadRequest, "This sign-in took longer than 10 minutes: begin again.")
	s.set(start)

	// Nothing of that used up the sign-in of the browser in which it began.
	r.open(t, to.RequestURI())
	require.Equal(t, "/console/rewards/7", r.path)
	require.Len(t, s.sessions(t), 1)
	require.NotContains(t, r.cookies(t), loginCookie)
	refused(r, to.RequestURI(), http.StatusBadRequest, notBegun)
	refused(r.copied(t, s.world, cookie), to.RequestURI(), http.StatusUnauthorized, "This sign-in was used already: begin again.")
	s.set(start.Add(9 * time.Minute))
	refused(r.copied(t, s.world, cookie), to.RequestURI(), http.StatusUnauthorized, "This sign-in was used already: begin again.")
}

// A code that was seen by somebody else is of no use in another sign-in.
func TestCodeWorksInItsSignInOnly(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	victim, thief := newReader(t, s.world), newReader(t, s.world)
	seen, own := victim.stopBefore(returnPath), thief.stopBefore(returnPath)
	s.begin(t, victim)
	s.begin(t, thief)
	thief.open(t, returnPath+"?"+url.Values{"state": {own.Query().Get("state")}, "code": {seen.Query().Get("code")}}.Encode())
	require.Equal(t, http.StatusUnauthorized, thief.status)
	require.Contains(t, thief.text, "does not accept the code: it was used already, has expired, or is for another installation")
	require.Empty(t, s.sessions(t), "PKCE: the code belongs to another sign-in")

	victim.open(t, seen.RequestURI())
	require.Len(t, s.sessions(t), 1)
	again := newReader(t, s.world)
	fresh := again.stopBefore(returnPath)
	s.begin(t, again)
	again.open(t, returnPath+"?"+url.Values{"state": {fresh.Query().Get("state")}, "code": {seen.Query().Get("code")}}.Encode())
	require.Equal(t, http.StatusUnauthorized, again.status)
	require.Contains(t, again.text, "does not accept the code")
	require.Len(t, s.sessions(t), 1)
}

// Whoever tries codes is slowed down, as with tokens.
func TestFailedReturnsAreSlowedDown(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	s.set(time.Now())
	s.provider.Be(openidtest.Day{Person: dana(), Edit: with("nonce", "another")})
	r := newReader(t, s.world)
	for range 5 {
		s.begin(t, r)
		require.Equal(t, http.StatusUnauthorized, r.status)
	}
	exchanged := s.provider.Asked("/token")
	s.begin(t, r)
	require.Equal(t, http.StatusTooManyRequests, r.status)
	require.Equal(t, "12", r.header.Get("Retry-After"))
	require.Equal(t, exchanged, s.provider.Asked("/token"))
	require.Empty(t, s.sessions(t))
}

func TestBeginningKeepsNothingButACookie(t *testing.T) {
	t.Parallel()

	first := newWorld(t)
	for name, secure := range map[string]bool{"http": false, "https": true} {
		s := signInWorldOf(t, func(edit func(*api.Config)) *world { return first.beside(t, edit) }, func(c *api.Config, _ *openid.Config) { c.OpenID.Secure = secure })
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Get(s.url + "/console/login/oidc?next=/console/brake")
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusSeeOther, res.StatusCode, name)
		to, err := res.Location()
		require.NoError(t, err)
		require.Equal(t, s.provider.Issuer+"/authorize", to.Scheme+"://"+to.Host+to.Path)
		q := to.Query()
		require.Equal(t, "S256", q.Get("code_challenge_method"))
		require.Equal(t, "openid email", q.Get("scope"))
		require.Len(t, q.Get("code_challenge"), 43)
		for _, one := range []string{"state", "nonce"} {
			require.GreaterOrEqual(t, len(q.Get(one)), 43, one)
		}
		require.Len(t, res.Cookies(), 1)
		c := res.Cookies()[0]
		require.True(t, c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/" && c.Domain == "", name)
		require.Equal(t, 600, c.MaxAge)
		require.Equal(t, secure, c.Secure, name)
		require.Equal(t, map[bool]string{false: loginCookie, true: "__Host-" + loginCookie}[secure], c.Name)
		require.Empty(t, s.sessions(t), name)
	}
}

func TestReturnLeadsToOurOwnPagesOnly(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	noCookieCouldKeepIt := "/console/?q=" + strings.Repeat("a", 1100)
	for next, want := range map[string]string{
		"/console/brake":          "/console/brake",
		"/console/?queue=all&q=7": "/console/?queue=all&q=7",
		"//evil.example/console/": "/console/",
		"https://evil.example/":   "/console/",
		`/console/\evil.example`:  "/console/",
		"/api/v1/rewards":         "/console/",
		"":                        "/console/",
		noCookieCouldKeepIt:       "/console/",
	} {
		before := len(s.sessions(t))
		r := newReader(t, s.world)
		r.open(t, "/console/login/oidc?next="+url.QueryEscape(next))
		require.Equal(t, want, r.path, next)
		require.Len(t, s.sessions(t), before+1)
	}
}

func TestWithoutAProviderThereIsNothingToBegin(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReader(t, w)
	r.open(t, "/console/login")
	require.NotContains(t, r.text, "Sign in with")
	for _, path := range []string{"/console/login/oidc", returnPath + "?code=x&state=x"} {
		r.open(t, path)
		require.Equal(t, http.StatusNotFound, r.status)
	}
}

// A name is a person, whichever way it was proven: one vote for each, and the
// policy keeps people out under every name.
func TestPersonHasOneVoteWhicheverWayItCameIn(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t, func(c *api.Config, _ *openid.Config) {
		c.Operators[0].OpenIDUser = "Dana@Example.com" // alice, as the provider calls her.
		c.Operators = append(c.Operators, operator("erin@example.com", "approver"))
	})
	signIn := func(email string) *reader {
		s.provider.Be(openidtest.Day{Person: dana(with("email", email))})
		r := newReader(t, s.world)
		s.begin(t, r)
		return r
	}
	ask := func(id reward.ID, excluded ...string) {
		s.awaiting(t, id, reward.Quantity{Amount: 3, Unit: reward.Credits}, func(a *ledger.Assessment) { a.Approvals, a.Excluded = 2, excluded })
	}
	ask(7)
	newReader(t, s.world).signIn(t, "alice").approve(t, "/console/rewards/7")
	r := signIn("dana@example.com")
	require.Contains(t, r.text, "You have decided already")
	live := s.sessions(t)
	require.Equal(t, "alice", live[0].Person)

	ask(8)
	newReader(t, s.world).signIn(t, "erin@example.com").approve(t, "/console/rewards/8")
	r = signIn("ERIN@example.com")
	r.open(t, "/console/rewards/8")
	require.Contains(t, r.text, "You have decided already", "an operator whom the provider names alike is the same person")

	ask(9, "alice")
	r = signIn("dana@example.com")
	r.open(t, "/console/rewards/9")
	require.Contains(t, r.text, "you may not decide about this reward")
	ask(10, "Frank@example.com")
	r = signIn("frank@example.com")
	r.open(t, "/console/rewards/10")
	require.Contains(t, r.text, "you may not decide about this reward")

	for id, want := range map[reward.ID]int{7: 1, 8: 1, 9: 0, 10: 0} {
		made, err := s.ledger.DecisionsOf(context.Background(), id)
		require.NoError(t, err)
		require.Len(t, made, want, id)
	}

	// Nobody takes the name of an operator whom the provider names otherwise.
	before := len(s.sessions(t))
	r = signIn("Alice")
	require.Equal(t, http.StatusUnauthorized, r.status)
	require.Contains(t, r.text, "is that of an operator who has another one there (operators[].oidc_user)")
	require.Len(t, s.sessions(t), before)
}

func (r *reader) approve(t *testing.T, path string) {
	t.Helper()
	r.open(t, path)
	r.send(t, "Approve", nil)
	require.Contains(t, r.text, "Your approval is recorded.")
}

// An admin sees who came in by the provider, and ends it.
func TestSessionByAProviderIsListedAndEnded(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t, func(c *api.Config, _ *openid.Config) { c.SessionLifetime = 30 * 24 * time.Hour })
	r := newReader(t, s.world)
	s.begin(t, r)
	live := s.sessions(t)
	require.Len(t, live, 1)
	require.Equal(t, 12*time.Hour, live[0].ExpiresAt.Sub(live[0].CreatedAt), "groups are asked for at login, so it cannot last a month")
	admin := newReader(t, s.world).signIn(t, "root")
	admin.open(t, "/console/sessions")
	require.Contains(t, admin.text, "dana@example.com approver oidc")
	for n := range admin.last.Descendants() {
		if attribute(n, "aria-label") == "End the session of dana@example.com" {
			_, err := admin.client.PostForm(admin.base+attribute(n.Parent, "action"), nil)
			require.NoError(t, err)
		}
	}
	r.open(t, "/console/")
	require.Equal(t, "/console/login", r.path)
}
