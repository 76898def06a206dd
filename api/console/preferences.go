package console

import (
	"net/http"
	"slices"

	"github.com/rewardflow/rewardflow/internal/identity"
)

// preferences are how a person likes the pages. They stand in cookies, so that
// the server draws a page right the first time.
type preferences struct {
	// Theme is "light", "dark", or empty for what the system says.
	Theme string
	// Live refreshes pages by themselves.
	Live bool
	// Keys are the keyboard's shortcuts.
	Keys bool
}

const preferenceCookie = "rewardflow_"

func preferencesOf(r *http.Request) preferences {
	value := func(name string) string {
		if cookie, err := r.Cookie(preferenceCookie + name); err == nil {
			return cookie.Value
		}
		return ""
	}
	p := preferences{Live: value("live") != "off", Keys: value("keys") != "off"}
	if theme := value("theme"); theme == "light" || theme == "dark" {
		p.Theme = theme
	}
	return p
}

// prefer keeps one preference.
func (c *Console) prefer(w http.ResponseWriter, r *http.Request, _ visit) error {
	for name, allowed := range map[string][]string{
		"theme": {"light", "dark", "auto"}, "live": {"on", "off"}, "keys": {"on", "off"},
	} {
		if value := r.PostFormValue(name); slices.Contains(allowed, value) {
			http.SetCookie(w, &http.Cookie{
				Name: preferenceCookie + name, Value: value, Path: Root, MaxAge: 365 * 24 * 3600,
				HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: identity.Secure(r),
			})
		}
	}
	return back(w, r, r.PostFormValue("back"))
}
