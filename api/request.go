package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// The longest texts that a person may send, in characters.
const (
	maxComment   = 2000
	maxReference = 200
)

// readJSON reads a body that is one JSON object with the fields of v and no
// others.
func readJSON(c *gin.Context, v any) error {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return unreadable(err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body goes on after its JSON object")
	}
	return nil
}

// badJSON says what is wrong in the words of the request, not of Go.
func badJSON(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return invalid("the body is not a JSON object")
		}
		return invalid(fmt.Sprintf("the field %q cannot be a %s", wrong.Field, wrong.Value))
	}
	// encoding/json has no type for this one.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return invalid("the field " + name + " is not known here")
	}
	if errors.Is(err, io.EOF) {
		return invalid("the body is empty: send a JSON object")
	}
	return invalid("the body is not JSON")
}

// text checks what a person wrote: its length, and that a terminal can show it.
func text(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > limit {
		return "", invalid(fmt.Sprintf("the field %q is longer than %d characters", field, limit))
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return "", invalid(fmt.Sprintf("the field %q holds control characters", field))
	}
	return s, nil
}

// onlyQuery refuses a query that names anything else: a filter with a typing
// error would otherwise select everything.
func onlyQuery(c *gin.Context, names ...string) error {
	for name := range c.Request.URL.Query() {
		if !slices.Contains(names, name) {
			return invalid(fmt.Sprintf("the query parameter %.40q is not known here: there are %s",
				name, strings.Join(names, ", ")))
		}
	}
	return nil
}

// actionID returns the ID under which an action is recorded: a new one, or,
// for a request that may be repeated, one made from its Idempotency-Key. The
// key counts for one caller and one reward only, so that nobody meets another
// person's action under it.
func actionID(c *gin.Context, verb string, id reward.ID) (string, error) {
	key := strings.Trim(c.GetHeader("Idempotency-Key"), `"`)
	if key == "" {
		return newID(), nil
	}
	if !plainToken(key) {
		return "", invalid("the Idempotency-Key is not 8 to 64 letters, digits, _ and -")
	}
	h := sha256.New()
	for _, part := range []string{verb, principalOf(c).Name, id.String(), key} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return "key-" + hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// keyReused answers a request that brings the key of another one.
func keyReused() error {
	return newProblem(http.StatusUnprocessableEntity, "idempotency_key_reused",
		"the Idempotency-Key was used for another request: send a new key, or the same request")
}
