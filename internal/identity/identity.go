// Package identity says who sent a request, and what that person or program
// may do. There is one Principal, whichever way it was proven: by a bearer
// token, by the session of somebody who signed in (with a token, or at a
// provider of OpenID Connect), by the headers of a trusted proxy; or, while none of these is set up, by coming from this machine, which
// proves nothing and is marked so.
package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Method is how a principal was proven.
type Method string

// The methods.
const (
	// ByToken: an operator's token came with the request.
	ByToken Method = "token"
	// BySession: the request carries the cookie of a session.
	BySession Method = "session"
	// ByProxy: a trusted proxy names the person.
	ByProxy Method = "proxy"
	// ByMachine: the request came from this machine, and nothing is proven.
	ByMachine Method = "machine"
)

// Principal is who sent a request. The zero value is nobody.
type Principal struct {
	// Name stands in decisions and in the log.
	Name string
	// Verified says that the name is proven.
	Verified bool
	Roles    []string
	Method   Method
	// SessionID names the session; empty without one.
	SessionID string
}

// Caller is the principal as lists and counts know it.
func (p Principal) Caller() ledger.Caller {
	c := ledger.Caller{Person: p.Name}
	for _, role := range append([]string{""}, Roles()...) {
		if p.MayDecide(role) {
			c.Roles = append(c.Roles, role)
		}
	}
	return c
}

// MayDecide mirrors the ledger's rule about roles, so that nobody is shown what
// they would be refused. The ledger's word is the one that counts.
func (p Principal) MayDecide(asked string) bool {
	if asked != "" {
		return slices.Contains(p.Roles, asked)
	}
	return slices.Contains(p.Roles, RoleApprover) || slices.Contains(p.Roles, RoleFinance)
}

// Operator is a person or a program that holds a token.
type Operator struct {
	// Name stands in decisions and in the log.
	Name string
	// TokenSHA256 is the SHA-256 of the bearer token; the token itself is
	// nowhere stored.
	TokenSHA256 [32]byte
	// Roles are some of Roles.
	Roles []string
	// OpenIDUser is how the provider of OpenID Connect names the operator; empty
	// when it is not said.
	OpenIDUser string
}

