package identity_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// A password that somebody took for a token cannot be tried out; a token that
// NewToken made cannot be guessed, and comes in whatever its neighbours do.
func TestGuessedTokensAreNotLookedAt(t *testing.T) {
	t.Parallel()

	made, _ := identity.NewToken()
	weak := "summer2026"
	b := newBundle(t, identity.Config{Operators: []identity.Operator{
		{Name: "strong", TokenSHA256: sha256.Sum256([]byte(made)), Roles: []string{"viewer"}},
		{Name: "weak", TokenSHA256: sha256.Sum256([]byte(weak)), Roles: []string{"viewer"}},
	}})
	ask := func(token string, edits ...func(*http.Request)) error {
		_, err := b.auth.Identify(request(append(edits, header("Authorization", "Bearer "+token))...))
		return err
	}
	require.NoError(t, ask(weak))
	for range 30 {
		requireRefused(t, identity.CodeUnauthenticated, ask("guess"))
	}
	require.Equal(t, 2*time.Second, requireRefused(t, identity.CodeTooMany, ask("guess")).RetryAfter)
	requireRefused(t, identity.CodeTooMany, ask(weak))
	require.NoError(t, ask(made))
	require.NoError(t, ask(weak, from("203.0.113.10:4711")), "others are not slowed down")
	b.advance(time.Minute)
	require.NoError(t, ask(weak))
}

// accessTokens knows one token.
type accessTokens struct {
	token  string
	person identity.Person
	err    error
	asked  int
}

func (a *accessTokens) Person(_ context.Context, token string) (identity.Person, error) {
	a.asked++
	switch {
	case a.err != nil:
		return identity.Person{}, a.err
	case token != a.token:
		return identity.Person{}, fault.New(fault.Denied, "test", "nobody's token")
	}
	return a.person, nil
}

func TestAccessTokensComeBesideOperatorsTokens(t *testing.T) {
	t.Parallel()

	known := &accessTokens{token: "a.b.c", person: identity.Person{Name: "Erin@example.com", Groups: []string{"payments", "other"}}}
	alice := operator("alice", "approver")
	alice.OpenIDUser = "alice@example.com"
	b := newBundle(t, identity.Config{
		Operators: []identity.Operator{alice}, AccessTokens: known,
		OpenID: identity.OpenID{Groups: map[string][]string{"payments": {"viewer"}}},
	})
	ask := func(token string) (identity.Principal, error) {
		return b.auth.Identify(request(header("Authorization", "Bearer "+token)))
	}
	who, err := ask(token("alice"))
	require.NoError(t, err)
	require.Equal(t, "alice", who.Name)
	require.Zero(t, known.asked, "an operator's token is no matter of the provider's")

	who, err = ask("a.b.c")
	require.NoError(t, err)
	require.Equal(t, identity.Principal{Name: "Erin@example.com", Verified: true, Roles: []string{"viewer"}, Method: identity.ByToken}, who)
	known.person.Name = "ALICE@example.com"
	who, err = ask("a.b.c")
	require.NoError(t, err)
	require.Equal(t, "alice", who.Name, "one person has one name")
	known.person.Name = "alice"
	_, err = ask("a.b.c")
	requireRefused(t, identity.CodeUnauthenticated, err)

	_, err = ask("x.y.z")
	require.Equal(t, "nobody's token", requireRefused(t, identity.CodeUnauthenticated, err).Message)
	known.err = fault.New(fault.Unavailable, "test", "down")
	_, err = ask("a.b.c")
	require.True(t, fault.Is(err, fault.Unavailable), "a provider that is down is not a wrong token")
}
