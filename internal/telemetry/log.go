package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
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
// carry its trace_id and span_id. Entries about a reward carry both reward_id
// and workflow_id, whichever of them they were written with, and the keys of
// Temporal's SDK are spelled as ours are.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: rewrite(secretWords())}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if format == FormatJSON {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(tracedHandler{Handler: handler})
}

func rewrite(words []string) func([]string, slog.Attr) slog.Attr {
	spelling := sdkKeys()
	looksSecret := func(key string) bool {
		key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(key, word) })
	}
	return func(groups []string, a slog.Attr) slog.Attr {
		if looksSecret(a.Key) || slices.ContainsFunc(groups, looksSecret) {
			a.Value = slog.StringValue(redacted)
		}
		if ours, ok := spelling[a.Key]; ok && len(groups) == 0 {
			a.Key = ours
		}
		return a
	}
}

// Keys of entries.
const (
	keyTraceID    = "trace_id"
	keySpanID     = "span_id"
	keyRewardID   = "reward_id"
	keyWorkflowID = "workflow_id"
	// sdkWorkflowID is how Temporal's SDK spells it.
	sdkWorkflowID = "WorkflowID"
	// serverWorkflowID is how the embedded server spells it.
	serverWorkflowID = "wf-id"
)

// sdkKeys are the keys under which Temporal's SDK and server log, and ours.
func sdkKeys() map[string]string {
	return map[string]string{
		sdkWorkflowID: keyWorkflowID, serverWorkflowID: keyWorkflowID, "wf-run-id": "run_id", "WorkflowType": "workflow_type", "RunID": "run_id", "Attempt": "attempt",
		"ActivityID": "activity_id", "ActivityType": "activity_type", "TaskQueue": "task_queue", "Namespace": "namespace",
		"WorkerID": "worker_id", "WorkerType": "worker_type", "Error": "error", "SignalName": "signal",
		"UpdateID": "update_id", "UpdateName": "update",
	}
}

// fulfilmentPrefix is what the workflow ID of a reward's fulfilment begins with;
// its reward's ID follows. A test holds it against workflows.FulfilmentID.
const fulfilmentPrefix = "fulfilment-"

// tracedHandler adds the IDs of the span in an entry's context, and to an entry
// about a reward the ID that is missing.
type tracedHandler struct {
	slog.Handler

	about subject
	// grouped says that attributes stand in a group, where they are not judged.
	grouped bool
}

// subject is what an entry is about, as far as its attributes say.
type subject struct {
	reward, workflow, traced bool
	// rewardID and workflowID are the values; empty where they say nothing.
	rewardID, workflowID string
}

func (s *subject) note(a slog.Attr) {
	switch a.Key {
	case keyRewardID:
		s.reward, s.rewardID = true, a.Value.String()
	case keyWorkflowID, sdkWorkflowID, serverWorkflowID:
		s.workflow, s.workflowID = true, a.Value.String()
	case keyTraceID:
		s.traced = true
	}
}

// missing returns what the entry should say as well.
func (s *subject) missing() []slog.Attr {
	switch id, fulfils := strings.CutPrefix(s.workflowID, fulfilmentPrefix); {
	case s.reward && !s.workflow && s.rewardID != "":
		return []slog.Attr{slog.String(keyWorkflowID, fulfilmentPrefix+s.rewardID)}
	case fulfils && !s.reward:
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			return []slog.Attr{slog.Int64(keyRewardID, n)}
		}
	}
	return nil
}

func (h tracedHandler) Handle(ctx context.Context, r slog.Record) error {
	about := h.about
	var more []slog.Attr
	if !h.grouped {
		r.Attrs(func(a slog.Attr) bool { about.note(a); return true })
		more = about.missing()
	}
	if !about.traced {
		more = append(more, traceIDs(ctx)...)
	}
	if len(more) > 0 {
		r = r.Clone()
		r.AddAttrs(more...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if !h.grouped {
		for _, a := range attrs {
			h.about.note(a)
		}
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h tracedHandler) WithGroup(name string) slog.Handler {
	h.Handler, h.grouped = h.Handler.WithGroup(name), h.grouped || name != ""
	return h
}
