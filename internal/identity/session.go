package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// How somebody signed in.
const (
	signedInByToken  = "token"
	signedInByLink   = "link"
	signedInByOpenID = "oidc"
)

// The cookie's names. A browser takes a name with __Host- only over TLS, for
// this host alone, so that no sibling domain can plant one.
const (
	secureCookie = "__Host-rewardflow"
	plainCookie  = "rewardflow"
)

const (
	// seenEvery is how exactly it is known when a session was last used.
	seenEvery = time.Minute
	// codeLifetime is how long a login link works.
	codeLifetime = time.Hour
	// adminName is who comes in by a login link.
	adminName = "admin"
)

// Secure reports whether the caller speaks TLS to us, or to a proxy that says
// so. Whoever claims that falsely gets a cookie that is no use to them.
func Secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func cookieName(r *http.Request) string {
	if Secure(r) {
		return secureCookie
	}
	return plainCookie
}

// signedIn returns the person of the request's session; false when it has none
// that counts.
func (a *Authenticator) signedIn(r *http.Request) (Principal, bool, error) {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil || cookie.Value == "" {
		return Principal{}, false, nil //nolint:nilerr // There is no cookie.
	}
	ctx := r.Context()
	s, err := a.sessions.SessionOf(ctx, hashOf(cookie.Value))
	if fault.Is(err, fault.NotFound) {
		return Principal{}, false, nil
	}
	if err != nil {
		return Principal{}, false, err
	}
	now := a.cfg.Now()
	roles, counts := a.rolesOf(s)
	if !s.Live(now) || !counts {
		return Principal{}, false, nil
	}
	if now.Sub(s.SeenAt) >= seenEvery {
		if err := a.sessions.SeeSession(ctx, s.ID, now); err != nil {
			a.cfg.Logger.WarnContext(ctx, "session.not_seen", slog.String("session", s.ID), slog.String("error", err.Error()))
		}
	}
	return Principal{Name: s.Person, Verified: true, Roles: roles, Method: BySession, SessionID: s.ID}, true, nil
}

// rolesOf returns the roles of a session's person as they are now: an operator
// who was taken off the list, or has another token or other roles, is so in
// every session. The login link is for setting up, and ends with that. What
// groups somebody is in only the provider knows, and it is asked at login only:
// such a session ends when what the groups mean here changes.
func (a *Authenticator) rolesOf(s ledger.Session) ([]string, bool) {
	switch s.Method {
	case signedInByToken:
		for _, o := range a.cfg.Operators {
			if o.Name == s.Person && o.fingerprint() == s.Credential {
				return o.Roles, true
			}
		}
	case signedInByLink:
		return s.Roles, a.Open()
	case signedInByOpenID:
		return s.Roles, a.cfg.OpenID.on() && a.openID == s.Credential
	}
	return nil, false
}

// SignIn starts a session for the operator who holds the token, and sets its
// cookie. A wrong token, and too many of them, are a *Refusal.
func (a *Authenticator) SignIn(w http.ResponseWriter, r *http.Request, token string) (Principal, error) {
	if err := a.admitTry(r); err != nil {
		return Principal{}, err
	}
	operator, found := a.operatorWith(strings.TrimSpace(token))
	if !found || strings.TrimSpace(token) == "" {
		return Principal{}, a.refuseTry(r, "this is not the token of an operator")
	}
	return a.start(w, r, ledger.Session{
		Person: operator.Name, Method: signedInByToken, Credential: operator.fingerprint(), Roles: operator.Roles,
	})
}

// SignInWithCode starts a session by the code of a login link, which is used
// up by that.
func (a *Authenticator) SignInWithCode(w http.ResponseWriter, r *http.Request, code string) (Principal, error) {
	if err := a.admitTry(r); err != nil {
		return Principal{}, err
	}
	if !a.Open() || code == "" {
		return Principal{}, a.refuseTry(r, "login links work only while no operators are configured")
	}
	used, err := a.sessions.UseLoginCode(r.Context(), hashOf(code), a.cfg.Now())
	if err != nil {
		return Principal{}, err
	}
	if !used {
		return Principal{}, a.refuseTry(r, "this login link was used, has expired, or was replaced by a newer one: "+
			"the next start prints another, as long as nobody is signed in")
	}
	return a.start(w, r, ledger.Session{Person: adminName, Method: signedInByLink, Roles: Roles()})
}

