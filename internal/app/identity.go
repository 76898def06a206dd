package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rewardflow/rewardflow/api/console"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/openid"
)

// identities says who may come in.
func identities(cfg *config.Config) (identity.Config, error) {
	proxy := cfg.Auth.Proxy
	out := identity.Config{
		SessionLifetime: cfg.Auth.SessionLifetime,
		Proxy:           identity.Proxy{UserHeader: proxy.UserHeader, GroupsHeader: proxy.GroupsHeader},
	}
	var err error
	if out.OpenID, err = openID(cfg); err != nil {
		return out, err
	}
	for _, o := range cfg.Operators {
		sum, err := hex.DecodeString(o.TokenSHA256)
		if err != nil || len(sum) != sha256.Size {
			return out, fmt.Errorf("operator %s: token_sha256 is not a SHA-256 in hexadecimal digits", o.Name)
		}
		out.Operators = append(out.Operators, identity.Operator{Name: o.Name, TokenSHA256: [sha256.Size]byte(sum), Roles: o.Roles, OpenIDUser: o.OIDCUser})
	}
	for _, text := range proxy.Trusted {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return out, fmt.Errorf("auth.proxy.trusted: %w", err)
		}
		out.Proxy.Trusted = append(out.Proxy.Trusted, network.Masked())
	}
	out.Proxy.Groups = rolesByGroup(proxy.Groups)
	return out, nil
}

func rolesByGroup(groups []config.AuthGroup) map[string][]string {
	roles := make(map[string][]string, len(groups))
	for _, g := range groups {
		roles[g.Name] = g.Roles
	}
	return roles
}

// openID says how people sign in by OpenID Connect. The provider is not asked
// before somebody wants to.
func openID(cfg *config.Config) (identity.OpenID, error) {
	o := cfg.Auth.OIDC
	if !o.On() {
		return identity.OpenID{}, nil
	}
	client, err := openid.New(openid.Config{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(),
		RedirectURL: cfg.PublicURL + console.Root + console.OpenIDReturn,
		Scopes:      o.Scopes, NameClaim: o.NameClaim, GroupsClaim: o.GroupsClaim,
	})
	if err != nil {
		return identity.OpenID{}, err
	}
	return identity.OpenID{
		Provider: client, Name: o.Name, Source: strings.Join([]string{o.Issuer, o.ClientID, o.NameClaim, o.GroupsClaim}, "\n"),
		Secure: strings.HasPrefix(cfg.PublicURL, "https://"), Groups: rolesByGroup(o.Groups),
	}, nil
}

// LoginLink returns an address that signs in to the console once, within an
// hour, as admin. It returns the empty text when there is no need: operators, a
// proxy or a provider are configured, or somebody is signed in. An earlier link is void.
func (a *App) LoginLink(ctx context.Context) (string, error) {
	who, err := identities(a.opts.Config)
	if err != nil {
		return "", err
	}
	who.Logger = a.log
	code, err := identity.New(who, a.ledger).NewLoginCode(ctx)
	if err != nil || code == "" {
		return "", err
	}
	return a.ConsoleURL() + "login?code=" + url.QueryEscape(code), nil
}

// ConsoleURL is where people open the console on this machine, once Start has
// returned.
func (a *App) ConsoleURL() string {
	u, err := url.Parse(a.URL())
	if err != nil || a.listener == nil {
		return ""
	}
	if host, port, err := net.SplitHostPort(u.Host); err == nil {
		if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
			u.Host = net.JoinHostPort("localhost", port)
		}
	}
	return u.JoinPath("console").String() + "/"
}
