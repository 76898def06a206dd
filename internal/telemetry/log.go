package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Formats of NewLogger.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// redacted replaces a value that must not be read.
const redacted = "[redacted]"

// secretWords make a key a secret's, wherever they stand in it.
func secretWords() []string {
	return []string{"secret", "token", "password", "passwd", "api_key", "apikey", "authorization", "cookie"}
}

// NewLogger returns a logger that writes one line per entry to w, as JSON for
// FormatJSON and as text for everything else. A nil level means slog.LevelInfo.
//
// An attribute whose key, or whose group's key, looks like a secret's is
// replaced. This is a net under the rule that secrets are not logged: it sees
// keys, not what stands inside a value. Entries that are logged with a context
// carry its trace_id and span_id.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redact(secretWords())}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if format == FormatJSON {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(tracedHandler{handler})
}

func redact(words []string) func([]string, slog.Attr) slog.Attr {
	looksSecret := func(key string) bool {
		key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(key, word) })
	}
	return func(groups []string, a slog.Attr) slog.Attr {
		if looksSecret(a.Key) || slices.ContainsFunc(groups, looksSecret) {
			a.Value = slog.StringValue(redacted)
		}
		return a
	}
}

// tracedHandler adds the IDs of the span in an entry's context.
type tracedHandler struct{ slog.Handler }

func (h tracedHandler) Handle(ctx context.Context, r slog.Record) error {
	if ids := traceIDs(ctx); ids != nil {
		r = r.Clone()
		r.AddAttrs(ids...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedHandler{h.Handler.WithAttrs(attrs)}
}

func (h tracedHandler) WithGroup(name string) slog.Handler {
	return tracedHandler{h.Handler.WithGroup(name)}
}
