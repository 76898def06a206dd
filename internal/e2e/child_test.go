package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// childVariable makes the test binary a child, and holds its spec as JSON.
const childVariable = "REWARDFLOW_E2E_CHILD"

// spec says what a child process does. The zero ports are free ones.
type spec struct {
	// Config is the path of its configuration.
	Config string
	// Temporal is the address of a server elsewhere; empty runs an engine in
	// the child, like cmd/standalone.
	Temporal     string
	TemporalPort int
	// Engine is the URL of a PostgreSQL database for the child's engine; empty is
	// a SQLite file.
	Engine string
	// Build is the version of the child's worker in the deployment that its
	// configuration names; empty is a worker without one.
	Build string
	// UIPort is engine.NoPort for no UI.
	UIPort int
	// NoAPI and NoWorker leave a role out.
	NoAPI, NoWorker bool
	// DrainFor is how long it serves after it was told to stop.
	DrainFor time.Duration
	// Debug makes it log everything.
	Debug bool
	// JSONLog makes it log JSON.
	JSONLog bool
	// MaxFile is how long a file may grow, in bytes; zero means no limit.
	MaxFile uint64
}

// ready is what a child says when it serves.
type ready struct {
	// URL is the HTTP surface, empty without one.
	URL string
	// Temporal is the address of its engine.
	Temporal string
}

// runChild is a child's main function: cmd/standalone's serve, with ports and
// roles as the spec wants them.
func runChild(encoded string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		// The parent holds the other end for as long as it lives.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	var s spec
	err := json.Unmarshal([]byte(encoded), &s)
	if err == nil {
		err = limitFiles(s.MaxFile)
	}
	if err == nil {
		err = s.serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func (s spec) serve(ctx context.Context) error {
	// Nothing of the developer's environment is meant for this process.
	cfg, err := config.Load(s.Config, func(string) (string, bool) { return "", false })
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if s.Debug {
		level = slog.LevelDebug
	}
	format := telemetry.FormatText
	if s.JSONLog {
		format = telemetry.FormatJSON
	}
	logger := telemetry.NewLogger(os.Stderr, format, level)
	if s.Temporal != "" {
		return s.run(ctx, cfg, logger, s.Temporal, "")
	}
	e, err := engine.Start(ctx, engine.Options{
		Dir: filepath.Join(cfg.DataDir, "temporal"), Database: s.Engine, GRPCPort: s.TemporalPort, UIPort: s.UIPort, MetricsPort: engine.NoPort,
		SearchAttributes: workflows.SearchAttributes(), Logger: logger,
	})
	if err != nil {
		return err
	}
	return errors.Join(s.run(ctx, cfg, logger, e.Address(), e.UIURL()), e.Stop())
}

// run serves until the context ends.
func (s spec) run(ctx context.Context, cfg *config.Config, logger *slog.Logger, temporal, ui string) error {
	var deployment worker.Deployment
	if s.Build != "" {
		deployment = worker.Deployment{Name: cfg.Temporal.Deployment, Build: s.Build}
	}
	process, err := app.New(ctx, app.Options{
		Config: cfg, API: !s.NoAPI, Worker: !s.NoWorker,
		Temporal:      client.Options{HostPort: temporal, Identity: "e2e"},
		TemporalUIURL: ui, Version: "e2e", Logger: logger, Lookup: os.LookupEnv, DrainFor: s.DrainFor,
		Deployment: deployment, Cluster: s.Build != "", Migrate: true,
	})
	if err != nil {
		return err
	}
	if err := process.Start(ctx); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(ready{URL: process.URL(), Temporal: temporal}); err != nil {
		return errors.Join(err, process.Stop(ctx))
	}
	select {
	case <-ctx.Done():
	case err = <-process.Failed():
	}
	return errors.Join(err, process.Stop(ctx))
}
