package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// OpenID is how people sign in by OpenID Connect. The zero value signs in
// nobody.
type OpenID struct {
	// Provider knows the people; nil signs in nobody.
	Provider OpenIDProvider
	// Name is what the provider is called on pages.
	Name string
	// Source tells this provider, client and their claims from others. Sessions
	// end when it changes, as they do when the groups or the operators change.
	Source string
	// Secure says that people open the console over TLS.
	Secure bool
	// Groups gives each group its roles. A person in none of them cannot sign in.
	Groups map[string][]string
}

// AccessTokens reads access tokens that a provider of OpenID Connect gave to
// another program, which passes them on. Its errors are faults whose messages may
// be shown.
type AccessTokens interface {
	// Person says whose token it is: fault.Unavailable where another try may help.
	Person(ctx context.Context, token string) (Person, error)
}

func (o OpenID) on() bool { return o.Provider != nil }

// OpenIDProvider is the side that signs people in. Its errors are faults whose
// messages may be shown: fault.Unavailable where another try may help.
type OpenIDProvider interface {
	// Ready returns nil where people can be sent to the provider.
	Ready(ctx context.Context) error
	// AuthURL is where a person's browser is sent.
	AuthURL(ctx context.Context, h Handshake) (string, error)
	// Redeem turns the code that the browser brought back into who the person
	// is. The answer is checked against the handshake.
	Redeem(ctx context.Context, code string, h Handshake) (Person, error)
}

// Handshake is what binds a sign-in to the browser in which it began.
type Handshake struct {
	// State comes back with the browser.
	State string
	// Nonce comes back in the ID token.
	Nonce string
	// Verifier proves that whoever redeems the code began the sign-in (PKCE).
	Verifier string
}

// Person is somebody whom the provider has signed in.
type Person struct {
	Name   string
	Groups []string
}

const (
	// loginWithin is how long a person may take at the provider.
	loginWithin = 10 * time.Minute
	// maxOpenIDLifetime is how long somebody who was taken out of a group keeps
	// its roles at most: a working day.
	maxOpenIDLifetime = 12 * time.Hour
	// maxNext is how long an address may be to be kept over a sign-in: a cookie
	// holds 4096 bytes.
	maxNext = 1024
	// Names of the cookie of a sign-in that is under way.
	secureLoginCookie = "__Host-rewardflow-login"
	plainLoginCookie  = "rewardflow-login"
)

// OpenIDName is what the provider of OpenID Connect is called; empty without one.
func (a *Authenticator) OpenIDName() string {
	if !a.cfg.OpenID.on() {
		return ""
	}
	return a.cfg.OpenID.Name
}

// OpenIDReady says why nobody can sign in by OpenID Connect just now; nil when
// it should work.
func (a *Authenticator) OpenIDReady(ctx context.Context) error {
	return a.cfg.OpenID.Provider.Ready(ctx)
}

// login is a sign-in that is under way. It is kept in the browser that began
// it, and nowhere else: everything that the provider is told is made from its
// secret, so that a cookie that was changed belongs to no sign-in.
type login struct {
	secret string
	begun  time.Time
	next   string
}

func (l login) String() string {
	return l.secret + "." + strconv.FormatInt(l.begun.Unix(), 10) + "." + base64.RawURLEncoding.EncodeToString([]byte(l.next))
}

func (l login) handshake() Handshake {
	_, rest, _ := strings.Cut(l.String(), ".")
	return Handshake{State: l.derive("state." + rest), Nonce: l.derive("nonce"), Verifier: l.derive("verifier")}
}

