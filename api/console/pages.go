package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/rewardflow/rewardflow/internal/identity"
)

//go:embed templates
var sources embed.FS //nolint:gochecknoglobals // Embedding needs a variable; nothing writes it.

// pages are the templates, each with the frame around it.
type pages struct {
	byName map[string]*template.Template
}

func newPages(a *assets, now func() time.Time) (*pages, error) {
	frame, err := template.New("frame.html").Funcs(template.FuncMap{
		"asset":  a.url,
		"moment": func(t time.Time) moment { return momentAt(t, now()) },
		"words":  unitWords,
		"tone":   tone,
		"label":  label,
		"qty":    quantity,
		"amount": amount,
		"short":  short,
		"has":    func(t time.Time) bool { return !t.IsZero() },
	}).ParseFS(sources, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("reading the console's templates: %w", err)
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range []string{"inbox", "reward", "approve", "approved", "brake", "sessions", "login", "error"} {
		t, err := template.Must(frame.Clone()).ParseFS(sources, "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("reading the console's templates: %w", err)
		}
		p.byName[name] = t
	}
	return p, nil
}

// view is what every page is drawn from.
type view struct {
	Title string
	// Place is the part of the console that the page belongs to.
	Place string
	Who   identity.Principal
	preferences
	// Path is the page's own address.
	Path    string
	Version string
	// Page is what the one page shows.
	Page any
}

func (c *Console) view(v visit, title string, page any) view {
	return view{
		Title: title, Who: v.who, preferences: v.preferences, Path: v.path, Version: c.cfg.Version, Page: page,
	}
}

// Administers reports whether the person may see everybody's sessions.
func (v view) Administers() bool { return identity.Administers.Allows(v.Who.Roles) }

// Operates reports whether the person may resolve rewards and move the brake.
func (v view) Operates() bool { return identity.Operates.Allows(v.Who.Roles) }

// Session reports whether there is something to sign out of.
func (v view) Session() bool { return v.Who.SessionID != "" }

// at says which part of the console a page belongs to.
func (v view) at(place string) view {
	v.Place = place
	return v
}

// render draws a page, or one part of it. It draws into memory first: a page
// that breaks off in the middle would look whole.
func (p *pages) render(w http.ResponseWriter, status int, name string, v view) {
	p.draw(w, status, name, "frame.html", v)
}

// part draws what a page refreshes by itself.
func (p *pages) part(w http.ResponseWriter, name, part string, v view) {
	p.draw(w, http.StatusOK, name, part, v)
}

func (p *pages) draw(w http.ResponseWriter, status int, name, part string, v view) {
	var b bytes.Buffer
	if err := p.byName[name].ExecuteTemplate(&b, part, v); err != nil {
		// Only a mistake in a template leads here.
		http.Error(w, "the page could not be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