func (a *Authenticator) admitTry(r *http.Request) error {
	if wait := a.failures.wait(a.cfg.Proxy.clientOf(r)); wait > 0 {
		return &Refusal{
			Code: CodeTooMany, RetryAfter: wait,
			Message: "too many logins failed: wait a moment, then try again",
		}
	}
	return nil
}

func (a *Authenticator) refuseTry(r *http.Request, message string) error {
	client := a.cfg.Proxy.clientOf(r)
	a.failures.failed(client)
	a.cfg.Logger.WarnContext(r.Context(), "login.failed", slog.String("client", client))
	return unauthenticated(message)
}

func (a *Authenticator) start(w http.ResponseWriter, r *http.Request, s ledger.Session) (Principal, error) {
	token := newSecret()
	now := a.cfg.Now()
	lifetime := a.cfg.SessionLifetime
	if s.Method == signedInByOpenID {
		lifetime = min(lifetime, maxOpenIDLifetime)
	}
	if s.ID == "" {
		s.ID = uuid.NewString()
	}
	s.TokenSHA256 = hashOf(token)
	s.CreatedAt, s.SeenAt, s.ExpiresAt = now, now, now.Add(lifetime)
	if err := a.sessions.StartSession(r.Context(), s); err != nil {
		return Principal{}, err
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: token, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: Secure(r),
	})
	a.cfg.Logger.InfoContext(r.Context(), "login.done",
		slog.String("principal", s.Person), slog.String("method", s.Method), slog.String("session", s.ID))
	return Principal{Name: s.Person, Verified: true, Roles: s.Roles, Method: BySession, SessionID: s.ID}, nil
}

// SignOut ends the principal's session and takes its cookie away.
func (a *Authenticator) SignOut(w http.ResponseWriter, r *http.Request, who Principal) error {
	if who.SessionID != "" {
		if err := a.End(r.Context(), who.SessionID, who.Name); err != nil {
			return err
		}
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: Secure(r),
	})
	return nil
}

// End ends a session at once, whoever's it is.
func (a *Authenticator) End(ctx context.Context, id, by string) error {
	if err := a.sessions.EndSession(ctx, id, by, a.cfg.Now()); err != nil {
		return err
	}
	a.cfg.Logger.InfoContext(ctx, "session.ended", slog.String("session", id), slog.String("by", by))
	return nil
}

// Live returns the sessions that count, newest first.
func (a *Authenticator) Live(ctx context.Context) ([]ledger.Session, error) {
	all, err := a.sessions.LiveSessions(ctx, a.cfg.Now())
	if err != nil {
		return nil, err
	}
	var live []ledger.Session
	for _, s := range all {
		if roles, counts := a.rolesOf(s); counts {
			s.Roles = roles
			live = append(live, s)
		}
	}
	return live, nil
}

// NewLoginCode returns a code that signs in once, within an hour, as admin. It
// returns the empty text when there is no need: somebody is configured, or
// signed in. Earlier codes are void.
func (a *Authenticator) NewLoginCode(ctx context.Context) (string, error) {
	if !a.Open() {
		return "", nil
	}
	live, err := a.Live(ctx)
	if err != nil || len(live) > 0 {
		return "", err
	}
	code := newSecret()
	if err := a.sessions.KeepLoginCode(ctx, hashOf(code), a.cfg.Now().Add(codeLifetime)); err != nil {
		return "", err
	}
	return code, nil
}

// TokenPrefix begins the tokens that rewardflow makes, so that scanners for
// lost secrets find them.
const TokenPrefix = "rf_"

// NewToken returns a token for an operator, and its SHA-256 in hexadecimal
// digits, which is what the configuration holds.
func NewToken() (token, sum string) {
	token = TokenPrefix + newSecret()
	return token, hashOf(token)
}

// newSecret returns 256 random bits as 43 letters, digits, - and _.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) //nolint:errcheck // It never fails.
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
