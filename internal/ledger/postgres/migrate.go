package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/rewardflow/rewardflow/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrated says what Migrate did.
type Migrated struct {
	From, To int64 // Versions of the schema; From is 0 where there was none.
}

// Migrate makes the ledger's schema where it is missing and brings it up to
// date. migrating, where it is not nil, is called before each step. Several may
// migrate at once: one of them does, and the others wait for it.
//
// A schema that is newer than this program is fault.Invalid and is left alone.
func Migrate(ctx context.Context, url string, migrating func()) (Migrated, error) {
	p, err := parse(opMigrate, url)
	if err != nil {
		return Migrated{}, err
	}
	db := p.pool(nil)
	done, err := p.migrate(ctx, db, migrating)
	return done, errors.Join(err, db.Close())
}

// migrate holds a lock of its own from before the schema is made: goose's would
// come after the first look, and two who make one schema or one table at the
// same moment refuse each other.
func (p place) migrate(ctx context.Context, db *sql.DB, migrating func()) (_ Migrated, failed error) {
	turn, err := db.Conn(ctx)
	if err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	defer func() { failed = errors.Join(failed, turn.Close()) }()
	release, err := hold(ctx, turn, 0)
	if err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	defer release()
	if err := p.createSchema(ctx, db); err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	steps, err := p.steps(db)
	if err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	current, known, err := steps.GetVersions(ctx)
	if err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	if current > known {
		return Migrated{}, p.tooNew(opMigrate, current, known)
	}
	if err := p.stepUp(ctx, turn, steps, migrating); err != nil {
		return Migrated{}, p.openFault(opMigrate, err)
	}
	return Migrated{From: current, To: known}, nil
}

// stepUp takes the steps that are left. Nobody writes meanwhile: a writer that
// holds one table and a step that holds another would wait for each other.
func (p place) stepUp(ctx context.Context, turn *sql.Conn, steps *goose.Provider, migrating func()) error {
	pending, err := steps.HasPending(ctx)
	if err != nil || !pending {
		return err
	}
	release, err := hold(ctx, turn, writersKey(p.schema))
	if err != nil {
		return err
	}
	defer release()
	for pending {
		if migrating != nil {
			migrating()
		}
		if _, err := steps.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return err
		}
		if pending, err = steps.HasPending(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hold takes an advisory lock for the session, until it is released.
func hold(ctx context.Context, session *sql.Conn, key int32) (release func(), err error) {
	if _, err := session.ExecContext(ctx, `SELECT pg_advisory_lock($1, $2)`, lockClass, key); err != nil {
		return nil, err
	}
	return func() {
		_, _ = session.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1, $2)`, lockClass, key)
	}, nil
}

// createSchema looks first: who may not create a schema may use one that an
// administrator made.
func (p place) createSchema(ctx context.Context, db *sql.DB) error {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, p.schema).Scan(&there)
	if err != nil || there {
		return err
	}
	_, err = db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{p.schema}.Sanitize())
	return err
}

func (p place) steps(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
}

// check refuses a schema that this program does not know, and changes nothing.
func (p place) check(ctx context.Context, db *sql.DB) error {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2)`,
		p.schema, goose.DefaultTablename).Scan(&there)
	if err != nil {
		return p.openFault(opOpen, err)
	}
	if !there {
		return fault.New(fault.Invalid, opOpen, fmt.Sprintf("%s holds no ledger yet: run rewardflow migrate once", p))
	}
	var current int64
	// Read by a plain query: goose would make its table, and take its lock.
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied`).Scan(&current)
	if err != nil {
		return p.openFault(opOpen, err)
	}
	steps, err := p.steps(db)
	if err != nil {
		return p.openFault(opOpen, err)
	}
	sources := steps.ListSources()
	known := sources[len(sources)-1].Version
	switch {
	case current > known:
		return p.tooNew(opOpen, current, known)
	case current < known:
		return fault.New(fault.Invalid, opOpen, fmt.Sprintf(
			"%s has schema version %d and this program needs version %d: run rewardflow migrate, while the old processes go on", p, current, known))
	}
	return nil
}

func (p place) tooNew(op string, current, known int64) error {
	return fault.New(fault.Invalid, op, fmt.Sprintf(
		"%s has schema version %d and this program knows versions up to %d: use a newer rewardflow", p, current, known))
}
