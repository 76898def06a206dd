package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies what is missing. Several processes may start on one new
// file at once: each migration is one transaction, so one of them wins and
// the others find it applied when they look again.
func migrate(ctx context.Context, db *sql.DB, path string, migrating func()) error {
	const lockPatience, patience, pause = 10 * time.Second, 30 * time.Second, 50 * time.Millisecond
	began := time.Now()
	for {
		err := migrateOnce(ctx, db, path, migrating)
		allowed := patience // Every migration has its losers, who look again.
		if hasCode(err, codeBusy, codeLocked) {
			allowed = lockPatience // Somebody holds the lock and does not migrate.
		}
		if err == nil || isRefusal(err) || time.Since(began) > allowed {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func migrateOnce(ctx context.Context, db *sql.DB, path string, migrating func()) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return openFault(path, err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return openFault(path, err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return openFault(path, err)
	}
	if current > known {
		return refuse(path, fmt.Sprintf(
			"its schema has version %d and this program knows versions up to %d; use a newer rewardflow", current, known))
	}
	for ; current < known; current++ {
		migrating()
		if _, err := provider.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return openFault(path, err)
		}
	}
	return nil
}
