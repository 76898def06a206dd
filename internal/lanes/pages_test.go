package lanes_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// signIn starts a session in the console and returns its cookie.
func (w *world) signIn(t *testing.T, who person) edit {
	t.Helper()
	form := url.Values{"token": {who.token()}}.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/console/login", strings.NewReader(form))
	require.NoError(t, err)
	asForm(req)
	resp, err := w.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.Len(t, resp.Cookies(), 1)
	return func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }
}

// asForm is how a browser sends a form of our own page.
func asForm(r *http.Request) {
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
}

// openPage opens the reward's page. Whom it offers no form, the digest that is
// on the page is all that a request could be made of.
func openPage(w *world, t *testing.T, who person, id reward.ID) question {
	t.Helper()
	status, body := w.call(t, http.MethodGet, "/console/rewards/"+id.String(), "", w.signIn(t, who))
	require.Equal(t, http.StatusOK, status, body)
	page, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	q := question{who: who, id: id, digest: w.record(t, id).Digest}
	if q.digest != "" {
		require.Contains(t, body, string(q.digest))
	}
	for n := range page.Descendants() {
		if attribute(n, "name") == "once" {
			q.once = attribute(n, "value")
		}
	}
	return q
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func sendForm(w *world, t *testing.T, q question, v reward.Verdict) answer {
	t.Helper()
	return w.sendFormAs(t, q, v, w.signIn(t, q.who), asForm)
}

func (w *world) sendFormAs(t *testing.T, q question, v reward.Verdict, edits ...edit) answer {
	t.Helper()
	comment := q.comment
	if v == reward.Reject {
		comment = "because " + comment
	}
	form := url.Values{"decision": {string(v)}, "digest": {string(q.digest)}, "once": {q.once}, "comment": {comment}}
	status, body := w.call(t, http.MethodPost, "/console/rewards/"+q.id.String()+"/decision", form.Encode(), edits...)
	return answer{code: status, words: text(t, body), counted: status == http.StatusSeeOther}
}

// text is what a page says.
func text(t *testing.T, page string) string {
	t.Helper()
	node, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	var b strings.Builder
	for n := range node.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
