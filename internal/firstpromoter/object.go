package firstpromoter

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxText is how many bytes of one text are accepted. A longer text counts
	// as missing: half an ID or half an address would name somebody else.
	maxText = 512
	// maxLabel is how many characters of a name are kept.
	maxLabel = 200
)

// object is a JSON object whose values are not read yet. Keys match exactly,
// unlike those of a Go struct, and of a key that stands twice the last one
// counts as a whole. A nil object has no keys.
//
// Nothing here fails: a value of another type than the wanted one counts as
// missing, because FirstPromoter changes unimportant fields without a word.
type object map[string]json.RawMessage

// readObject returns nil for anything but one JSON object.
func readObject(raw []byte) object {
	if !json.Valid(raw) {
		return nil
	}
	return split(raw)
}

// object returns the object under key.
func (o object) object(key string) object { return split(o[key]) }

// text returns a string, or the digits of a number as they were delivered. A
// text that is longer than maxText or holds control characters is missing.
func (o object) text(key string) string {
	s, ok := o.scalar(key)
	if !ok || len(s) > maxText || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// label returns a text that is only ever shown: on one line, and cut.
func (o object) label(key string) string {
	s, _ := o.scalar(key)
	runes := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " "))
	return string(runes[:min(len(runes), maxLabel)])
}

// scalar returns a string or the literal of a number.
func (o object) scalar(key string) (string, bool) {
	raw := o[key]
	if len(raw) == 0 {
		return "", false
	}
	switch c := raw[0]; {
	case c == '-' || ('0' <= c && c <= '9'):
		return string(raw), true
	case c == '"':
		return unquote(raw), true
	}
	return "", false
}

// id returns a whole number above zero, delivered as a number or as a string
// of its digits; zero for everything else, 12.0 and 1e3 included.
func (o object) id(key string) int64 {
	s := o.text(key)
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0 // No sign, no leading zero.
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// flag returns true for true and "true".
func (o object) flag(key string) bool {
	return strings.Trim(string(o[key]), `"`) == "true"
}

// time returns a time in UTC; the zero time when it is missing or unreadable.
func (o object) time(key string) time.Time {
	t, err := time.Parse(time.RFC3339, o.text(key))
	if err != nil {
		return time.Time{}
	}
	// Beyond these years a time cannot be written as JSON again.
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
