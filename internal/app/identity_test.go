package app

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
)

// The configuration reaches the provider, which is asked for nothing before
// somebody wants to sign in.
func TestSignInIsWiredAsConfigured(t *testing.T) {
	t.Parallel()

	provider := openidtest.New(t, time.Now)
	cfg := config.Default()
	cfg.PublicURL = "https://rewards.example.com"
	cfg.Auth.OIDC.Issuer, cfg.Auth.OIDC.Name, cfg.Auth.OIDC.ClientID = provider.Issuer, "Example ID", "rf"
	cfg.Auth.OIDC.Groups = []config.AuthGroup{{Name: "payments", Roles: []string{"approver"}}}
	cfg.Operators = []config.Operator{{
		Name: "alice", TokenSHA256: "8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1", Roles: []string{"viewer"}, OIDCUser: "alice@example.com",
	}}
	who, err := identities(cfg)
	require.NoError(t, err)
	require.Equal(t, "alice@example.com", who.Operators[0].OpenIDUser)
	require.Equal(t, "Example ID", who.OpenID.Name)
	require.True(t, who.OpenID.Secure)
	require.Equal(t, map[string][]string{"payments": {"approver"}}, who.OpenID.Groups)
	require.Zero(t, provider.Asked("/.well-known/openid-configuration"))

	to, err := who.OpenID.Provider.AuthURL(t.Context(), identity.Handshake{State: "s", Nonce: "n", Verifier: "v"})
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	require.Equal(t, "https://rewards.example.com/console/login/oidc/return", u.Query().Get("redirect_uri"))
	require.Equal(t, "openid email profile", u.Query().Get("scope"))
	require.Equal(t, "rf", u.Query().Get("client_id"))

	cfg.Auth.OIDC = config.Default().Auth.OIDC
	who, err = identities(cfg)
	require.NoError(t, err)
	require.Nil(t, who.OpenID.Provider)
}
