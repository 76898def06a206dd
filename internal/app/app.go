// Package app puts the parts together into a process: it opens the ledger,
// builds the adapters, serves the HTTP surface and runs the worker, and undoes
// all of it in reverse order. It is the one package that knows the layers and
// the adapters at once.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/desk"
	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sealed"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/provision"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// Options describe a process.
type Options struct {
	Config *config.Config
	// API serves the HTTP surface and works off the inbox.
	API bool
	// Worker runs workflows and activities.
	Worker bool
	// Temporal names the server; what it leaves out are Temporal's own defaults.
	Temporal client.Options
	// TemporalUIURL is where people open the Temporal UI; empty gives no links.
	TemporalUIURL string
	// Migrate brings the schema of a ledger in PostgreSQL up to date first, for a
	// process that is alone on it.
	Migrate bool
	// CodecListener is where the pages of CodecOrigin have what is encrypted
	// decrypted; nil serves no codec. The process closes it.
	CodecListener net.Listener
	// CodecOrigin is the Temporal UI's.
	CodecOrigin string
	Version     string
	Logger      *slog.Logger
	// Started is called once the process answers; nil calls nothing.
	Started func(ctx context.Context, a *App)
	// Lookup reads the environment, for telemetry; nil reads nothing.
	Lookup func(string) (string, bool)
	// Deployment is the version of this process's worker; its zero value is a
	// worker without versions.
	Deployment worker.Deployment
	// Cluster says that the Temporal server is elsewhere, and serves others too.
	Cluster bool
	// DrainFor is how long the API still serves after Stop was called, and says
	// that it is not ready, so that a proxy sends requests elsewhere before they
	// are refused. Zero does not wait.
	DrainFor time.Duration
}

// App is one process of rewardflow.
type App struct {
	opts     Options
	log      *slog.Logger
	cleanups *cleanups

	telemetry *telemetry.Telemetry
	ledger    ledger.Ledger
	// ring holds the keys; nil where nothing is encrypted. sealed is the ledger
	// that encrypts with them.
	ring       *encryption.Ring
	sealed     *sealed.Ledger
	money      *moneyMetrics
	temporal   client.Client
	dispatcher *intake.Dispatcher
	intake     *intake.Intake
	replayer   *intake.Replayer
	unstored   *intake.Unstored
	// summary makes the daily summary; nil where nobody wants it.
	summary *intake.DailySummary
	board   *board
	desk    *desk.Desk
	policy  *policy.Policy
	handler http.Handler
	worker  *worker.Group
	// load is the worker's, whose process the dispatcher fills.
	load worker.Load
	// crash ends the process where a fault test wants it; nil in every other.
	crash *crashpoint.Armed
	// firstPromoter is the worker's client; nil in a process without one.
	firstPromoter *firstpromoter.Client

	listener net.Listener
	draining atomic.Bool
	// leaveAt is until when a process that was told to stop still serves, in
	// Unix nanoseconds; zero before.
	leaveAt atomic.Int64
	failed  chan error
}

const (
	// deliverEvery is how often decisions that a workflow has not heard of are
	// delivered again.
	deliverEvery = 10 * time.Second
	// shutdownBudget bounds Stop.
	shutdownBudget = 40 * time.Second
	// connectEvery is how often a worker tries to reach Temporal.
	connectEvery = 2 * time.Second
	// scheduleBudget bounds the setting of the reconciliation's schedule.
	scheduleBudget = 30 * time.Second
)

// New builds a process that does nothing yet. What it opened is closed again
// when it fails, and by Stop.
func New(ctx context.Context, opts Options) (*App, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Lookup == nil {
		opts.Lookup = func(string) (string, bool) { return "", false }
	}
	a := &App{
		opts:     opts,
		log:      opts.Logger,
		cleanups: &cleanups{log: opts.Logger},
		board:    newBoard(time.Now),
		failed:   make(chan error, 3),
	}
	if opts.CodecListener != nil {
		a.cleanups.add("codec listener", func(context.Context) error {
			_ = opts.CodecListener.Close() // Its server has closed it, unless that never began.
			return nil
		})
	}
	ring, err := opts.Config.Encryption.Ring()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting up encryption: %w", err), a.cleanups.run(context.WithoutCancel(ctx)))
	}
	a.ring = ring
	a.opts.Temporal = encryption.Apply(opts.Temporal, ring)
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.cleanups.run(context.WithoutCancel(ctx)))
	}
	return a, nil
}

// Start begins to serve and to work. It returns when the HTTP surface answers;
// a worker that cannot reach Temporal yet goes on trying.
func (a *App) Start(ctx context.Context) error {
	if err := a.serveMetrics(ctx); err != nil {
		return errors.Join(err, a.Stop(ctx))
	}
	if a.opts.API {
		a.background("unstored deliveries", a.unstored.Run) // It outlives the HTTP surface, to write what that counted last.
		// Before the server, and so stopped after it: its last events are folded.
		a.background("spool", a.intake.FoldSpool)
		if err := a.serve(ctx); err != nil {
			return errors.Join(err, a.Stop(ctx))
		}
		if err := a.serveCodec(); err != nil {
			return errors.Join(err, a.Stop(ctx))
		}
		a.background("dispatcher", a.dispatcher.Run)
		a.background("replays", a.replayer.Run)
		a.background("deliveries", a.deliver)
		if a.summary != nil {
			a.background("daily summary", a.summary.Run)
		}
	}
	if a.opts.Worker {
		a.startWorker()
	}
	return nil
}

