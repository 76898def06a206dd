package console_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// reader is a browser without JavaScript: it loads pages, and sends the forms
// that it finds on them.
type reader struct {
	client *http.Client
	base   string
	// last is the page that the reader looks at.
	last *html.Node
	// text is what it says, status and header how it came.
	text   string
	status int
	header http.Header
	path   string
}

func newReader(t *testing.T, w *world) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &reader{client: &http.Client{Jar: jar}, base: w.url}
}

func (r *reader) open(t *testing.T, path string) {
	t.Helper()
	res, err := r.client.Get(r.base + path)
	require.NoError(t, err)
	r.take(t, res)
}

func (r *reader) take(t *testing.T, res *http.Response) {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	r.last, err = html.Parse(strings.NewReader(string(body)))
	require.NoError(t, err)
	r.text, r.status, r.header, r.path = words(r.last), res.StatusCode, res.Header, res.Request.URL.RequestURI()
}

// words is the text of a page.
func words(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := range n.ChildNodes() {
		b.WriteString(words(c))
		b.WriteByte(' ')
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// send fills in the form with the button that says something, as that button
// would send it, and follows where it leads.
func (r *reader) send(t *testing.T, button string, fields url.Values) {
	t.Helper()
	form, pressed := r.form(button)
	require.NotNil(t, form, "no button says %q on: %s", button, r.text)
	values := url.Values{}
	for n := range form.Descendants() {
		name, kind := attribute(n, "name"), attribute(n, "type")
		switch {
		case name == "" || n.Data == "button":
		case kind == "checkbox" || kind == "radio":
			if has(n, "checked") {
				values.Add(name, attribute(n, "value"))
			}
		case n.Data == "input":
			values.Add(name, attribute(n, "value"))
		case n.Data == "textarea":
			values.Add(name, words(n))
		}
	}
	maps.Copy(values, fields)
	if name := attribute(pressed, "name"); name != "" {
		values.Set(name, attribute(pressed, "value"))
	}
	require.Equal(t, "post", attribute(form, "method"))
	res, err := r.client.PostForm(r.base+attribute(form, "action"), values)
	require.NoError(t, err)
	r.take(t, res)
}

// form returns the form with a button, and the button.
func (r *reader) form(button string) (form, pressed *html.Node) {
	for n := range r.last.Descendants() {
		if n.Data != "button" || !strings.HasPrefix(words(n)+" ", button+" ") {
			continue
		}
		for above := n.Parent; above != nil; above = above.Parent {
			if above.Data == "form" {
				return above, n
			}
		}
	}
	return nil, nil
}

// every returns the values of all fields with a name.
func (r *reader) every(name string) []string {
	var values []string
	for n := range r.last.Descendants() {
		if attribute(n, "name") == name {
			values = append(values, attribute(n, "value"))
		}
	}
	return values
}

func (r *reader) signIn(t *testing.T, name string) *reader {
	t.Helper()
	r.open(t, "/console/")
	r.send(t, "Sign in", url.Values{"token": {token(name)}})
	require.Equal(t, "/console/", r.path)
	return r
}
