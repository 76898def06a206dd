package console

import (
	"errors"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// loginPage asks for a token, offers to sign in elsewhere, or to use a login
// link.
type loginPage struct {
	// Code is that of a login link; empty without one.
	Code string
	Next string
	// Failed says why the last try did not do.
	Failed string
	// Local says that this machine is served without signing in.
	Local bool
	// Open says that nobody is configured.
	Open bool
	// Tokens says that somebody may sign in with a token.
	Tokens bool
	// Provider is what the provider of OpenID Connect is called; empty without one.
	Provider string
	// ProviderDown says why nobody can sign in there just now.
	ProviderDown string
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, v visit) error {
	page := c.loginPage(r, v, r.URL.Query().Get("next"))
	page.Code = r.URL.Query().Get("code")
	c.pages.render(w, http.StatusOK, "login", c.view(v, "Sign in", page))
	return nil
}

func (c *Console) loginPage(r *http.Request, v visit, next string) loginPage {
	page := loginPage{
		Next: ownPath(next), Local: v.who.Method == identity.ByMachine, Open: c.identity.Open(),
		Tokens: c.identity.TakesTokens(), Provider: c.identity.OpenIDName(),
	}
	if page.Provider != "" {
		if err := c.identity.OpenIDReady(r.Context()); err != nil {
			page.ProviderDown = sentence(fault.Message(err))
		}
	}
	return page
}

// signIn starts a session by a token, or by the code of a login link.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request, v visit) error {
	code, next := r.PostFormValue("code"), ownPath(r.PostFormValue("next"))
	var err error
	if code != "" {
		_, err = c.identity.SignInWithCode(w, r, code)
	} else {
		_, err = c.identity.SignIn(w, r, r.PostFormValue("token"))
	}
	if err != nil {
		return c.notSignedIn(w, r, v, next, err)
	}
	return back(w, r, next)
}

// notSignedIn shows the login page with why the last try did not do.
func (c *Console) notSignedIn(w http.ResponseWriter, r *http.Request, v visit, next string, err error) error {
	refusal, refused := errors.AsType[*identity.Refusal](err)
	if !refused {
		return err
	}
	status := http.StatusUnauthorized
	switch refusal.Code {
	case identity.CodeTooMany:
		status = http.StatusTooManyRequests
	case identity.CodeNotBegun:
		status = http.StatusBadRequest
	case identity.CodeNoRole:
		status = http.StatusForbidden
	case identity.CodeProviderDown:
		status = http.StatusServiceUnavailable
	}
	retryAfter(w, refusal)
	page := c.loginPage(r, v, next)
	page.Failed = sentence(refusal.Message)
	c.pages.render(w, status, "login", c.view(v, "Sign in", page))
	return nil
}

// beginOpenID sends a person to the provider of OpenID Connect. It is a link
// and no form, because pages forbid forms that lead elsewhere; it keeps nothing
// but a cookie.
func (c *Console) beginOpenID(w http.ResponseWriter, r *http.Request, v visit) error {
	if c.identity.OpenIDName() == "" {
		return noSuchPage()
	}
	next := ownPath(r.URL.Query().Get("next"))
	to, err := c.identity.BeginOpenID(w, r, next)
	if err != nil {
		return c.notSignedIn(w, r, v, next, err)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// finishOpenID signs in a person whom the provider sends back.
func (c *Console) finishOpenID(w http.ResponseWriter, r *http.Request, v visit) error {
	if c.identity.OpenIDName() == "" {
		return noSuchPage()
	}
	next, err := c.identity.FinishOpenID(w, r)
	if err != nil {
		return c.notSignedIn(w, r, v, next, err)
	}
	return back(w, r, next)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, v visit) error {
	if err := c.identity.SignOut(w, r, v.who); err != nil {
		return err
	}
	return back(w, r, Root+"login")
}

// sessionsPage lists who is signed in.
type sessionsPage struct {
	Sessions []ledger.Session
	// Own is the session of whoever looks.
	Own string
}

func (c *Console) sessions(w http.ResponseWriter, r *http.Request, v visit) error {
	live, err := c.identity.Live(r.Context())
	if err != nil {
		return err
	}
	c.pages.render(w, http.StatusOK, "sessions", c.view(v, "Sessions", sessionsPage{Sessions: live, Own: v.who.SessionID}))
	return nil
}

func (c *Console) endSession(w http.ResponseWriter, r *http.Request, v visit) error {
	err := c.identity.End(r.Context(), r.PathValue("id"), v.who.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return back(w, r, Root+"sessions")
}
