// Package postgres keeps the ledger in a schema of a PostgreSQL database, for
// any number of processes on any number of machines.
//
// Whoever writes takes an advisory lock first, so that one process writes at a
// time, in batches (see package relational). The connections must reach the
// server itself, or a pooler that keeps a session together: a pooler that hands
// out transactions loses prepared statements and settings.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// Ledger is a ledger.Ledger in a PostgreSQL database. Open makes one.
type Ledger = relational.Ledger

// Options are what Open may be told. The zero value is ready for use.
type Options = relational.Options

const (
	opOpen    = "ledger.open"
	opMigrate = "ledger.migrate"

	// DefaultSchema is the schema of a ledger whose URL has no search_path.
	DefaultSchema = "rewardflow"

	// readConnections bounds the concurrent reads of one process.
	readConnections = 8
	// answerTime is Options.AnswerTime where the caller names none.
	answerTime = 15 * time.Second
	// connectTime is how long connecting may take where the URL does not say.
	connectTime = 5 * time.Second
)

// Open opens the ledger that a URL names, postgres://user:password@host:port/database.
// Several hosts may be named; the one that can be written to is taken, again
// after each fail-over. The parameter search_path names the schema, otherwise it
// is DefaultSchema. The caller closes the ledger.
//
// Open changes nothing. A database without a ledger, or with one whose schema is
// older or newer than this program's, is fault.Invalid and says what to do; a
// server that cannot be reached is fault.Unavailable; a login or a right that is
// missing is fault.Denied.
func Open(ctx context.Context, url string, opts Options) (_ *Ledger, failed error) {
	opts = opts.WithDefaults()
	if opts.AnswerTime <= 0 {
		opts.AnswerTime = answerTime
	}
	p, err := parse(opOpen, url)
	if err != nil {
		return nil, err
	}
	writers := p.writers(opts)
	readers := p.pool(map[string]string{
		"default_transaction_read_only": "on",
		"statement_timeout":             milliseconds(opts.AnswerTime),
	})
	readers.SetMaxOpenConns(readConnections)
	readers.SetMaxIdleConns(readConnections)
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, writers.Close(), readers.Close())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, opts.AnswerTime)
	defer cancel()
	if err := p.check(ctx, writers); err != nil {
		return nil, err
	}
	return relational.New(dialectOf(p.schema), writers, readers, opts), nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// place is where a ledger is.
type place struct {
	config *pgx.ConnConfig
	schema string
}

// parse refuses what is no URL of a database without repeating it: it may hold
// a password.
func parse(op, url string) (place, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return place{}, fault.New(fault.Invalid, op, "the ledger's URL does not begin with postgres://")
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return place{}, fault.New(fault.Invalid, op,
			"the ledger's URL cannot be read: it is postgres://user:password@host:port/database?sslmode=verify-full, with special characters in the password written as %XX")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	if config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "rewardflow"
	}
	schema := config.RuntimeParams["search_path"]
	if schema == "" {
		schema = DefaultSchema
	}
	if strings.ContainsAny(schema, ", \"'\\$") {
		return place{}, fault.New(fault.Invalid, op, "search_path in the ledger's URL names one schema, in plain letters")
	}
	config.RuntimeParams["search_path"] = schema
	return place{config: config, schema: schema}, nil
}

// String names the place without its password.
func (p place) String() string {
	return fmt.Sprintf("database %s on %s (schema %s)", p.config.Database, p.config.Host, p.schema)
}

// pool returns connections with further settings of the session.
func (p place) pool(settings map[string]string) *sql.DB {
	config := p.config.Copy()
	for name, value := range settings {
		config.RuntimeParams[name] = value
	}
	if settings["default_transaction_read_only"] == "on" {
		// It would look like a standby to a check that wants to write.
		config.ValidateConnect = nil
	}
	return stdlib.OpenDB(*config)
}

// writers returns the connection that writes.
func (p place) writers(opts Options) *sql.DB {
	db := p.pool(map[string]string{
		"lock_timeout":      milliseconds(opts.LockWait),
		"statement_timeout": milliseconds(opts.AnswerTime),
		// A process that stands still in the middle of a batch keeps nobody waiting for longer.
		"idle_in_transaction_session_timeout": milliseconds(opts.AnswerTime),
	})
	db.SetMaxOpenConns(1)
	return db
}

// openFault says in words why the ledger cannot be opened or migrated.
func (p place) openFault(op string, err error) error {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(server.Code, "28"), server.Code == "42501":
			return fault.Wrap(fault.Denied, op, fmt.Sprintf("%s: %s", p, describe(err)), err)
		case server.Code == "3D000":
			return fault.Wrap(fault.Invalid, op, fmt.Sprintf("%s: %s; create it first", p, describe(err)), err)
		}
	}
	return fault.Wrap(fault.Unavailable, op, fmt.Sprintf("%s cannot be opened: %s", p, describe(err)), err)
}