// Refusal is the answer to a request whose sender is not known. Its message is
// for the caller.
type Refusal struct {
	// Code is for programs. It never changes.
	Code    string
	Message string
	// RetryAfter is how long to wait before another try; zero when it is of no use.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// The codes of a refusal.
const (
	CodeUnauthenticated = "unauthenticated"
	CodeNotConfigured   = "operators_not_configured"
	CodeTooMany         = "too_many_failed_logins"
	// CodeNotBegun is about a sign-in that did not begin in this browser, or not
	// lately.
	CodeNotBegun = "sign_in_not_begun"
	// CodeNoRole is about somebody who is known, and may do nothing.
	CodeNoRole = "no_role"
	// CodeProviderDown says that the provider of OpenID Connect does not answer.
	CodeProviderDown = "provider_unavailable"
)

// Sessions is the part of the ledger that keeps who is signed in.
type Sessions interface {
	// StartSession answers fault.Conflict where there is a session with the ID.
	StartSession(ctx context.Context, s ledger.Session) error
	SessionOf(ctx context.Context, tokenSHA256 string) (ledger.Session, error)
	SeeSession(ctx context.Context, id string, at time.Time) error
	EndSession(ctx context.Context, id, by string, at time.Time) error
	LiveSessions(ctx context.Context, now time.Time) ([]ledger.Session, error)
	KeepLoginCode(ctx context.Context, codeSHA256 string, expires time.Time) error
	UseLoginCode(ctx context.Context, codeSHA256 string, now time.Time) (bool, error)
}

// Config says who may come in.
type Config struct {
	Operators []Operator
	// Proxy is the reverse proxy that names people; the zero value trusts none.
	Proxy Proxy
	// OpenID signs people in; the zero value signs in nobody.
	OpenID OpenID
	// AccessTokens takes the provider's access tokens as bearer tokens, beside
	// those of operators; nil takes none. It needs OpenID.
	AccessTokens AccessTokens
	// SessionLifetime is how long a session lasts at most; zero means 12 hours.
	SessionLifetime time.Duration
	// Logger hears who signed in and out; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// defaultLifetime is a working day.
const defaultLifetime = 12 * time.Hour

// Authenticator tells who sent a request, and keeps sessions.
type Authenticator struct {
	cfg      Config
	sessions Sessions
	failures *limiter
	// refusals counts wrong bearer tokens.
	refusals *limiter
	// openID is the fingerprint of how people sign in by OpenID Connect.
	openID string
}

// New returns an Authenticator. sessions keeps who is signed in.
func New(cfg Config, sessions Sessions) *Authenticator {
	cfg.Operators = slices.Clone(cfg.Operators)
	if cfg.SessionLifetime <= 0 {
		cfg.SessionLifetime = defaultLifetime
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Authenticator{
		cfg: cfg, sessions: sessions, failures: newLimiter(cfg.Now, failuresAtOnce, failureEvery),
		refusals: newLimiter(cfg.Now, refusalsAtOnce, refusalEvery), openID: cfg.OpenID.fingerprint(cfg.Operators),
	}
}

// Open reports whether nothing is set up that proves who somebody is, so that
// this machine, and nobody else, is served without proof.
func (a *Authenticator) Open() bool {
	return !a.TakesTokens() && !a.cfg.Proxy.on() && !a.cfg.OpenID.on()
}

// TakesTokens reports whether somebody can sign in with a token.
func (a *Authenticator) TakesTokens() bool { return len(a.cfg.Operators) > 0 }

// Identify returns who sent a request. An error is a *Refusal, or says that the
// sessions could not be read.
func (a *Authenticator) Identify(r *http.Request) (Principal, error) {
	if token, ok := bearer(r.Header.Get("Authorization")); ok && (a.TakesTokens() || a.cfg.AccessTokens != nil) {
		return a.byToken(r, token)
	}
	if who, ok, err := a.signedIn(r); ok || err != nil {
		return who, err
	}
	if who, ok, err := a.cfg.Proxy.identify(r); ok || err != nil {
		return who, err
	}
	if a.Open() {
		return identifyLocal(r)
	}
	return Principal{}, unauthenticated("the request brings no token: send it as Authorization: Bearer TOKEN")
}

// byToken returns who holds a bearer token. Of a client that sent many wrong ones
// only those are looked at that nobody can guess: so a password that somebody took
// for a token cannot be tried out, and a program with an old token does not keep
// out everybody who comes through the same proxy.
func (a *Authenticator) byToken(r *http.Request, token string) (Principal, error) {
	client := a.cfg.Proxy.clientOf(r)
	wait := a.refusals.wait(client)
	if wait == 0 || unguessable(token) {
		if operator, found := a.operatorWith(token); found {
			return Principal{Name: operator.Name, Verified: true, Roles: operator.Roles, Method: ByToken}, nil
		}
	}
	message := "the token is not that of an operator"
	if wait == 0 && a.cfg.AccessTokens != nil {
		person, err := a.cfg.AccessTokens.Person(r.Context(), token)
		if err == nil {
			return a.personWith(person)
		}
		if !fault.Is(err, fault.Denied) {
			return Principal{}, err
		}
		message = fault.Message(err)
	}
	a.refusals.failed(client)
	if wait > 0 {
		return Principal{}, &Refusal{Code: CodeTooMany, RetryAfter: wait, Message: "too many wrong tokens came from your address: wait a moment, then send the right one"}
	}
	return Principal{}, unauthenticated(message)
}

// personWith returns the principal of a person whom the provider vouches for.
func (a *Authenticator) personWith(person Person) (Principal, error) {
	name, err := a.personNamed(person.Name)
	if err != nil {
		return Principal{}, unauthenticated(err.Error())
	}
	return Principal{Name: name, Verified: true, Roles: rolesOfGroups(a.cfg.OpenID.Groups, person.Groups), Method: ByToken}, nil
}

// unguessable reports whether a token looks like one that NewToken made.
func unguessable(token string) bool {
	return strings.HasPrefix(token, TokenPrefix) && len(token) == len(TokenPrefix)+43
}

func unauthenticated(message string) *Refusal {
	return &Refusal{Code: CodeUnauthenticated, Message: message}
}

// operatorWith returns the operator that a token belongs to.
func (a *Authenticator) operatorWith(token string) (Operator, bool) {
	given := sha256.Sum256([]byte(token))
	found := -1
	// Every operator is compared, so that the time tells nothing of the list.
	for i := range a.cfg.Operators {
		same := subtle.ConstantTimeCompare(given[:], a.cfg.Operators[i].TokenSHA256[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return Operator{}, false
	}
	return a.cfg.Operators[found], true
}

// fingerprint tells one token from another without being of use to anybody.
func (o Operator) fingerprint() string {
	sum := sha256.Sum256(append([]byte("rewardflow/credential/1:"), o.TokenSHA256[:]...))
	return hex.EncodeToString(sum[:8])
}

func bearer(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
