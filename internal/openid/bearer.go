package openid

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// AccessTokens reads the access tokens that the provider gives to another client
// than this installation, such as the Temporal UI.
type AccessTokens struct {
	client *Client
	// audience is that other client.
	audience string
}

var _ identity.AccessTokens = (*AccessTokens)(nil)

// AccessTokens returns a reader of the access tokens that are made for the client
// with the ID audience. A token for anybody else is refused: whoever runs another
// client at the same provider holds its people's tokens.
func (c *Client) AccessTokens(audience string) *AccessTokens {
	return &AccessTokens{client: c, audience: audience}
}

const opBearer = "openid.bearer"

// Person implements identity.AccessTokens. The token has to be a JWT
// (https://www.rfc-editor.org/rfc/rfc9068), because only then it says whom it was
// made for.
func (t *AccessTokens) Person(ctx context.Context, raw string) (identity.Person, error) {
	c := t.client
	ctx, cancel := context.WithTimeout(c.calling(ctx), callsOfASignIn*c.cfg.Timeout)
	defer cancel()
	p, err := c.provider(ctx)
	if err != nil {
		return identity.Person{}, err
	}
	keys := &overheard{keys: p.keys}
	token, err := oidc.NewVerifier(c.cfg.Issuer, keys, &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: p.algorithms(), Now: c.cfg.Now,
	}).Verify(ctx, raw)
	if err != nil {
		return identity.Person{}, t.refused(keys, raw, err)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return identity.Person{}, fault.Wrap(fault.Denied, opBearer, "the access token's claims cannot be read", err)
	}
	if !slices.Contains(token.Audience, t.audience) && claims["azp"] != t.audience && claims["client_id"] != t.audience {
		return identity.Person{}, fault.New(fault.Denied, opBearer,
			"the access token was made for another client than encryption.codec_server.ui_client_id")
	}
	if err := c.complete(ctx, p, &oauth2.Token{AccessToken: raw, TokenType: "Bearer"}, claims); err != nil {
		return identity.Person{}, err
	}
	return c.person(claims)
}

// refused says what is wrong with an access token.
func (t *AccessTokens) refused(keys *overheard, raw string, err error) error {
	switch {
	case strings.Count(raw, ".") != 2:
		return fault.New(fault.Denied, opBearer, "this is neither the token of an operator nor an access token that is a JWT: "+
			"have the identity provider issue JWTs to the Temporal UI's client, or use an operator's token")
	case errors.As(err, new(*oidc.TokenExpiredError)):
		return fault.Wrap(fault.Denied, opBearer, "the access token has expired: reload the Temporal UI, or sign in there again", err)
	case keys.err != nil:
		if broken := unreachable(opBearer, keys.err); broken != nil {
			return broken
		}
	}
	return fault.Wrap(fault.Denied, opBearer, "the access token is not one of the identity provider that auth.oidc.issuer names", err)
}
