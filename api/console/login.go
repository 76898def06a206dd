package console

import (
	"errors"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
)

// loginPage asks for a token, or offers to use a login link.
type loginPage struct {
	// Code is that of a login link; empty without one.
	Code string
	Next string
	// Failed says why the last try did not do.
	Failed string
	// Local says that this machine is served without signing in.
	Local bool
	// Open says that no operators are configured.
	Open bool
}

func (c *Console) login(w http.ResponseWriter, r *http.Request, v visit) error {
	c.pages.render(w, http.StatusOK, "login", c.view(v, "Sign in", loginPage{
		Code: r.URL.Query().Get("code"), Next: ownPath(r.URL.Query().Get("next")),
		Local: v.who.Method == identity.ByMachine, Open: c.identity.Open(),
	}))
	return nil
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
	refusal, refused := errors.AsType[*identity.Refusal](err)
	switch {
	case err == nil:
		return back(w, r, next)
	case !refused:
		return err
	}
	status := http.StatusUnauthorized
	if refusal.Code == identity.CodeTooMany {
		status = http.StatusTooManyRequests
	}
	retryAfter(w, refusal)
	c.pages.render(w, status, "login", c.view(v, "Sign in", loginPage{
		Next: next, Failed: sentence(refusal.Message), Local: v.who.Method == identity.ByMachine, Open: c.identity.Open(),
	}))
	return nil
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
