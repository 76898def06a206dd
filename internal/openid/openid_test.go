package openid_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/openid"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
)

const discoveryPath = "/.well-known/openid-configuration"

func config(p *openidtest.Provider) openid.Config {
	return openid.Config{
		Issuer: p.Issuer, ClientID: openidtest.ClientID, ClientSecret: openidtest.ClientSecret,
		RedirectURL: "http://127.0.0.1/console/login/oidc/return", Scopes: []string{"openid"}, NameClaim: "sub", GroupsClaim: "groups",
		Timeout: time.Minute, // However busy the machine is.
	}
}

func newClient(t *testing.T, cfg openid.Config) *openid.Client {
	t.Helper()
	c, err := openid.New(cfg)
	require.NoError(t, err)
	return c
}

func handshake() identity.Handshake {
	return identity.Handshake{State: "the-state", Nonce: "the-nonce", Verifier: strings.Repeat("v", 43)}
}

// code signs somebody in at the provider, as a browser does.
func code(t *testing.T, c *openid.Client, h identity.Handshake) string {
	t.Helper()
	to, err := c.AuthURL(t.Context(), h)
	require.NoError(t, err)
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(to)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	back, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, h.State, back.Query().Get("state"))
	return back.Query().Get("code")
}

func TestRedeemSaysWhoItIs(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	p.Be(openidtest.Day{Person: map[string]any{"groups": []string{"a", "b"}}})
	c := newClient(t, config(p))
	who, err := c.Redeem(t.Context(), code(t, c, handshake()), handshake())
	require.NoError(t, err)
	require.Equal(t, identity.Person{Name: "person-1", Groups: []string{"a", "b"}}, who, "sub needs no verified address")

	other := handshake()
	other.Verifier = strings.Repeat("w", 43)
	_, err = c.Redeem(t.Context(), code(t, c, handshake()), other)
	require.Equal(t, fault.Denied, fault.KindOf(err))
	other = handshake()
	other.Nonce = "another"
	_, err = c.Redeem(t.Context(), code(t, c, handshake()), other)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

// Roles that hang on an address need a verified one, whatever names the person.
func TestGroupsByAddressNeedAVerifiedOne(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	cfg := config(p)
	cfg.GroupsClaim = "email"
	c := newClient(t, cfg)
	p.Be(openidtest.Day{Person: map[string]any{"email": "boss@example.com"}})
	_, err := c.Redeem(t.Context(), code(t, c, handshake()), handshake())
	require.Equal(t, fault.Denied, fault.KindOf(err))
	p.Be(openidtest.Day{Person: map[string]any{"email": "boss@example.com", "email_verified": true}})
	who, err := c.Redeem(t.Context(), code(t, c, handshake()), handshake())
	require.NoError(t, err)
	require.Equal(t, []string{"boss@example.com"}, who.Groups)
}

// Many people at once are one question, and one of them who goes away does not
// fail it for the others.
func TestDiscoveryIsAskedOnceForAll(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	c := newClient(t, config(p))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, c.Ready(gone))
	c = newClient(t, config(p))
	before := p.Asked(discoveryPath)
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() { _ = c.Ready(t.Context()) })
	}
	people.Wait()
	require.Equal(t, before+1, p.Asked(discoveryPath))
}

func TestSilentProviderIsGivenUp(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	cfg := config(p)
	cfg.Timeout = 50 * time.Millisecond
	p.Be(openidtest.Day{Silent: true})
	err := newClient(t, cfg).Ready(t.Context())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, "the identity provider cannot be reached: timed out", fault.Message(err))
}

func TestAbandonedSignInIsGivenUp(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	c := newClient(t, config(p))
	granted := code(t, c, handshake())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Redeem(gone, granted, handshake())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NotContains(t, err.Error(), granted)
	require.NotContains(t, err.Error(), p.Issuer, "an address can hold a secret")
}

func TestHalfAConfigurationIsRefused(t *testing.T) {
	t.Parallel()

	full := config(&openidtest.Provider{Issuer: "https://id.example.com"})
	newClient(t, full)
	for name, edit := range map[string]func(*openid.Config){
		"issuer": func(c *openid.Config) { c.Issuer = "" }, "client": func(c *openid.Config) { c.ClientID = "" },
		"redirect": func(c *openid.Config) { c.RedirectURL = "" }, "scopes": func(c *openid.Config) { c.Scopes = []string{"email"} },
		"name": func(c *openid.Config) { c.NameClaim = "" }, "groups": func(c *openid.Config) { c.GroupsClaim = "" },
	} {
		half := full
		edit(&half)
		_, err := openid.New(half)
		require.Error(t, err, name)
	}
}