func (l login) derive(what string) string {
	mac := hmac.New(sha256.New, []byte(l.secret))
	mac.Write([]byte("rewardflow/login/1." + what))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func parseLogin(text string) (login, bool) {
	secret, rest, _ := strings.Cut(text, ".")
	seconds, encoded, _ := strings.Cut(rest, ".")
	begun, errBegun := strconv.ParseInt(seconds, 10, 64)
	next, errNext := base64.RawURLEncoding.DecodeString(encoded)
	return login{secret: secret, begun: time.Unix(begun, 0), next: string(next)}, secret != "" && errBegun == nil && errNext == nil
}

func (a *Authenticator) loginCookie(value string, age int) *http.Cookie {
	c := &http.Cookie{Name: plainLoginCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if a.cfg.OpenID.Secure {
		c.Name, c.Secure = secureLoginCookie, true
	}
	return c
}

// BeginOpenID returns where to send somebody who wants to sign in, and binds
// that to the browser by a cookie. It keeps nothing. next is where the person
// wants to go; FinishOpenID returns it.
func (a *Authenticator) BeginOpenID(w http.ResponseWriter, r *http.Request, next string) (string, error) {
	if len(next) > maxNext {
		next = ""
	}
	l := login{secret: newSecret(), begun: a.cfg.Now(), next: next}
	to, err := a.cfg.OpenID.Provider.AuthURL(r.Context(), l.handshake())
	if err != nil {
		return "", a.notNow(r, err)
	}
	http.SetCookie(w, a.loginCookie(l.String(), int(loginWithin/time.Second)))
	return to, nil
}

// FinishOpenID starts a session for somebody who comes back from the provider,
// and returns where that person wanted to go, also with an error. Who may not
// come in is a *Refusal, and no session is started.
func (a *Authenticator) FinishOpenID(w http.ResponseWriter, r *http.Request) (next string, err error) {
	query := r.URL.Query()
	l, err := a.loginOf(r, query.Get("state"))
	if err != nil {
		return "", err
	}
	http.SetCookie(w, a.loginCookie("", -1))
	if age := a.cfg.Now().Sub(l.begun); age >= loginWithin || age < -loginWithin {
		return l.next, &Refusal{Code: CodeNotBegun, Message: "this sign-in took longer than 10 minutes: begin again"}
	}
	if err := a.admitTry(r); err != nil {
		return l.next, err
	}
	if code := query.Get("error"); code != "" || query.Get("code") == "" {
		return l.next, a.turnedAway(r, code)
	}
	person, err := a.cfg.OpenID.Provider.Redeem(r.Context(), query.Get("code"), l.handshake())
	if err != nil {
		return l.next, a.notRedeemed(r, err)
	}
	return l.next, a.admit(w, r, l, person)
}

// loginOf returns the sign-in that a state belongs to. Who brings a wrong one
// does not use up that of the browser: any page can send somebody here.
func (a *Authenticator) loginOf(r *http.Request, state string) (login, error) {
	if cookie, err := r.Cookie(a.loginCookie("", 0).Name); err == nil {
		l, ok := parseLogin(cookie.Value)
		if ok && subtle.ConstantTimeCompare([]byte(l.handshake().State), []byte(state)) == 1 {
			return l, nil
		}
	}
	return login{}, &Refusal{Code: CodeNotBegun, Message: "this sign-in did not begin in this browser, was used already, or took longer than 10 minutes: begin again"}
}

// admit starts the session of a person whom the provider knows.
func (a *Authenticator) admit(w http.ResponseWriter, r *http.Request, l login, person Person) error {
	name, err := a.personNamed(person.Name)
	if err != nil {
		return a.refuseLogin(r, "name", err.Error())
	}
	roles := rolesOfGroups(a.cfg.OpenID.Groups, person.Groups)
	if len(roles) == 0 {
		a.logRefused(r, "no_role")
		return &Refusal{Code: CodeNoRole, Message: noRole(a.cfg.OpenID.Name, name, person.Groups)}
	}
	_, err = a.start(w, r, ledger.Session{
		// An ID that is made from the state: a state starts one session, whatever
		// provider and browser do.
		ID:     uuid.NewHash(sha256.New(), uuid.Nil, []byte("rewardflow/session/1:"+l.handshake().State), 8).String(),
		Person: name, Method: signedInByOpenID, Credential: a.openID, Roles: roles,
	})
	if fault.Is(err, fault.Conflict) {
		return a.refuseLogin(r, "used", "this sign-in was used already: begin again")
	}
	return err
}

// personNamed returns the name under which a person decides: that of the
// operator whom the provider names so, or else the provider's. A name is a
// person, whichever way it was proven, so nobody may come in under the name of
// an operator whom the provider names otherwise.
func (a *Authenticator) personNamed(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !plainName(name) {
		return "", errors.New("the name that the identity provider sends is longer than 200 bytes, or holds signs that cannot be shown")
	}
	for _, o := range a.cfg.Operators {
		if strings.EqualFold(o.OpenIDUser, name) {
			return o.Name, nil
		}
	}
	for _, o := range a.cfg.Operators {
		if o.OpenIDUser != "" && strings.EqualFold(o.Name, name) {
			return "", errors.New("the name that the identity provider sends is that of an operator who has another one there " +
				"(operators[].oidc_user): whoever keeps the list of operators must tell the two apart")
		}
	}
	return name, nil
}

// shownGroups is how many groups a page names.
const shownGroups = 20

// noRole tells somebody why there is nothing to do, with what to tell whoever
// can change that.
func noRole(provider, name string, groups []string) string {
	who := fmt.Sprintf("you are %s at %s, and may do nothing here: ", name, provider)
	const ask = "ask whoever keeps the configuration (auth.oidc.groups)"
	if len(groups) == 0 {
		return who + "it names no groups of yours, so that you have no role. The claim that auth.oidc.groups_claim names is missing or empty; " + ask
	}
	named := strings.Join(groups[:min(len(groups), shownGroups)], ", ")
	if len(groups) > shownGroups {
		named += fmt.Sprintf(" and %d more", len(groups)-shownGroups)
	}
	return who + "none of your groups has a role. They are: " + named + "; " + ask
}

// fingerprint tells one meaning of the provider's word from another.
func (o OpenID) fingerprint(operators []Operator) string {
	users := map[string]string{}
	for _, operator := range operators {
		users[operator.Name] = operator.OpenIDUser
	}
	// A map is written in the order of its keys, and texts can always be written.
	text, _ := json.Marshal([]any{"rewardflow/openid/1", o.Source, o.Groups, users}) //nolint:errchkjson // See above.
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// turnedAway is about somebody whom the provider sends back without a code. It
// repeats nothing of the address: anybody could have written that.
func (a *Authenticator) turnedAway(r *http.Request, code string) error {
	at := a.cfg.OpenID.Name
	switch code {
	case "access_denied":
		a.logRefused(r, code)
		return unauthenticated("access was denied at " + at + ": you stopped there, or may not use rewardflow. Try again, or ask whoever gives access there")
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		a.logRefused(r, code)
		return unauthenticated("something is to be done at " + at + " first, and you were not asked: sign in there, then begin again")
	case "temporarily_unavailable", "server_error":
		a.logRefused(r, code)
		return &Refusal{Code: CodeProviderDown, Message: "nobody can be signed in at " + at + " just now, for a reason there: wait a moment, then try again"}
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope":
		a.logRefused(r, code)
		return unauthenticated("this installation is not accepted at " + at + " as it asks (" + code +
			"): whoever runs rewardflow must compare auth.oidc with what is registered there")
	}
	return a.refuseLogin(r, "no_code", "no answer came back from "+at+": begin again")
}

// notNow is about a provider that nobody can be sent to.
func (a *Authenticator) notNow(r *http.Request, err error) error {
	a.cfg.Logger.WarnContext(r.Context(), "login.provider_not_usable", slog.String("error", err.Error()))
	return &Refusal{Code: CodeProviderDown, Message: fault.Message(err)}
}

// notRedeemed is about a code that brought nobody in.
func (a *Authenticator) notRedeemed(r *http.Request, err error) error {
	switch fault.KindOf(err) {
	case fault.Unavailable:
		return a.notNow(r, err)
	case fault.Invalid, fault.Denied:
		return a.refuseLogin(r, fault.Message(err), fault.Message(err))
	}
	return err
}

// refuseLogin counts a sign-in that failed against the client.
func (a *Authenticator) refuseLogin(r *http.Request, reason, message string) error {
	a.failures.failed(a.cfg.Proxy.clientOf(r))
	a.logRefused(r, reason)
	return unauthenticated(message)
}

// logRefused writes why somebody did not come in, and not who it was.
func (a *Authenticator) logRefused(r *http.Request, reason string) {
	a.cfg.Logger.WarnContext(r.Context(), "login.failed",
		slog.String("client", a.cfg.Proxy.clientOf(r)), slog.String("method", signedInByOpenID), slog.String("reason", reason))
}