// Run starts, waits for the context to end or for a part to fail, and stops.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		return err
	}
	if a.opts.Started != nil {
		a.opts.Started(ctx, a)
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-a.failed:
	}
	return errors.Join(failure, a.Stop(context.WithoutCancel(ctx)))
}

// Stop says that the process is not ready, and ends everything in reverse
// order: the worker, the dispatcher, and, when DrainFor is over, the requests;
// then the ledger. It is safe to call twice.
func (a *App) Stop(ctx context.Context) error {
	a.leaveAt.CompareAndSwap(0, time.Now().Add(a.opts.DrainFor).UnixNano())
	a.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownBudget)
	defer cancel()
	return a.cleanups.run(ctx)
}

// Failed reports a part that gave up; Run watches it.
func (a *App) Failed() <-chan error { return a.failed }

// URL is where the HTTP surface answers, once Start has returned.
func (a *App) URL() string {
	if a.listener == nil {
		return ""
	}
	return "http://" + a.listener.Addr().String()
}

// Ledger is the record, for the programs that show it.
func (a *App) Ledger() ledger.Ledger { return a.ledger }

// Temporal is the client.
func (a *App) Temporal() client.Client { return a.temporal }

func (a *App) serve(ctx context.Context) error {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", a.opts.Config.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is taken: choose another with --listen", a.opts.Config.Listen)
	}
	if err != nil {
		return fmt.Errorf("listening on %s: %w", a.opts.Config.Listen, err)
	}
	a.listener = listener
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serving HTTP: %w", err)
		}
	}()
	a.log.InfoContext(ctx, "api.listening", "url", a.URL())
	a.cleanups.add("http", func(ctx context.Context) error {
		a.linger(ctx)
		return server.Shutdown(ctx)
	})
	return nil
}

// linger waits until DrainFor is over.
func (a *App) linger(ctx context.Context) {
	timer := time.NewTimer(time.Until(time.Unix(0, a.leaveAt.Load())))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// background runs a loop until Stop, which waits for it.
func (a *App) background(name string, loop func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { loop(ctx) })
	a.cleanups.add(name, func(context.Context) error {
		cancel()
		running.Wait()
		return nil
	})
}

// deliver tells workflows of decisions that they have not heard of.
func (a *App) deliver(ctx context.Context) {
	ticker := time.NewTicker(deliverEvery)
	defer ticker.Stop()
	for {
		if _, err := a.desk.Deliver(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "decisions.not_delivered", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// startWorker connects the worker, and goes on trying while Temporal cannot be
// reached: a worker that starts before its server must not need a restart.
func (a *App) startWorker() {
	var started atomic.Bool
	a.cleanups.add("worker", func(context.Context) error {
		if started.Load() {
			a.worker.Stop()
		}
		return nil
	})
	a.background("firstpromoter check", a.checkFirstPromoter)
	a.background("worker connection", func(ctx context.Context) {
		ticker := time.NewTicker(connectEvery)
		defer ticker.Stop()
		for {
			err := a.connect(ctx)
			if err == nil {
				started.Store(true)
				a.log.InfoContext(ctx, "worker.started", "task_queue", a.opts.Config.Temporal.TaskQueue)
				a.schedule(ctx)
				a.policyChanged(ctx)
				return
			}
			a.log.WarnContext(ctx, "worker.not_connected", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// policyChanged has what waits decided anew where the policy is another one than
// before this start.
func (a *App) policyChanged(ctx context.Context) {
	if err := a.desk.PolicyChanged(ctx, a.policy.Version()); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "policy.not_applied_to_what_waits", "error", err,
			"consequence", "what waits is decided anew when somebody decides about it, or at the next start")
	}
}

// checkFirstPromoter says at start, once, what every reward would find out.
func (a *App) checkFirstPromoter(ctx context.Context) {
	err := a.firstPromoter.Check(ctx)
	a.board.note(partFirstPromoter, err)
	if err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "firstpromoter.not_usable", "error", err,
			"consequence", "events are accepted, and nothing is paid before FirstPromoter can be asked")
	}
}

func (a *App) connect(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, connectEvery)
	defer cancel()
	if _, err := provision.SearchAttributes(call, a.temporal, a.namespace(), workflows.SearchAttributes()); err != nil {
		if missing, ok := errors.AsType[*provision.ByHandError](err); ok {
			return fmt.Errorf("%w: %s", err, missing.Do)
		}
		return err
	}
	return a.worker.Start()
}

// schedule has Temporal start the reconciliation. Where that is not allowed,
// rewards are fulfilled all the same, and what comes back is not noticed.
func (a *App) schedule(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, scheduleBudget)
	defer cancel()
	if err := worker.Schedule(ctx, a.temporal, a.opts.Config.Temporal.TaskQueue); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "reconciliation.not_scheduled", "error", err,
			"consequence", "a payout that comes back after it was delivered is not noticed: allow this process to create schedules in the namespace")
	}
}
