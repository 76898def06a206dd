package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// LedgerFile returns the path of the ledger that is kept in SQLite.
func LedgerFile(cfg *config.Config) string { return filepath.Join(cfg.DataDir, "ledger.db") }

// OpenLedger opens the configured ledger. SQLite's file is made where it is
// missing and its schema brought up to date; PostgreSQL's schema must be there,
// and is left as it is. The caller closes the ledger.
func OpenLedger(ctx context.Context, cfg *config.Config, log *slog.Logger) (ledger.Ledger, error) {
	return openLedger(ctx, cfg, relational.Options{Logger: log})
}

func openLedger(ctx context.Context, cfg *config.Config, opts relational.Options) (ledger.Ledger, error) {
	l, err := openRelational(ctx, cfg, opts)
	if err != nil {
		return nil, err // And not a ledger that is nil.
	}
	return l, nil
}

func openRelational(ctx context.Context, cfg *config.Config, opts relational.Options) (*relational.Ledger, error) {
	if cfg.OnPostgres() {
		return postgres.Open(ctx, cfg.Database.Reveal(), opts)
	}
	return sqlite.Open(ctx, LedgerFile(cfg), opts)
}

// MigrateLedger brings the schema of the configured ledger up to date, and says
// in words what it did. lookup reads the environment; nil reads nothing.
func MigrateLedger(ctx context.Context, cfg *config.Config, log *slog.Logger, lookup func(string) (string, bool)) (string, error) {
	a := &App{opts: Options{Config: cfg, Lookup: lookup}, log: log}
	if lookup == nil {
		a.opts.Lookup = func(string) (string, bool) { return "", false }
	}
	if err := a.arm(ctx); err != nil {
		return "", err
	}
	if !cfg.OnPostgres() {
		l, err := openLedger(ctx, cfg, relational.Options{Logger: log, Migrating: a.migrating})
		if err != nil {
			return "", err
		}
		return LedgerFile(cfg) + " is up to date", l.Close()
	}
	done, err := postgres.Migrate(ctx, cfg.Database.Reveal(), a.migrating)
	switch {
	case err != nil:
		return "", err
	case done.From == 0:
		return fmt.Sprintf("the ledger was made, with schema version %d", done.To), nil
	case done.From == done.To:
		return fmt.Sprintf("the ledger is up to date: its schema has version %d", done.To), nil
	}
	return fmt.Sprintf("the ledger's schema went from version %d to %d", done.From, done.To), nil
}

// openOwnLedger is the ledger of this process.
func (a *App) openOwnLedger(ctx context.Context) (err error) {
	if a.opts.Migrate && a.opts.Config.OnPostgres() {
		done, err := postgres.Migrate(ctx, a.opts.Config.Database.Reveal(), a.migrating)
		if err != nil {
			return fmt.Errorf("migrating the ledger: %w", err)
		}
		if done.From != done.To {
			a.log.InfoContext(ctx, "ledger.migrated", "from", done.From, "to", done.To)
		}
	}
	a.ledger, err = openLedger(ctx, a.opts.Config, relational.Options{Logger: a.log, Migrating: a.migrating})
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	a.cleanups.add("ledger", func(context.Context) error { return a.ledger.Close() })
	return nil
}

// migrating is called before each step of the ledger's migration.
func (a *App) migrating() { a.crash.Pass(crashpoint.InMigration) }

// CopyLedger takes everything of the configured ledger over into another one,
// which is named as database in the configuration is, must be there (see
// MigrateLedger), and must be empty; payouts of the first one are paused then,
// in the name of by. No process may run on either.
func CopyLedger(ctx context.Context, from, to *config.Config, log *slog.Logger, by string) (relational.Copied, error) {
	source, err := openRelational(ctx, from, relational.Options{Logger: log})
	if err != nil {
		return relational.Copied{}, fmt.Errorf("opening the ledger to copy from: %w", err)
	}
	defer func() { _ = source.Close() }()
	target, err := openRelational(ctx, to, relational.Options{Logger: log})
	if err != nil {
		return relational.Copied{}, fmt.Errorf("opening the ledger to copy to: %w", err)
	}
	defer func() { _ = target.Close() }()
	return relational.Copy(ctx, source, target, ledger.BrakeState{
		Reason: "this ledger was copied to another database, which is in charge now", By: by, At: time.Now(),
	})
}
