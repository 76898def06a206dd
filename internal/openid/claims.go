package openid

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// The claims of an address, and whether the provider has verified it.
const (
	claimEmail         = "email"
	claimEmailVerified = "email_verified"
)

// overheard is a key set that remembers what it said: of that the verifier
// passes on words only.
type overheard struct {
	keys  oidc.KeySet
	asked bool
	err   error
}

// VerifySignature implements oidc.KeySet.
func (o *overheard) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := o.keys.VerifySignature(ctx, token)
	o.asked, o.err = true, err
	return payload, err
}

// verified returns the claims of an ID token: signed by a key of the provider,
// by an algorithm that it names, for this client, not expired, and the answer
// to this very sign-in.
func (c *Client) verified(ctx context.Context, p *provider, raw, nonce string) (map[string]any, error) {
	keys := &overheard{keys: p.keys}
	token, err := oidc.NewVerifier(c.cfg.Issuer, keys, &oidc.Config{
		ClientID: c.cfg.ClientID, SupportedSigningAlgs: p.algorithms(), Now: c.cfg.Now,
	}).Verify(ctx, raw)
	if err != nil {
		return nil, tokenFault(keys, err)
	}
	if token.Nonce != nonce {
		return nil, fault.New(fault.Invalid, opRedeem, "the ID token answers another sign-in (its nonce differs)")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return nil, fault.Wrap(fault.Invalid, opRedeem, "the ID token's claims cannot be read", err)
	}
	if party, named := claims["azp"]; named && party != c.cfg.ClientID {
		return nil, fault.New(fault.Invalid, opRedeem, "the ID token was made for another client (azp)")
	}
	return claims, nil
}

// tokenFault says what is wrong with an ID token.
func tokenFault(keys *overheard, err error) error {
	if _, late := errors.AsType[*oidc.TokenExpiredError](err); late {
		return fault.Wrap(fault.Invalid, opRedeem, "the ID token has expired: compare the clocks of this machine and of the identity provider", err)
	}
	switch {
	case !keys.asked:
		return fault.Wrap(fault.Invalid, opRedeem, "the ID token is not signed in a way that the identity provider announces", err)
	case keys.err == nil:
		return fault.Wrap(fault.Invalid, opRedeem, "the ID token is for another installation or of another issuer: compare auth.oidc.client_id and auth.oidc.issuer", err)
	}
	if broken := unreachable(opRedeem, keys.err); broken != nil {
		return broken
	}
	if errors.Unwrap(keys.err) != nil { // The library wraps what went wrong on the way to the keys, and nothing else.
		return fault.Wrap(fault.Unavailable, opRedeem, "the identity provider does not show its keys for now", err)
	}
	return fault.Wrap(fault.Invalid, opRedeem, "the ID token is not signed by a key of the identity provider", err)
}

// complete asks the provider for claims that the ID token does not hold: by the
// standard they are to be had there
// (https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims).
func (c *Client) complete(ctx context.Context, p *provider, token *oauth2.Token, claims map[string]any) error {
	needed := []string{c.cfg.NameClaim, c.cfg.GroupsClaim}
	if c.usesEmail() {
		needed = append(needed, claimEmailVerified)
	}
	missing := slices.ContainsFunc(needed, func(name string) bool { _, has := claims[name]; return !has })
	if !missing || p.said.UserInfoEndpoint == "" || !c.trustworthy(p.said.UserInfoEndpoint) {
		return nil
	}
	info, err := p.found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		if broken := unreachable(opRedeem, err); broken != nil {
			return broken
		}
		return fault.Wrap(fault.Unavailable, opRedeem, "the identity provider does not answer the question for the claims that its ID token leaves out", err)
	}
	if info.Subject == "" || info.Subject != claims["sub"] {
		return fault.New(fault.Invalid, opRedeem, "the identity provider answers about another person than the one who signed in")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fault.Wrap(fault.Invalid, opRedeem, "the identity provider's answer about the person cannot be read", err)
	}
	maps.DeleteFunc(more, func(name string, _ any) bool { _, has := claims[name]; return has })
	maps.Copy(claims, more)
	return nil
}

// usesEmail reports whether something hangs on a person's address.
func (c *Client) usesEmail() bool {
	return c.cfg.NameClaim == claimEmail || c.cfg.GroupsClaim == claimEmail
}

// person reads who it is.
func (c *Client) person(claims map[string]any) (identity.Person, error) {
	if c.usesEmail() {
		if verified := claims[claimEmailVerified]; verified != true && verified != "true" { // Some send a text.
			return identity.Person{}, fault.New(fault.Denied, opRedeem,
				"the identity provider does not say that your e-mail address is verified (email_verified): "+
					"verify it there, or have auth.oidc.name_claim name another claim")
		}
	}
	name, isText := claims[c.cfg.NameClaim].(string)
	if name = strings.TrimSpace(name); !isText || name == "" {
		return identity.Person{}, fault.New(fault.Invalid, opRedeem, fmt.Sprintf(
			"the identity provider sends no claim %q, which is to name you: have it sent, perhaps by another scope in auth.oidc.scopes, "+
				"or have auth.oidc.name_claim name another claim", c.cfg.NameClaim))
	}
	groups, err := groupsOf(claims[c.cfg.GroupsClaim])
	if err != nil {
		return identity.Person{}, err
	}
	return identity.Person{Name: name, Groups: groups}, nil
}

// groupsOf reads a list of texts, or one text as one group.
func groupsOf(claim any) ([]string, error) {
	switch claim := claim.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{claim}, nil
	case []any:
		var groups []string
		for _, entry := range claim {
			group, isText := entry.(string)
			if !isText {
				return nil, notGroups()
			}
			groups = append(groups, group)
		}
		return groups, nil
	}
	return nil, notGroups()
}

func notGroups() error {
	return fault.New(fault.Invalid, opRedeem,
		"the identity provider sends groups that are neither a text nor a list of texts: have auth.oidc.groups_claim name a claim that is")
}
