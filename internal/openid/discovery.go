package openid

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
)

const (
	// rereadAfter is how long a discovery holds: for that long a key that the
	// provider has withdrawn may still be believed.
	rereadAfter = time.Hour
	// retryAfter is how long a failed discovery is the answer to everybody.
	retryAfter = 5 * time.Second
)

// provider is what discovery found.
type provider struct {
	found *oidc.Provider
	keys  *oidc.RemoteKeySet
	said  metadata
}

// metadata is what is read of the discovery document
// (https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata).
type metadata struct {
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserInfoEndpoint      string   `json:"userinfo_endpoint"`
	Keys                  string   `json:"jwks_uri"`
	Algorithms            []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth            []string `json:"token_endpoint_auth_methods_supported"`
}

// provider returns what is known of the provider, and discovers it where that
// is nothing, or old. One caller asks, the others wait for the answer.
func (c *Client) provider(ctx context.Context) (*provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	if c.known != nil && now.Sub(c.knownAt) < rereadAfter {
		return c.known, nil
	}
	if c.failure != nil && now.Sub(c.failedAt) < retryAfter {
		return nil, c.failure
	}
	// Others wait for it too: one who goes away must not fail it for all.
	p, err := c.discover(context.WithoutCancel(ctx))
	if err != nil {
		c.known, c.failure, c.failedAt = nil, err, c.cfg.Now()
		return nil, err
	}
	c.known, c.knownAt, c.failure = p, c.cfg.Now(), nil
	return p, nil
}

// forget has the provider discovered anew.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

func (c *Client) discover(ctx context.Context) (*provider, error) {
	const op = "openid.discover"
	found, err := oidc.NewProvider(c.calling(ctx), c.cfg.Issuer)
	if _, other := errors.AsType[*oidc.IssuerMismatchError](err); other {
		return nil, fault.Wrap(fault.Invalid, op,
			"the identity provider names itself otherwise: write auth.oidc.issuer exactly as its discovery document does, with or without a slash at the end", err)
	}
	if err != nil {
		if broken := unreachable(op, err); broken != nil {
			return nil, broken
		}
		return nil, fault.Wrap(fault.Unavailable, op,
			"the identity provider has no discovery document for now, or auth.oidc.issuer is not its address", err)
	}
	p := &provider{found: found}
	if err := found.Claims(&p.said); err != nil {
		return nil, fault.Wrap(fault.Invalid, op, "the identity provider's discovery document cannot be read", err)
	}
	for _, endpoint := range []string{p.said.AuthorizationEndpoint, p.said.TokenEndpoint, p.said.Keys} {
		if !c.trustworthy(endpoint) {
			return nil, fault.New(fault.Invalid, op, "the identity provider's discovery document names an address that is missing or not https")
		}
	}
	p.keys = oidc.NewRemoteKeySet(c.calling(context.Background()), p.said.Keys)
	return p, nil
}

// trustworthy reports whether a secret may be sent to an address of the
// provider: over TLS, or to this machine where the issuer is there as well.
func (c *Client) trustworthy(endpoint string) bool {
	to, err := url.Parse(endpoint)
	issuer, errIssuer := url.Parse(c.cfg.Issuer)
	if err != nil || errIssuer != nil || to.Host == "" || to.User != nil {
		return false
	}
	return to.Scheme == "https" || to.Scheme == issuer.Scheme && to.Hostname() == issuer.Hostname()
}

// styles are the places in which the client's secret may be sent, the likeliest
// first. A client without a secret only names itself.
func (p *provider) styles(secret bool) []oauth2.AuthStyle {
	switch {
	case !secret:
		return []oauth2.AuthStyle{oauth2.AuthStyleInParams}
	case len(p.said.ClientAuth) > 0 && !slices.Contains(p.said.ClientAuth, "client_secret_basic"):
		return []oauth2.AuthStyle{oauth2.AuthStyleInParams, oauth2.AuthStyleInHeader}
	}
	return []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams}
}

// algorithms are those by which an ID token may be signed: what the provider
// names, without those that need no key of the provider's.
func (p *provider) algorithms() []string {
	asymmetric := []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}
	named := slices.DeleteFunc(slices.Clone(p.said.Algorithms), func(name string) bool { return !slices.Contains(asymmetric, name) })
	if len(named) == 0 {
		return []string{oidc.RS256} // Every provider must know it.
	}
	return named
}

// unreachable returns a fault for a call that brought no answer, and nil for
// other errors.
func unreachable(op string, err error) error {
	_, sent := errors.AsType[*url.Error](err)
	if !sent && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return nil
	}
	return fault.Wrap(fault.Unavailable, op, "the identity provider cannot be reached: "+egress.Reason(err), err)
}
