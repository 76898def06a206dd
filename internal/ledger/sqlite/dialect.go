package sqlite

import (
	"context"
	"database/sql"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// lockPause is how long the writer rests before it asks again for the lock
// that another process holds. SQLite itself would ask less and less often (up
// to every 100 ms), so that a process that has waited for long loses to those
// that came just now.
const lockPause = time.Millisecond

// dialect is the language in which package relational is written.
type dialect struct{}

var _ relational.Dialect = dialect{}

// Rewrite implements relational.Dialect.
func (dialect) Rewrite(statement string) string { return statement }

// Values implements relational.Dialect.
func (dialect) Values(values []any) []any { return values }

// Prepare implements relational.Dialect. The writer waits for the lock itself.
func (dialect) Prepare(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0")
	return err
}

// Begin implements relational.Dialect. The lock is the file's own.
func (dialect) Begin() []string { return []string{"BEGIN IMMEDIATE"} }

// Snapshot implements relational.Dialect.
func (dialect) Snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

// CachesReads implements relational.Dialect.
func (dialect) CachesReads() bool { return false }

// Renumber implements relational.Dialect: a new row is numbered behind the
// highest that there is.
func (dialect) Renumber(string, string) string { return "" }

// Diagnose implements relational.Dialect. Only when SQLite proves that the
// commit's last frame was not written is nothing committed.
func (dialect) Diagnose(err error) relational.Diagnosis {
	found := relational.Diagnosis{Words: describe(err)}
	switch primaryCode(err) {
	case codeBusy:
		found.Passing, found.Uncommitted = true, true
		found.Again = lockPause
	case codeLocked, codeFull, codeReadOnly:
		found.Passing, found.Uncommitted = true, true
	case codePermission, codeIO, codeCannotOpen:
		found.Passing = true
	case codeConstraint:
		found.Constraint, found.Alone = true, true
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		found.Alone = true
	case 0:
		found.Broken = isBrokenConnection(err)
		found.Passing, found.Alone = found.Broken, !found.Broken
	}
	return found
}
