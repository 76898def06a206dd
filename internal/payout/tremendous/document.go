package tremendous

import (
	"encoding/json"
	"fmt"
	"maps"
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
	// secret must not be repeated.
	secret string
}

// document is the inside of one of Tremendous's error documents: a message,
// and a payload that mirrors the request with what is wrong in it
// (https://developers.tremendous.com/reference/create-order). Its name is
// "errors", and "error" where the rate limit is described.
type document map[string]any

// document returns the error document in the answer, and whether there is one
// that is whole.
func (a answer) document() (document, bool) {
	var outside map[string]any
	if a.bodyErr != nil || json.Unmarshal(a.body, &outside) != nil {
		return nil, false
	}
	for _, name := range []string{"errors", "error"} {
		if d, ok := outside[name].(map[string]any); ok {
			_, payload := d["payload"].(map[string]any)
			return document(d), payload || document(d).message() != ""
		}
	}
	return nil, false
}

func (d document) message() string {
	text, _ := d["message"].(string)
	return text
}

// complaints returns what is wrong with which field: "reward.value: too much".
func (d document) complaints() []string {
	payload, _ := d["payload"].(map[string]any)
	return complaintsIn("", payload, 0)
}

// maxDepth is how deep a request is, with room.
const maxDepth = 8

func complaintsIn(path string, v any, depth int) []string {
	if depth > maxDepth {
		return nil
	}
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			found = append(found, complaintsIn(strings.TrimPrefix(path+"."+name, "."), v[name], depth+1)...)
		}
	case []any:
		for _, element := range v {
			found = append(found, complaintsIn(path, element, depth+1)...)
		}
	case string:
		found = append(found, path+": "+v)
	default:
		found = append(found, path)
	}
	return found
}

// hintsAtDuplicate reports whether the document may speak of an order that was
// made before. Our external_id is always well-formed, so that whatever
// Tremendous has against it may be that it knows it. The words only ever make
// us more careful: what they mean is not documented.
func (d document) hintsAtDuplicate() bool {
	return slices.ContainsFunc(append(d.complaints(), d.message()), func(text string) bool {
		text = strings.NewReplacer(" ", "", "_", "").Replace(strings.ToLower(text))
		return strings.Contains(text, "externalid") || strings.Contains(text, "duplicate") || strings.Contains(text, "already")
	})
}

// plain returns the words with the HTTP status.
func (a answer) plain(words string) string { return fmt.Sprintf("%s (HTTP %d)", words, a.status) }

// words returns the words with the HTTP status and what Tremendous says about
// it, made safe to store and show.
func (a answer) words(words string) string {
	d, ok := a.document()
	if !ok {
		return a.plain(words)
	}
	said := d.complaints()
	if message := d.message(); message != "" {
		said = append([]string{message}, said...)
	}
	text := strings.Join(said, ", ")
	if a.secret != "" {
		text = strings.ReplaceAll(text, a.secret, "[...]")
	}
	return a.plain(words) + ": " + payout.PlainWords(text)
}
