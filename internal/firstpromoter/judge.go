package firstpromoter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// judgeList says what the answer to a read means; nil when it is a list.
func (c *Client) judgeList(op string, a answer) error {
	if err := c.judgeRefusal(op, a); err != nil {
		return err
	}
	switch {
	case a.status == http.StatusNotFound:
		// Never NotFound: a wrong address must not look like an unknown reward.
		return c.fail(fault.Invalid, op, a, "there is no list of payouts at this address: check firstpromoter.base_url")
	case a.status >= 500, a.status == http.StatusRequestTimeout:
		return c.fail(fault.Unavailable, op, a, "FirstPromoter could not answer")
	case a.status != http.StatusOK:
		return c.fail(fault.Invalid, op, a, "FirstPromoter refused to list payouts")
	case a.broken != nil:
		return fault.Wrap(fault.Unavailable, op, "FirstPromoter's answer broke off", a.broken)
	}
	var list []json.RawMessage
	if json.Unmarshal(a.body, &list) != nil || list == nil {
		// A page of maintenance looks like this too, so it may pass.
		return c.fail(fault.Unavailable, op, a, "the answer is not a list of payouts: if this lasts, check firstpromoter.base_url")
	}
	return nil
}

// judgeUpdate says what the answer to the one write means; nil when it says
// that this reward is completed. What is not known to mean "not done" is
// ambiguous.
func (c *Client) judgeUpdate(a answer, id reward.ID) error {
	if err := c.judgeRefusal(opComplete, a); err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return c.fail(fault.NotFound, opComplete, a,
			fmt.Sprintf("FirstPromoter does not know reward %s, or firstpromoter.base_url is wrong", id))
	case http.StatusConflict:
		return c.fail(fault.Conflict, opComplete, a, "FirstPromoter did not complete the reward, because its state has moved on")
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone, http.StatusLengthRequired,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return c.fail(fault.Invalid, opComplete, a, "FirstPromoter does not take this request: check firstpromoter.base_url")
	default:
		return c.fail(fault.Ambiguous, opComplete, a, "FirstPromoter may or may not have completed the reward")
	}
	if a.broken != nil {
		return fault.Wrap(fault.Ambiguous, opComplete, "FirstPromoter's answer broke off", a.broken)
	}
	if p := readPayout(readObject(a.body)); p.ID != id || p.Status != StatusCompleted {
		return c.fail(fault.Ambiguous, opComplete, a, fmt.Sprintf("the answer does not say that reward %s is completed", id))
	}
	return nil
}

// judgeRefusal says what a status means that means the same for a read and a
// write; nil for every other. In all of them nothing was done.
func (c *Client) judgeRefusal(op string, a answer) error {
	switch {
	case a.status >= 300 && a.status < 400:
		return c.fail(fault.Invalid, op, a, "FirstPromoter redirects to another address, which is never followed with the key: check firstpromoter.base_url")
	case a.status == http.StatusUnauthorized:
		return c.fail(fault.Denied, op, a, "FirstPromoter refuses the API key: check firstpromoter.api_key")
	case a.status == http.StatusForbidden:
		return c.fail(fault.Denied, op, a, "FirstPromoter forbids this call: check firstpromoter.api_key and what it may do")
	case a.status == http.StatusBadRequest, a.status == http.StatusUnprocessableEntity:
		return c.fail(fault.Invalid, op, a, "FirstPromoter did not understand the request")
	case a.status == http.StatusTooManyRequests:
		e := c.fail(fault.Throttled, op, a, "FirstPromoter asks to call less often")
		e.RetryAfter = egress.RetryAfter(a.header, c.now())
		return e
	}
	return nil
}

// fail makes an error of an answer: our words, the status, and FirstPromoter's
// own words where they are safe to show.
func (c *Client) fail(kind fault.Kind, op string, a answer, message string) *fault.Error {
	said := fmt.Sprintf(" (status %d", a.status)
	if words := excerpt(a.body, c.key()); words != "" {
		said += fmt.Sprintf(": %q", words)
	}
	return fault.New(kind, op, message+said+")")
}

// maxExcerpt is how many characters of an error's words are shown.
const maxExcerpt = 120

// excerpt returns the words of an error body, or nothing when they are not
// surely harmless: no markup, no address, nothing that looks like a token, and
// above all not the key.
func excerpt(body []byte, key string) string {
	words := strings.Join(strings.FieldsFunc(said(body), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if key != "" && strings.Contains(strings.ToLower(words), strings.ToLower(key)) {
		return ""
	}
	if strings.ContainsAny(words, "@<>") || strings.Contains(words, "://") {
		return ""
	}
	for word := range strings.FieldsSeq(words) {
		if utf8.RuneCountInString(word) > 24 {
			return ""
		}
	}
	if runes := []rune(words); len(runes) > maxExcerpt {
		words = string(runes[:maxExcerpt-1]) + "…"
	}
	return words
}

// said finds the words in the shapes that FirstPromoter uses for errors: a
// bare text, a JSON string, {"error": ...}, {"message": ...}, and arrays of
// texts in place of a text.
func said(body []byte) string {
	var parsed any
	if json.Unmarshal(body, &parsed) != nil {
		if len(body) > 4*maxExcerpt || !utf8.Valid(body) {
			return ""
		}
		return string(body)
	}
	if o, ok := parsed.(map[string]any); ok {
		if words := sentence(o["error"]); words != "" {
			return words
		}
		return sentence(o["message"])
	}
	return sentence(parsed)
}

func sentence(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var words []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				words = append(words, s)
			}
		}
		return strings.Join(words, "; ")
	}
	return ""
}
