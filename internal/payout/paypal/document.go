package paypal

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// answer is what came back for one request.
type answer struct {
	status int
	body   []byte
	// bodyErr says that the body broke off or was too long.
	bodyErr    error
	retryAfter time.Duration
}

// document is one of PayPal's error documents: name, message, debug_id,
// details and links
// (https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#definition-error).
// It is read without a fixed shape, because a part that is not as documented
// must not hide the others: the link to a duplicate's batch stands in links by
// the documentation, and in details[].link in what PayPal sends.
type document map[string]any

// document returns the error document in the answer, and whether there is one
// that is whole.
func (a answer) document() (document, bool) {
	var d document
	if a.bodyErr != nil || json.Unmarshal(a.body, &d) != nil {
		return nil, false
	}
	return d, d.text("name") != "" || d.text("error") != ""
}

func (d document) text(key string) string {
	text, _ := d[key].(string)
	return text
}

// details returns the details that are objects.
func (d document) details() []document {
	list, _ := d["details"].([]any)
	var details []document
	for _, element := range list {
		if detail, ok := element.(map[string]any); ok {
			details = append(details, detail)
		}
	}
	return details
}

// links returns the targets of all links, those of the details included.
func (d document) links() []string {
	found := targets(d["links"])
	for _, detail := range d.details() {
		found = append(found, targets(detail["link"])...)
		found = append(found, targets(detail["links"])...)
	}
	return found
}

// targets returns the href of a link, or those of a list of links.
func targets(v any) []string {
	switch v := v.(type) {
	case []any:
		var found []string
		for _, element := range v {
			found = append(found, targets(element)...)
		}
		return found
	case map[string]any:
		if href, ok := v["href"].(string); ok {
			return []string{href}
		}
	}
	return nil
}

// codes returns the names of what went wrong, the most general one first.
func (d document) codes() []string {
	codes := []string{d.text("name")}
	for _, detail := range d.details() {
		codes = append(codes, detail.text("issue"))
	}
	return codes
}

// hintsAtDuplicate reports whether the document may speak of a payout that was
// made before. Our sender_batch_id is always well-formed, so that whatever
// PayPal has against it may be that it knows it. The words only ever make us
// more careful: what they mean is not documented.
func (d document) hintsAtDuplicate() bool {
	texts := []string{d.text("name"), d.text("message")}
	for _, detail := range d.details() {
		if strings.Contains(strings.ToLower(detail.text("field")), "sender_batch_id") {
			return true
		}
		texts = append(texts, detail.text("issue"), detail.text("description"))
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, "duplicate") || strings.Contains(text, "already")
	})
}

// maxBatchID is how long an ID may be; PayPal documents up to 30 characters.
const maxBatchID = 64

// isBatchID accepts what PayPal's IDs are made of, and what a path can carry.
func isBatchID(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return text != "" && len(text) <= maxBatchID
}

// duplicates returns the IDs of the batches that the document links to. The
// links are read and never followed.
func (p *Provider) duplicates(d document) []string {
	var ids []string
	for _, href := range d.links() {
		if id, ok := p.batchID(href); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// batchID returns the ID in a link to a batch of this environment.
func (p *Provider) batchID(href string) (string, bool) {
	target, err := url.Parse(href)
	if err != nil || target.User != nil || target.Scheme != "https" && target.Scheme != p.base.Scheme || !p.sameEnvironment(target) {
		return "", false
	}
	id, ok := strings.CutPrefix(strings.TrimSuffix(target.EscapedPath(), "/"), payoutsPath+"/")
	return id, ok && isBatchID(id)
}

// sameEnvironment reports whether a link leads to the environment that was
// asked. PayPal answers at api-m and links to api.
func (p *Provider) sameEnvironment(target *url.URL) bool {
	if strings.EqualFold(target.Host, p.base.Host) {
		return true
	}
	there, ours := environment(target.Hostname()), environment(p.base.Hostname())
	// A gateway or a double of PayPal may pass PayPal's own links on.
	return there != "" && (there == ours || ours == "")
}

func environment(host string) string {
	switch strings.ToLower(host) {
	case "api-m.paypal.com", "api.paypal.com":
		return "live"
	case "api-m.sandbox.paypal.com", "api.sandbox.paypal.com":
		return "sandbox"
	}
	return ""
}

// plain returns the words with the HTTP status.
func (a answer) plain(words string) string { return fmt.Sprintf("%s (HTTP %d)", words, a.status) }

// words returns the words with the HTTP status and what PayPal says about it,
// made safe to store and show.
func (a answer) words(words string) string {
	d, ok := a.document()
	if !ok {
		return a.plain(words)
	}
	said := d.codes()
	if said[0] == "" {
		said[0] = d.text("error") // The token's endpoint speaks OAuth.
	}
	text := a.plain(words) + ": " + payout.PlainWords(strings.Join(said, ", "))
	if id := d.text("debug_id"); isBatchID(id) && payout.IsPlainWord(id) {
		text += " (PayPal's debug ID " + id + ")"
	}
	return text
}
