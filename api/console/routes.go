package console

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
)

// route is one row of the table: what it is, and who may use it.
type route struct {
	method string
	// path stands below Root.
	path   string
	access identity.Access
	handle func(w http.ResponseWriter, r *http.Request, v visit) error
}

// OpenIDReturn is where a provider of OpenID Connect sends people back to, below
// Root.
const OpenIDReturn = "login/oidc/return"

// routes is all that the console serves. GET changes nothing, but that coming
// back from the provider signs in.
func (c *Console) routes() []route {
	return []route{
		{http.MethodGet, "{$}", identity.Reads, c.inbox},
		{http.MethodGet, "rewards/{id}", identity.Reads, c.show},
		{http.MethodPost, "rewards/{id}/decision", identity.Decides, c.decide},
		{http.MethodPost, "rewards/{id}/resolve", identity.Operates, c.resolve},
		{http.MethodPost, "approve", identity.Decides, c.confirmMany},
		{http.MethodPost, "approve/confirmed", identity.Decides, c.approveMany},
		{http.MethodGet, "brake", identity.Reads, c.brake},
		{http.MethodPost, "brake", identity.Operates, c.setBrake},
		{http.MethodGet, "sessions", identity.Administers, c.sessions},
		{http.MethodPost, "sessions/{id}/end", identity.Administers, c.endSession},
		{http.MethodPost, "logout", identity.Reads, c.logout},

		{http.MethodGet, "login", identity.Anyone, c.login},
		{http.MethodPost, "login", identity.Anyone, c.signIn},
		{http.MethodGet, "login/oidc", identity.Anyone, c.beginOpenID},
		{http.MethodGet, OpenIDReturn, identity.Anyone, c.finishOpenID},
		{http.MethodPost, "preferences", identity.Anyone, c.prefer},
		{http.MethodGet, "assets/{name}", identity.Anyone, c.asset},
	}
}

func (c *Console) mux() http.Handler {
	mux := http.NewServeMux()
	for _, r := range c.routes() {
		mux.HandleFunc(r.method+" "+Root+r.path, func(w http.ResponseWriter, req *http.Request) {
			v := visit{preferences: preferencesOf(req), path: address(req)}
			if err := c.admit(r.access, req, &v); err != nil {
				c.turnAway(w, req, v, err)
				return
			}
			if err := r.handle(w, req, v); err != nil {
				c.fail(w, req, v, err)
			}
		})
	}
	mux.HandleFunc(Root, func(w http.ResponseWriter, req *http.Request) {
		c.fail(w, req, visit{preferences: preferencesOf(req)}, noSuchPage())
	})
	return mux
}

func noSuchPage() error { return fault.New(fault.NotFound, "console", "there is no such page") }

// address is where a page can be opened again: without what was just done, and
// the start for what was sent by a form. Of coming back from a provider only
// the login page can be opened again.
func address(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, Root+"login/") {
		return Root + "login"
	}
	if r.Method != http.MethodGet {
		return Root
	}
	query := r.URL.Query()
	for _, once := range []string{"note", "part", "code"} {
		query.Del(once)
	}
	return strings.TrimSuffix(r.URL.EscapedPath()+"?"+query.Encode(), "?")
}

// visit is who opened a page, and how that person likes it.
type visit struct {
	who identity.Principal
	preferences
	// path is the page's own address, for the way back to it.
	path string
}

// roleMissing answers somebody who is known and may not do this.
type roleMissing struct{ access identity.Access }

func (e roleMissing) Error() string { return e.access.Missing() }

func (c *Console) admit(access identity.Access, r *http.Request, v *visit) error {
	who, err := c.identity.Identify(r)
	if access == identity.Anyone {
		if err == nil {
			v.who = who
		}
		return nil
	}
	if err != nil {
		return err
	}
	v.who = who
	if !access.Allows(who.Roles) {
		return roleMissing{access}
	}
	return nil
}

// turnAway sends a person who is not signed in to the login page, and tells
// others why they may not come in.
func (c *Console) turnAway(w http.ResponseWriter, r *http.Request, v visit, err error) {
	if _, unknown := errors.AsType[*identity.Refusal](err); !unknown {
		c.fail(w, r, v, err)
		return
	}
	login := Root + "login"
	if r.Method == http.MethodGet && r.URL.Path != Root {
		login += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	switch {
	case r.Header.Get("HX-Request") != "":
		// A fragment has no place for a login page: the whole page goes there.
		w.Header().Set("HX-Redirect", Root+"login")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet:
		http.Redirect(w, r, login, http.StatusSeeOther)
	default:
		c.pages.render(w, http.StatusUnauthorized, "error", c.view(v, "Not signed in", errorPage{
			Message: "You are not signed in (any more), and nothing was done: " + err.Error(), Login: true,
		}))
	}
}

// errorPage says what went wrong.
type errorPage struct {
	Message string
	// Login offers to sign in.
	Login bool
}

// fail answers with a page that says what went wrong, as far as the person may
// learn it.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v visit, err error) {
	status, title, message := http.StatusInternalServerError, "Something went wrong", "Something went wrong here. The log has more."
	missing := roleMissing{}
	switch kind := fault.KindOf(err); {
	case errors.As(err, &missing):
		status, title, message = http.StatusForbidden, "Not allowed", "Nothing was done: "+missing.Error()+"."
	case kind == fault.NotFound:
		status, title, message = http.StatusNotFound, "Not found", sentence(fault.Message(err))
	case kind == fault.Invalid:
		status, title, message = http.StatusBadRequest, "Not understood", "Nothing was done: "+fault.Message(err)+"."
	case kind == fault.Conflict || kind == fault.Declined:
		status, title, message = http.StatusConflict, "Not done", sentence(fault.Message(err))
	case kind == fault.Unavailable || kind == fault.Throttled:
		status, title, message = http.StatusServiceUnavailable, "Not possible now", sentence(fault.Message(err))
	case kind == fault.Ambiguous:
		status, title, message = http.StatusServiceUnavailable, "Not known", "It is not known whether this was done. Look again before you repeat it."
	}
	if status >= http.StatusInternalServerError {
		c.cfg.Logger.ErrorContext(r.Context(), "console.failed", slog.String("path", r.Pattern), slog.String("error", err.Error()))
	}
	c.pages.render(w, status, "error", c.view(v, title, errorPage{Message: message}))
}

// sentence makes a message a sentence.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	return strings.ToUpper(message[:1]) + message[1:] + "."
}

// back redirects to a page of ours after something was done.
func back(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, ownPath(to), http.StatusSeeOther)
	return nil
}

// ownPath returns a path of the console, and its start for anything else: what
// a request names may lead elsewhere.
func ownPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, Root) ||
		strings.Contains(to, `\`) || strings.HasPrefix(to, "//") {
		return Root
	}
	return to
}

// retryAfter tells a caller when to come again.
func retryAfter(w http.ResponseWriter, r *identity.Refusal) {
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
}
