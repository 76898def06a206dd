package openid_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
)

const ui = "temporal-ui"

func TestAccessTokenSaysWhoItIs(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	tokens := newClient(t, config(p)).AccessTokens(ui)
	want := identity.Person{Name: "person-1", Groups: []string{"a", "b"}}
	for name, claims := range map[string]map[string]any{
		"audience":  {"aud": []string{"account", ui}},
		"one":       {"aud": ui},
		"client_id": {"aud": "https://api.example.com", "client_id": ui},
		"azp":       {"aud": "account", "azp": ui},
	} {
		claims["groups"] = []string{"a", "b"}
		who, err := tokens.Person(t.Context(), p.AccessToken(claims))
		require.NoError(t, err, name)
		require.Equal(t, want, who, name)
	}

	// What the token leaves out is asked for, with the token itself.
	p.Be(openidtest.Day{Elsewhere: map[string]any{"sub": "person-1", "groups": "c"}})
	who, err := newClient(t, config(p)).AccessTokens(ui).Person(t.Context(), p.AccessToken(map[string]any{"aud": ui}))
	require.NoError(t, err)
	require.Equal(t, identity.Person{Name: "person-1", Groups: []string{"c"}}, who)
}

func TestAccessTokensOfOthersAreRefused(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	tokens := newClient(t, config(p)).AccessTokens(ui)
	good := p.AccessToken(map[string]any{"aud": ui, "groups": "a"})
	_, err := tokens.Person(t.Context(), good)
	require.NoError(t, err)

	p.Be(openidtest.Day{Forge: true})
	forged := p.AccessToken(map[string]any{"aud": ui})
	p.Be(openidtest.Day{Algorithm: "none"})
	unsigned := p.AccessToken(map[string]any{"aud": ui})
	p.Be(openidtest.Day{Algorithm: "HS256"})
	symmetric := p.AccessToken(map[string]any{"aud": ui})
	p.Be(openidtest.Day{})
	for name, token := range map[string]string{
		"opaque":             "an-opaque-token",
		"another client's":   p.AccessToken(map[string]any{"aud": "other", "azp": "other", "client_id": "other"}),
		"nobody's":           p.AccessToken(nil),
		"expired":            p.AccessToken(map[string]any{"aud": ui, "exp": time.Now().Add(-time.Hour).Unix()}),
		"says another":       p.AccessToken(map[string]any{"aud": ui, "iss": "https://evil.example.com"}),
		"forged":             forged,
		"unsigned":           unsigned,
		"signed by a secret": symmetric,
		"changed":            good[:len(good)-4] + "AAAA",
	} {
		_, err := tokens.Person(t.Context(), token)
		require.Equal(t, fault.Denied, fault.KindOf(err), "%s: %v", name, err)
		require.NotContains(t, err.Error(), token, name)
	}
	p.Be(openidtest.Day{Down: true})
	_, err = newClient(t, config(p)).AccessTokens(ui).Person(t.Context(), good)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.False(t, strings.Contains(err.Error(), good))
}
