package console_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/api/console"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/openid"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// signInWorld is a world beside a double of a provider of OpenID Connect.
type signInWorld struct {
	*world
	provider *openidtest.Provider
	logs     *logBuffer
}

// logBuffer keeps the log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// dana is somebody whom only the provider knows.
func dana(edits ...func(map[string]any)) map[string]any {
	claims := map[string]any{"email": "dana@example.com", "email_verified": true, "groups": []string{"staff", "payments"}}
	for _, edit := range edits {
		edit(claims)
	}
	return claims
}

func with(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

func without(name string) func(map[string]any) {
	return func(claims map[string]any) { delete(claims, name) }
}

func newSignInWorld(t testing.TB, edits ...func(*api.Config, *openid.Config)) *signInWorld {
	t.Helper()
	return signInWorldOf(t, func(edit func(*api.Config)) *world { return newWorld(t, edit) }, edits...)
}

// signInWorldOf makes a world and a provider beside it.
func signInWorldOf(t testing.TB, made func(func(*api.Config)) *world, edits ...func(*api.Config, *openid.Config)) *signInWorld {
	t.Helper()
	s := &signInWorld{logs: &logBuffer{}}
	s.world = made(func(c *api.Config) {
		s.provider = openidtest.New(t, c.Now)
		s.provider.Be(openidtest.Day{Person: dana()})
		client := openid.Config{
			Issuer: s.provider.Issuer, ClientID: openidtest.ClientID, ClientSecret: openidtest.ClientSecret,
			RedirectURL: "http://" + c.Listen + console.Root + console.OpenIDReturn,
			Scopes:      []string{"openid", "email"}, NameClaim: "email", GroupsClaim: "groups", Now: c.Now,
			Timeout: time.Minute, // However busy the machine is.
		}
		c.OpenID = identity.OpenID{Name: "Example ID", Source: "example", Groups: map[string][]string{
			"payments": {"approver"}, "leads": {"approver", "finance"}, "on-call": {"operator"},
		}}
		c.Logger = slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		for _, edit := range edits {
			edit(c, &client)
		}
		provider, err := openid.New(client)
		require.NoError(t, err)
		c.OpenID.Provider = provider
	})
	t.Cleanup(func() { s.requireNothingLeaked(t, s.logs.String()) })
	return s
}

// requireNothingLeaked looks for codes, tokens and secrets.
func (s *signInWorld) requireNothingLeaked(t testing.TB, text string) {
	t.Helper()
	for _, secret := range s.provider.Said() {
		require.NotContains(t, text, secret)
	}
}

func (s *signInWorld) sessions(t testing.TB) []ledger.Session {
	t.Helper()
	live, err := s.ledger.LiveSessions(context.Background(), s.clock())
	require.NoError(t, err)
	return live
}

// begin opens the login page and follows its link, as far as until allows.
func (s *signInWorld) begin(t *testing.T, r *reader) {
	t.Helper()
	r.open(t, "/console/rewards/7")
	r.follow(t, "Sign in with Example ID")
}

// follow opens the address of a link.
func (r *reader) follow(t *testing.T, link string) {
	t.Helper()
	for n := range r.last.Descendants() {
		if n.Data == "a" && words(n) == link {
			r.open(t, attribute(n, "href"))
			return
		}
	}
	t.Fatalf("no link says %q on: %s", link, r.text)
}

// stopBefore keeps the reader from following a redirect to a path, and returns
// where it would have led.
func (r *reader) stopBefore(path string) *url.URL {
	stopped := &url.URL{}
	r.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == path {
			*stopped = *req.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	return stopped
}

const returnPath = console.Root + console.OpenIDReturn

func TestProviderSignsPeopleIn(t *testing.T) {
	t.Parallel()

	for name, day := range map[string]openidtest.Day{
		"groups in a list":           {Person: dana()},
		"groups in one text":         {Person: dana(with("groups", "payments"))},
		"verified in a text":         {Person: dana(with("email_verified", "true"))},
		"secret in the body only":    {Person: dana(), InBody: true},
		"several audiences":          {Person: dana(with("aud", []string{"other", openidtest.ClientID}), with("azp", openidtest.ClientID))},
		"claims at another endpoint": {Elsewhere: dana(with("sub", "person-1"))},
		"groups at another endpoint": {
			Person:    dana(without("groups")),
			Elsewhere: dana(with("sub", "person-1"), with("email", "mallory@example.com")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSignInWorld(t)
			s.awaiting(t, 7, reward.Quantity{Amount: 3, Unit: reward.Credits})
			s.provider.Be(day)
			r := newReader(t, s.world)
			s.begin(t, r)
			require.Equal(t, "/console/rewards/7", r.path, "signing in leads to where one wanted to go: %s", r.text)
			require.Contains(t, r.text, "dana@example.com")
			live := s.sessions(t)
			require.Len(t, live, 1)
			require.Equal(t, "dana@example.com", live[0].Person)
			require.Equal(t, "oidc", live[0].Method)
			require.Equal(t, []string{"approver"}, live[0].Roles)

			r.send(t, "Approve", nil)
			require.Contains(t, r.text, "Your approval is recorded.")
			made, err := s.ledger.DecisionsOf(context.Background(), 7)
			require.NoError(t, err)
			require.Len(t, made, 1)
			require.Equal(t, "dana@example.com", made[0].By)
			require.True(t, made[0].Verified && made[0].Counted)
			require.Equal(t, reward.LaneConsole, made[0].Lane)

			r.open(t, "/console/brake")
			require.NotContains(t, r.text, "Pause all", "dana does not operate")
			r.send(t, "Sign out", nil)
			require.Contains(t, r.text, "Sign in with Example ID")
			require.Empty(t, s.sessions(t))
		})
	}
}

func TestPublicClientNeedsNoSecret(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t, func(_ *api.Config, c *openid.Config) { c.ClientSecret = "" })
	s.provider.Be(openidtest.Day{Person: dana(), Public: true})
	s.begin(t, newReader(t, s.world))
	require.Len(t, s.sessions(t), 1)
}

// Each of these keeps somebody out, says why, and starts no session.
func TestBadDaysOfAProvider(t *testing.T) {
	t.Parallel()

	first := newWorld(t)
	for name, row := range map[string]struct {
		day    openidtest.Day
		status int
		text   string
	}{
		"wrong nonce":          {openidtest.Day{Edit: with("nonce", "another")}, 401, "answers another sign-in (its nonce differs)"},
		"no nonce":             {openidtest.Day{Edit: without("nonce")}, 401, "answers another sign-in (its nonce differs)"},
		"other audience":       {openidtest.Day{Edit: with("aud", "another")}, 401, "is for another installation or of another issuer"},
		"other party":          {openidtest.Day{Edit: with("azp", "another")}, 401, "was made for another client (azp)"},
		"other issuer":         {openidtest.Day{Edit: with("iss", "https://mallory.example")}, 401, "is for another installation or of another issuer"},
		"expired":              {openidtest.Day{Edit: with("exp", 1000)}, 401, "The ID token has expired: compare the clocks"},
		"no expiry":            {openidtest.Day{Edit: without("exp")}, 401, "The ID token has expired: compare the clocks"},
		"alg none":             {openidtest.Day{Algorithm: "none"}, 401, "not signed in a way that the identity provider announces"},
		"signed by the secret": {openidtest.Day{Algorithm: "HS256"}, 401, "not signed in a way that the identity provider announces"},
		"unsigned by the key":  {openidtest.Day{Forge: true}, 401, "not signed by a key of the identity provider"},
		"denied":               {openidtest.Day{Deny: "access_denied"}, 401, "Access was denied at Example ID: you stopped there"},
		"interaction":          {openidtest.Day{Deny: "interaction_required"}, 401, "Something is to be done at Example ID first"},
		"problem there":        {openidtest.Day{Deny: "server_error"}, 503, "just now, for a reason there"},
		"unknown scope":        {openidtest.Day{Deny: "invalid_scope"}, 401, "as it asks (invalid_scope): whoever runs rewardflow"},
		"odd error":            {openidtest.Day{Deny: "<script>alert(1)</script>"}, 401, "No answer came back from Example ID: begin again"},
		"no groups":            {openidtest.Day{Edit: without("groups")}, 403, "You are dana@example.com at Example ID, and may do nothing here: it names no groups of yours"},
		"null groups":          {openidtest.Day{Edit: with("groups", nil)}, 403, "it names no groups of yours"},
		"unknown groups":       {openidtest.Day{Edit: with("groups", []string{"staff", "Payments"})}, 403, "none of your groups has a role. They are: staff, Payments; ask whoever keeps the configuration (auth.oidc.groups)"},
		"groups in a sentence": {openidtest.Day{Edit: with("groups", "payments, leads")}, 403, "They are: payments, leads;"},
		"groups as numbers":    {openidtest.Day{Edit: with("groups", []any{"payments", 7})}, 401, "neither a text nor a list of texts"},
		"groups as a map":      {openidtest.Day{Edit: with("groups", map[string]any{"payments": true})}, 401, "neither a text nor a list of texts"},
		"not verified":         {openidtest.Day{Edit: with("email_verified", false)}, 401, "does not say that your e-mail address is verified (email_verified)"},
		"verified unsaid":      {openidtest.Day{Edit: without("email_verified")}, 401, "does not say that your e-mail address is verified"},
		"verified by a word":   {openidtest.Day{Edit: with("email_verified", "yes")}, 401, "does not say that your e-mail address is verified"},
		"no name":              {openidtest.Day{Edit: without("email")}, 401, `sends no claim "email", which is to name you`},
		"blank name":           {openidtest.Day{Edit: with("email", " ")}, 401, `sends no claim "email", which is to name you`},
		"name of a number":     {openidtest.Day{Edit: with("email", 7)}, 401, `sends no claim "email", which is to name you`},
		"invisible name":       {openidtest.Day{Edit: with("email", "alice\u200b@example.com")}, 401, "holds signs that cannot be shown"},
		"long name":            {openidtest.Day{Edit: with("email", strings.Repeat("a", 201))}, 401, "is longer than 200 bytes"},
		"client unknown":       {openidtest.Day{Public: true}, 401, "auth.oidc.client_id or auth.oidc.client_secret is wrong or has expired"},
		"tokens broken":        {openidtest.Day{TokenStatus: 500}, 503, "does not exchange codes for now"},
		"tokens throttled":     {openidtest.Day{TokenStatus: 429}, 503, "does not exchange codes for now"},
		"tokens refused":       {openidtest.Day{TokenStatus: 403}, 401, "refused to exchange the code"},
		"keys broken":          {openidtest.Day{KeysStatus: 500}, 503, "does not show its keys for now"},
		"about somebody else":  {openidtest.Day{Edit: without("groups"), Elsewhere: dana(with("sub", "person-2"))}, 401, "answers about another person"},
		"about nobody":         {openidtest.Day{Edit: without("groups"), Elsewhere: dana()}, 401, "answers about another person"},
		"discovery broken":     {openidtest.Day{DiscoveryStatus: 500}, 503, "has no discovery document for now"},
		"discovery elsewhere":  {openidtest.Day{Issuer: "https://mallory.example"}, 503, "names itself otherwise: write auth.oidc.issuer exactly"},
		"endpoint in clear":    {openidtest.Day{PlainEndpoint: true}, 503, "names an address that is missing or not https"},
		"endless answers":      {openidtest.Day{Endless: true}, 503, "has no discovery document for now"},
		"down":                 {openidtest.Day{Down: true}, 503, "cannot be reached: the connection was closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := signInWorldOf(t, func(edit func(*api.Config)) *world { return first.beside(t, edit) })
			row.day.Person = dana()
			s.provider.Be(row.day)
			r := newReader(t, s.world)
			s.begin(t, r)
			require.Equal(t, row.status, r.status, r.text)
			require.Contains(t, r.text, row.text)
			require.Contains(t, r.text, "Sign in with Example ID", "another try is one click away")
			require.NotContains(t, r.text, "somebody@example.com", "what the provider writes is not repeated")
			s.requireNothingLeaked(t, r.text)
			require.Empty(t, s.sessions(t))
			require.NotContains(t, s.logs.String(), "dana@example.com")
			for n := range r.last.Descendants() {
				require.False(t, n.Data == "script" && attribute(n, "src") == "", "what comes from outside is text")
			}
			r.open(t, "/console/")
			require.Equal(t, "/console/login", r.path)
		})
	}
}

