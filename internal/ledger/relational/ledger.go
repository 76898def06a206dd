// Package relational keeps the ledger in a relational database: what every
// operation reads and writes is said here, once for SQLite and for PostgreSQL.
// The adapters (ledger/sqlite, ledger/postgres) bring the connections, the
// schema and their Dialect.
//
// All writes of a process go through one goroutine, which commits many
// operations at once; reads use connections of their own. Of several processes
// on one database, one writes at a time: what an operation has read is so until
// it commits, and no rule about money depends on the finer points of isolation.
package relational

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Ledger is a ledger.Ledger in a relational database. New makes one.
type Ledger struct {
	dialect    Dialect
	writer     *writer
	writers    *sql.DB
	readers    *pool
	answerTime time.Duration

	closeOnce sync.Once
	closeErr  error
}

var _ ledger.Ledger = (*Ledger)(nil)

// Options are what Open may be told. The zero value is ready for use.
type Options struct {
	// Now is the clock for everything that the caller does not date itself;
	// time.Now when nil.
	Now func() time.Time
	// Logger hears of bugs and broken connections; nothing is logged when nil.
	Logger *slog.Logger
	// LockWait is how long a write waits while another process writes, or for a
	// database that does not answer; zero means 5 seconds.
	LockWait time.Duration
	// Migrating is called before each step of a migration; nil calls nothing.
	Migrating func()
	// AnswerTime is how long the database may take for one read, or for what is
	// committed together; zero means for ever, as for a local file.
	AnswerTime time.Duration
}

// WithDefaults returns the options with every zero value replaced that has a default.
func (o Options) WithDefaults() Options {
	if o.LockWait <= 0 {
		o.LockWait = 5 * time.Second
	}
	if o.Migrating == nil {
		o.Migrating = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// New returns the ledger in a database whose schema is up to date. It owns both
// pools from now on: writers is used for one connection only, readers must not
// be able to write.
func New(dialect Dialect, writers, readers *sql.DB, opts Options) *Ledger {
	return &Ledger{
		dialect:    dialect,
		writer:     startWriter(dialect, writers, opts.WithDefaults()),
		writers:    writers,
		readers:    newPool(readers, dialect),
		answerTime: opts.AnswerTime,
	}
}

// Ping implements ledger.Ledger. It commits a row and its removal together,
// so that a full disk and a lost lock are noticed, and nothing stays behind.
func (l *Ledger) Ping(ctx context.Context) error {
	return l.writer.do(ctx, "ledger.ping", func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `INSERT INTO ping (at) VALUES (?)`, millis(t.now)); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM ping`)
		return err
	})
}

// Close lets what is queued finish, and closes the connections. Later calls return
// what the first one did.
func (l *Ledger) Close() error {
	l.closeOnce.Do(func() {
		l.writer.close()
		// The writer's connection goes last: SQLite's empties the write-ahead log.
		readErr := l.readers.close()
		l.closeErr = l.writers.Close()
		if l.closeErr == nil {
			l.closeErr = readErr
		}
		l.closeErr = classify(l.dialect, "ledger.close", l.closeErr)
	})
	return l.closeErr
}

// write runs one operation through the writer and returns its result, once it
// is committed.
func write[T any](ctx context.Context, l *Ledger, op string, do func(context.Context, *tx) (T, error)) (T, error) {
	var none T
	out := new(T)
	err := l.writer.do(ctx, op, func(ctx context.Context, t *tx) (err error) {
		*out, err = do(ctx, t)
		return err
	})
	if err != nil {
		// After an error the operation may still be running: out is not ours.
		return none, err
	}
	return *out, nil
}

// read runs a query on a connection that cannot write.
func read[T any](ctx context.Context, l *Ledger, op string, do func(context.Context, querier) (T, error)) (T, error) {
	within, cancel := l.within(ctx)
	defer cancel()
	out, err := do(within, l.readers)
	if err != nil {
		var none T
		return none, l.classifyRead(ctx, op, err)
	}
	return out, nil
}

// snapshot is read for a result that is made of several queries: all of them
// see the same state.
func snapshot[T any](ctx context.Context, l *Ledger, op string, do func(context.Context, querier) (T, error)) (T, error) {
	var none T
	within, cancel := l.within(ctx)
	defer cancel()
	transaction, err := l.readers.db.BeginTx(within, l.dialect.Snapshot())
	if err != nil {
		return none, l.classifyRead(ctx, op, err)
	}
	defer func() { _ = transaction.Rollback() }()
	out, err := do(within, readOnly{transaction, l.dialect})
	if err != nil {
		return none, l.classifyRead(ctx, op, err)
	}
	return out, nil
}

// within bounds a read by the time that the database has for it.
func (l *Ledger) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.answerTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, l.answerTime)
}

// classifyRead tells a caller who went from a database that does not answer.
func (l *Ledger) classifyRead(caller context.Context, op string, err error) error {
	if caller.Err() == nil {
		return classifyLost(l.dialect, op, err)
	}
	return classify(l.dialect, op, err)
}
