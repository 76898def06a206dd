// Package engine runs a Temporal server and its web UI inside this process, on
// one SQLite file or on two PostgreSQL databases.
//
// It is meant for one machine. Everything listens on 127.0.0.1 and nothing but
// PostgreSQL is called. The database is disposable: what is unfinished is
// restarted from the ledger, so it may be deleted while no process uses it.
//
// Only cmd/standalone and end-to-end tests may import this package, so that
// the lean binary holds no server.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
)

const (
	// DefaultNamespace is the namespace that is created when Options name none.
	DefaultNamespace = "default"
	// DefaultRetention is how long closed workflows stay visible when Options
	// do not say.
	DefaultRetention = 30 * 24 * time.Hour
	// FreePort as a port in Options asks for any free port.
	FreePort = 0
	// NoPort as a port in Options switches the listener off.
	NoPort = -1

	host         = "127.0.0.1"
	startTimeout = time.Minute
	stopTimeout  = 15 * time.Second
)

// Options describe an engine. The zero value of each field but Dir and Database,
// of which one is needed, is usable.
type Options struct {
	// Dir holds the engine's files; it is created when missing. One process
	// uses it at a time. With Database nothing is kept there.
	Dir string
	// Database is the URL of a PostgreSQL database (12 or later), with its user
	// and password, and instead of a file. A second one beside it, which
	// VisibilityDatabase names, is used as well. Both are created when missing,
	// where that is allowed, and brought to this server's schema. One process
	// uses them at a time.
	Database string
	// HistoryShards is fixed by the first start on a Database, and asked for
	// again at every other; zero means DefaultHistoryShards.
	HistoryShards int
	// Namespace is created when missing; empty means DefaultNamespace.
	Namespace string
	// GRPCPort is where clients and workers connect; FreePort picks one.
	GRPCPort int
	// UIPort is the web UI's; FreePort picks one, NoPort means no UI.
	UIPort int
	// CodecEndpoint is the codec server that the web UI asks to decrypt what it
	// shows, with the cookies that a browser has for it; empty asks none.
	CodecEndpoint string
	// MetricsPort is where the server's own Prometheus metrics are;
	// FreePort picks one, NoPort means that none are collected.
	MetricsPort int
	// SearchAttributes are registered in the namespace at every start. SQL
	// databases have room for ten keywords and three of each other type.
	SearchAttributes []temporal.SearchAttributeKey
	// Retention is how long closed workflows stay; zero means
	// DefaultRetention. An existing namespace is changed to it.
	Retention time.Duration
	// NoScavengers leaves out the jobs that tidy the database twice a day. The
	// server cannot stop their goroutines, so a process that stops its engine
	// and goes on, a test, wants them off.
	NoScavengers bool
	// StoreFaults make the server's database fail now and then, for fault
	// tests; empty leaves it alone.
	StoreFaults []StoreFault
	// Logger receives the server's log; nil discards it.
	Logger *slog.Logger
	// LogLevel is the least level that passes; nil means slog.LevelWarn.
	LogLevel slog.Leveler
}

// Engine is a running server.
type Engine struct {
	namespace string
	ports     ports
	fatal     *fatal
	log       serverLogger

	stopOnce sync.Once
	stopErr  error
	cleanups []func() error
}

// Start runs a server and returns when it answers calls and every search
// attribute may be used. The context bounds the start only, and so does a
// minute when it has no deadline.
//
// The error is or wraps a *LockedError or an *InUseError when another process
// uses Dir or Database, a *PortTakenError when a port is taken, a *SchemaError or
// a *NewerSchemaError when the database was written by a version of the server
// that this one cannot follow, and a *ShardsError when it has other shards.
func Start(ctx context.Context, o Options) (*Engine, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	f := newFatal()
	e := &Engine{namespace: o.Namespace, fatal: f, log: newServerLogger(o.Logger, o.LogLevel, f)}
	if err := e.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded Temporal server: %w", err), e.Stop())
	}
	return e, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && o.Database == "" {
		return o, errors.New("the embedded Temporal server needs a directory or a database")
	}
	if o.HistoryShards == 0 {
		o.HistoryShards = DefaultHistoryShards
	}
	if o.HistoryShards < 1 || o.HistoryShards > MaxHistoryShards {
		return o, fmt.Errorf("engine.history_shards is %d: 1 to %d are possible", o.HistoryShards, MaxHistoryShards)
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LogLevel == nil {
		o.LogLevel = slog.LevelWarn
	}
	return o, nil
}

// start brings up one part after the other. Whatever came up is left to Stop.
func (e *Engine) start(ctx context.Context, o Options) error {
	st, err := e.openStorage(ctx, o)
	if err != nil {
		return err
	}
	if len(o.StoreFaults) > 0 {
		e.log.Error("the database is made to fail on purpose: this is for fault tests only")
	}
	metrics, err := startMetrics(e.ports.metrics, e.log)
	if err != nil {
		return err
	}
	e.onStop(metrics.stop)

	server, err := e.fatal.newServer(ctx, serverOptions(e.ports, st, o.StoreFaults, !o.NoScavengers, e.log, metrics.handler))
	if err != nil {
		return err
	}
	e.onStop(server.stop)
	if err := server.start(ctx); err != nil {
		return err
	}

	if e.ports.ui != NoPort {
		ui := startUI(e.ports, o.Namespace, o.CodecEndpoint)
		e.onStop(ui.stop)
		if err := ui.waitReady(ctx); err != nil {
			return err
		}
	}
	return e.prepareNamespace(ctx, o)
}

func (e *Engine) onStop(cleanup func() error) { e.cleanups = append(e.cleanups, cleanup) }

// Namespace is where the workflows are.
func (e *Engine) Namespace() string { return e.namespace }

// Address is what a Temporal client dials, as "127.0.0.1:7233".
func (e *Engine) Address() string { return hostPort(e.ports.frontend) }

// UIURL is the address of the web UI, without a slash at its end; empty when
// there is none.
func (e *Engine) UIURL() string { return serviceURL(e.ports.ui, "") }

// MetricsURL is where Prometheus finds the server's own metrics; empty when
// none are collected.
func (e *Engine) MetricsURL() string { return serviceURL(e.ports.metrics, metricsPath) }

// Failed receives an error when the server gives up while it runs. The caller
// should then stop the engine and end the process.
func (e *Engine) Failed() <-chan error { return e.fatal.failed }

// Stop ends the server, the UI and the metrics, in the reverse order of their
// start, within half a minute. It may be called again and from several
// goroutines; each call returns the first one's error.
//
// The SQLite handle stays open until the process ends, because the server
// keeps it in a pool that is never emptied.
func (e *Engine) Stop() error {
	e.stopOnce.Do(func() {
		e.log.quiet.Store(true)
		var errs []error
		for i := len(e.cleanups) - 1; i >= 0; i-- {
			errs = append(errs, e.cleanups[i]())
		}
		e.stopErr = errors.Join(errs...)
	})
	return e.stopErr
}

func hostPort(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func serviceURL(port int, path string) string {
	if port == NoPort {
		return ""
	}
	return "http://" + hostPort(port) + path
}
