package config

import (
	"fmt"
	"log/slog"
)

// mask is what a secret prints as.
const mask = "***"

// Secret is a text that is never printed: not by fmt, slog, JSON or YAML.
// The empty secret prints as the empty text, so that a missing one is seen.
type Secret string

// Reveal returns the text. It is for the one place that sends or compares it.
func (s Secret) Reveal() string { return string(s) }

// String returns "***", or the empty text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString returns what String does, in quotes.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format prints what String returns, for every verb: the wrong ones would
// print the text otherwise.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = f.Write([]byte(text))
}

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does; JSON uses it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns what String does.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
