// Package log is the notification channel that writes to the process's log.
package log

import (
	"context"
	"log/slog"
	"strings"

	"github.com/rewardflow/rewardflow/internal/notify"
)

// Notifier writes messages to a log, without personal data. It is safe for
// concurrent use.
type Notifier struct {
	name   string
	logger *slog.Logger
}

// New returns a channel with its configured name. The logger must not be nil.
func New(name string, logger *slog.Logger) *Notifier {
	return &Notifier{name: name, logger: logger}
}

// Name implements notify.Notifier.
func (n *Notifier) Name() string { return n.name }

// Notify implements notify.Notifier. It never fails. What needs a person is a
// warning.
func (n *Notifier) Notify(ctx context.Context, m notify.Message) error {
	level := slog.LevelInfo
	if m.NeedsPerson {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("channel", n.name),
		slog.String("type", m.Type),
		slog.String("key", m.Key),
		slog.String("title", mask(m.Title)),
		slog.String("text", mask(m.Text)),
	}
	if m.RewardID != 0 {
		attrs = append(attrs, slog.Int64("reward_id", int64(m.RewardID)))
	}
	if !m.At.IsZero() {
		attrs = append(attrs, slog.Time("at", m.At))
	}
	fields := make([]slog.Attr, 0, len(m.Fields))
	for _, f := range m.Fields {
		fields = append(fields, slog.String(keyOf(f.Label), valueOf(f)))
	}
	attrs = append(attrs, slog.GroupAttrs("fields", fields...))
	n.logger.LogAttrs(ctx, level, "notification.logged", attrs...)
	return nil
}

// masked stands in a log for what must not be kept there.
const masked = "[masked]"

func valueOf(f notify.Field) string {
	if f.Personal {
		return masked
	}
	return mask(f.Value)
}

// mask replaces every word that may be an e-mail address. A log outlives the
// promise to forget somebody.
func mask(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		if strings.Contains(word, "@") {
			words[i] = masked
		}
	}
	return strings.Join(words, " ")
}

// keyOf makes an attribute's key of a label: "Promoter e-mail" is promoter_e_mail.
func keyOf(label string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(label))
}
