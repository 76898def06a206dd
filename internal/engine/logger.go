package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// fatal catches the server's fatal log entries. The server relies on them to
// end the process; inside ours that is for the caller to decide, so the
// goroutine that met the failure ends, and the failure is told.
type fatal struct {
	// happened is closed by the first failure.
	happened chan struct{}
	// failed receives the first failure.
	failed chan error
	// building is true while the server is put together. That happens on the
	// guarded goroutine alone and partly under sync.OnceValue, which lets a
	// panic through but not an exit. What runs later has goroutines of its
	// own, where a panic would take the process along.
	building atomic.Bool

	once  sync.Once
	cause error
}

// fatalPanic carries a fatal log entry up to guard.
type fatalPanic struct{ err error }

func newFatal() *fatal {
	return &fatal{happened: make(chan struct{}), failed: make(chan error, 1)}
}

// report tells a failure and ends the goroutine. It does not return.
func (f *fatal) report(err error) {
	f.once.Do(func() {
		f.cause = err
		close(f.happened)
		f.failed <- err
	})
	if f.building.Load() {
		panic(fatalPanic{err})
	}
	runtime.Goexit()
}

// err returns the first failure; nil when there was none.
func (f *fatal) err() error {
	select {
	case <-f.happened:
		return f.cause
	default:
		return nil
	}
}

// guard runs a step of the server, which may end by a fatal log entry, and
// gives up on it when the context ends.
func (f *fatal) guard(ctx context.Context, step func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("the server ended the step without a reason")
		defer func() { done <- err }()
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(fatalPanic); !ok {
					panic(p)
				}
			}
		}()
		err = step()
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	// What follows from a failure only hides it.
	if cause := f.err(); cause != nil {
		return cause
	}
	return err
}

// serverLogger hands the server's log to slog.
type serverLogger struct {
	to    *slog.Logger
	level slog.Leveler
	fatal *fatal
	// quiet lowers everything to debug. The services of a server that stops
	// complain about each other's silence.
	quiet *atomic.Bool
}

var (
	_ log.Logger     = serverLogger{}
	_ log.WithLogger = serverLogger{}
)

func newServerLogger(to *slog.Logger, level slog.Leveler, f *fatal) serverLogger {
	return serverLogger{to: to.With("component", "temporal"), level: level, fatal: f, quiet: new(atomic.Bool)}
}

func (l serverLogger) Debug(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l serverLogger) Info(msg string, tags ...tag.Tag)   { l.log(slog.LevelInfo, msg, tags) }
func (l serverLogger) Warn(msg string, tags ...tag.Tag)   { l.log(warnLevel(msg), msg, tags) }
func (l serverLogger) Error(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }
func (l serverLogger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs and panics, as its callers expect.
func (l serverLogger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal logs, tells the engine, and ends the goroutine: its callers do not
// expect it to return.
func (l serverLogger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	for _, t := range tags {
		if t.Key() == "error" {
			msg = fmt.Sprintf("%s: %v", msg, t.Value())
		}
	}
	l.fatal.report(errors.New(msg))
}

// With returns a logger that adds the tags to every entry.
func (l serverLogger) With(tags ...tag.Tag) log.Logger {
	l.to = slog.New(l.to.Handler().WithAttrs(attrs(tags)))
	return l
}

// SLog lets the server's own users of slog reach the logger without a detour.
func (l serverLogger) SLog() *slog.Logger { return l.to }

func (l serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	if l.quiet.Load() {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if level < l.level.Level() || !l.to.Enabled(ctx, level) {
		return
	}
	l.to.LogAttrs(ctx, level, msg, attrs(tags)...)
}

func attrs(tags []tag.Tag) []slog.Attr {
	list := make([]slog.Attr, len(tags))
	for i, t := range tags {
		list[i] = slog.Any(t.Key(), t.Value())
	}
	return list
}

// warnLevel lowers the warnings that describe how this package sets the server
// up, which would greet the user at every start.
func warnLevel(msg string) slog.Level {
	if strings.HasPrefix(msg, "HTTP API port has not been set") {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}