// An answer that is cut off in the middle of a sign-in is a trouble of the
// provider, and the login page says so until it is over.
func TestProviderGoesAwayInTheMiddle(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	s.set(time.Now())
	r := newReader(t, s.world)
	to := r.stopBefore(returnPath)
	s.begin(t, r)
	s.provider.Be(openidtest.Day{Down: true})
	r.open(t, to.RequestURI())
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.Contains(t, r.text, "cannot be reached: the connection was closed")
	r.open(t, "/console/login")
	require.Equal(t, http.StatusOK, r.status)
	require.Contains(t, r.text, "Signing in with Example ID does not work just now. The identity provider cannot be reached")
	require.Contains(t, r.text, "Or with your operator's token")
	require.Empty(t, s.sessions(t))
}

// The process starts while its provider is down, asks it now and then and not
// at every request, and needs no restart when it is back.
func TestProviderIsDownAtStartAndBackLater(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	start := time.Now()
	s.set(start)
	s.provider.Be(openidtest.Day{Down: true})
	require.Zero(t, s.provider.Asked("/.well-known/openid-configuration"), "nobody asks before somebody wants to sign in")
	r := newReader(t, s.world)
	for range 3 {
		r.open(t, "/console/login")
		require.Contains(t, r.text, "Signing in with Example ID does not work just now.")
	}
	asked := s.provider.Asked("/.well-known/openid-configuration")
	r.follow(t, "Sign in with Example ID")
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.Equal(t, asked, s.provider.Asked("/.well-known/openid-configuration"))
	require.Empty(t, s.sessions(t))
	r.send(t, "Sign in", url.Values{"token": {token("alice")}})
	require.Equal(t, "/console/", r.path, "tokens work all the while")
	r.send(t, "Sign out", nil)

	s.provider.Be(openidtest.Day{Person: dana()})
	s.set(start.Add(5 * time.Second))
	r.open(t, "/console/login")
	require.NotContains(t, r.text, "does not work just now")
	r.follow(t, "Sign in with Example ID")
	require.Len(t, s.sessions(t), 1)

	// Once an hour it is asked again, so that it can move.
	asked = s.provider.Asked("/.well-known/openid-configuration")
	r.open(t, "/console/login")
	require.Equal(t, asked, s.provider.Asked("/.well-known/openid-configuration"))
	s.set(start.Add(time.Hour + 5*time.Second))
	r.open(t, "/console/login")
	require.Equal(t, asked+1, s.provider.Asked("/.well-known/openid-configuration"))
}

func TestProviderChangesItsKeys(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	for i := range 3 {
		s.begin(t, newReader(t, s.world))
		require.Len(t, s.sessions(t), i+1)
		s.provider.Rotate()
	}
	require.Equal(t, 3, s.provider.Asked("/keys"), "keys are asked for when a new one signs")
}
