package webhook

import (
	"encoding/json"
	"strings"
)

// maxReference is the longest reference in bytes that is taken over.
const maxReference = 255

// label is a reference as services write it: a JSON string or a number. Any
// other JSON value reads as none.
type label string

// UnmarshalJSON implements json.Unmarshaler.
func (l *label) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = label(text)
		return nil
	}
	var number json.Number
	if json.Unmarshal(data, &number) == nil {
		*l = label(number)
	}
	return nil
}

// looseWords is a text, where anything that is no text reads as none: the
// words of an error never decide what an answer means.
type looseWords string

// UnmarshalJSON implements json.Unmarshaler.
func (w *looseWords) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*w = looseWords(text)
	}
	return nil
}

// referenceOr returns the receiver's reference, or the key where it gives none
// that can be stored: the key names the payout at the receiver just as well.
func referenceOr(key string, s statement) string {
	reference := string(s.Reference)
	if reference == "" || len(reference) > maxReference || strings.Contains(reference, "://") {
		return key
	}
	for _, c := range []byte(reference) {
		if c < ' ' || c >= 0x7f || c == '@' {
			return key
		}
	}
	return reference
}
