package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
)

// A real browser goes to the provider and back under the policy of our pages,
// and its cookie comes along.
func TestSignInElsewhereInARealBrowser(t *testing.T) {
	t.Parallel()

	s := newSignInWorld(t)
	b := newBrowser(t, s.world)
	b.open(t, "/console/brake")
	b.shows(t, "Or with your operator's token")
	b.looks(t, "login-oidc", "")
	b.click(t, "a.button[href^='/console/login/oidc']")
	b.shows(t, "A paused brake lets no payout begin")
	require.Len(t, s.sessions(t), 1)
	b.click(t, ".menu summary")
	b.click(t, "form[action='/console/logout'] button")
	b.shows(t, "Sign in with Example ID")
	require.Empty(t, s.sessions(t))

	s.provider.Be(openidtest.Day{Person: dana(with("groups", []string{"staff"}))})
	b.click(t, "a.button[href^='/console/login/oidc']")
	b.shows(t, "none of your groups has a role. They are: staff")
	b.looks(t, "login-oidc-no-role", "")
	s.provider.Be(openidtest.Day{Deny: "access_denied"})
	b.click(t, "a.button[href^='/console/login/oidc']")
	b.shows(t, "Access was denied at Example ID")
	require.Empty(t, s.sessions(t))
}
