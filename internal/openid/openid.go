// Package openid asks a provider of OpenID Connect who somebody is, by the
// authorization code flow with PKCE
// (https://openid.net/specs/openid-connect-core-1_0.html,
// https://www.rfc-editor.org/rfc/rfc7636).
//
// The provider is discovered when it is first needed, and again from time to
// time: a process starts while its provider is down. Every call is bounded in
// time and size, follows no redirect, and goes over TLS unless the issuer is on
// this machine. No error holds a code, a token, a secret or a person's data.
package openid

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

const (
	// defaultTimeout bounds one call to the provider: a person waits for it.
	defaultTimeout = 5 * time.Second
	// callsOfASignIn is how many of them a sign-in may last: discovery, tokens,
	// keys and userinfo, of which rarely all are needed, and none is slow.
	callsOfASignIn = 3
	// maxAnswer is how many bytes of an answer are read.
	maxAnswer = 1 << 20
)

// Config names the provider, and this installation as it knows it. Every field
// but ClientSecret, Timeout and Now is required.
type Config struct {
	// Issuer is the provider exactly as its discovery document names it.
	Issuer   string
	ClientID string
	// ClientSecret is empty for a public client.
	ClientSecret string
	// RedirectURL is where the provider sends people back to.
	RedirectURL string
	// Scopes are what is asked for, "openid" among them.
	Scopes []string
	// NameClaim holds a person's name, a text, and GroupsClaim the groups: a list
	// of texts, or one text for one group.
	NameClaim, GroupsClaim string
	// Timeout bounds one call to the provider, and three times as much a whole
	// sign-in; zero means 5 seconds.
	Timeout time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Client speaks to one provider.
type Client struct {
	cfg  Config
	http *http.Client

	// The outcome of the last discovery: known since a time, or a failure.
	mu       sync.Mutex
	known    *provider
	knownAt  time.Time
	failure  error
	failedAt time.Time
}

var _ identity.OpenIDProvider = (*Client)(nil)

// New returns a client, and asks nobody yet.
func New(cfg Config) (*Client, error) {
	if cfg.Issuer == "" || cfg.ClientID == "" || cfg.RedirectURL == "" || cfg.NameClaim == "" || cfg.GroupsClaim == "" ||
		!slices.Contains(cfg.Scopes, oidc.ScopeOpenID) {
		return nil, errors.New("setting up OpenID Connect: issuer, client, redirect URL, claims or the scope openid are missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	client := egress.NewClient(egress.Options{Timeout: cfg.Timeout})
	client.Transport = bounded{client.Transport}
	return &Client{cfg: cfg, http: client}, nil
}

// bounded cuts answers off.
type bounded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// calling hands the client to the libraries, which take it from a context.
func (c *Client) calling(ctx context.Context) context.Context { return oidc.ClientContext(ctx, c.http) }

// Ready implements identity.OpenIDProvider.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.provider(ctx)
	return err
}

// AuthURL implements identity.OpenIDProvider.
func (c *Client) AuthURL(ctx context.Context, h identity.Handshake) (string, error) {
	p, err := c.provider(ctx)
	if err != nil {
		return "", err
	}
	return c.oauth(p, oauth2.AuthStyleInParams).AuthCodeURL(h.State, oidc.Nonce(h.Nonce), oauth2.S256ChallengeOption(h.Verifier)), nil
}

// Redeem implements identity.OpenIDProvider.
func (c *Client) Redeem(ctx context.Context, code string, h identity.Handshake) (identity.Person, error) {
	ctx, cancel := context.WithTimeout(c.calling(ctx), callsOfASignIn*c.cfg.Timeout)
	defer cancel()
	p, err := c.provider(ctx)
	if err != nil {
		return identity.Person{}, err
	}
	who, err := c.redeem(ctx, p, code, h)
	if fault.Is(err, fault.Unavailable) {
		c.forget() // The login page is to say so, and the provider may have moved.
	}
	return who, err
}

func (c *Client) redeem(ctx context.Context, p *provider, code string, h identity.Handshake) (identity.Person, error) {
	token, err := c.exchange(ctx, p, code, h.Verifier)
	if err != nil {
		return identity.Person{}, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity.Person{}, fault.New(fault.Invalid, opRedeem,
			"the identity provider sends no ID token: is this client registered there for OpenID Connect?")
	}
	claims, err := c.verified(ctx, p, raw, h.Nonce)
	if err != nil {
		return identity.Person{}, err
	}
	if err := c.complete(ctx, p, token, claims); err != nil {
		return identity.Person{}, err
	}
	return c.person(claims)
}

// opRedeem is the operation of everything that follows a person's return.
const opRedeem = "openid.redeem"

// oauth is this installation as OAuth sees it.
func (c *Client) oauth(p *provider, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret, RedirectURL: c.cfg.RedirectURL, Scopes: c.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.said.AuthorizationEndpoint, TokenURL: p.said.TokenEndpoint, AuthStyle: style},
	}
}

// exchange turns the code into tokens. A provider may want the client's secret
// in another place than it says: where it does not know the client by it, the
// code is not used up, and the other place is tried.
func (c *Client) exchange(ctx context.Context, p *provider, code, verifier string) (*oauth2.Token, error) {
	var token *oauth2.Token
	var err error
	for _, style := range p.styles(c.cfg.ClientSecret != "") {
		token, err = c.oauth(p, style).Exchange(ctx, code, oauth2.VerifierOption(verifier))
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || !unknownClient(refused) {
			break
		}
	}
	if err != nil {
		return nil, exchangeFault(err)
	}
	return token, nil
}

func unknownClient(e *oauth2.RetrieveError) bool {
	return e.ErrorCode == "invalid_client" || e.Response.StatusCode == http.StatusUnauthorized
}

// exchangeFault says why there are no tokens. What the provider writes is not
// repeated.
func exchangeFault(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if broken := unreachable(opRedeem, err); broken != nil {
			return broken
		}
		return fault.Wrap(fault.Invalid, opRedeem, "the identity provider answered the exchange of the code with something that is no answer to it", err)
	}
	switch status := refused.Response.StatusCode; {
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return fault.Wrap(fault.Unavailable, opRedeem, "the identity provider does not exchange codes for now", err)
	case unknownClient(refused) || refused.ErrorCode == "unauthorized_client":
		return fault.Wrap(fault.Denied, opRedeem,
			"the identity provider does not accept this installation: auth.oidc.client_id or auth.oidc.client_secret is wrong or has expired", err)
	case refused.ErrorCode == "invalid_grant":
		return fault.Wrap(fault.Denied, opRedeem, "the identity provider does not accept the code: it was used already, has expired, or is for another installation", err)
	}
	return fault.Wrap(fault.Denied, opRedeem, "the identity provider refused to exchange the code", err)
}
