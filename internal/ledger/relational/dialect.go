package relational

import (
	"context"
	"database/sql"
	"time"
)

// Dialect is where one database differs from the other. The statements of this
// package are written for SQLite; those that PostgreSQL reads otherwise are few,
// and Rewrite is for them.
type Dialect interface {
	// Rewrite returns a statement as the database wants it. It comes with ? for
	// each value and with two hints of SQLite's: INDEXED BY, and CROSS JOIN with
	// ON, which keeps the order of the tables.
	Rewrite(statement string) string
	// Values returns the values of a statement as the database takes them. It
	// may change the slice that it is given.
	Values(values []any) []any
	// Prepare makes a new connection of the writer ready.
	Prepare(ctx context.Context, conn *sql.Conn) error
	// Begin returns the statements that begin a transaction of which no other
	// writer's is a contemporary: from the last of them to the commit, nobody
	// else writes.
	Begin() []string
	// Snapshot returns how a transaction begins whose every query sees one state.
	Snapshot() *sql.TxOptions
	// CachesReads reports whether the driver prepares by itself what it reads
	// again and again.
	CachesReads() bool
	// Renumber returns the statement after which a table's own numbers go on
	// behind its highest; empty where the database sees to that.
	Renumber(table, column string) string
	// Diagnose says what an error of the database means. It is never called
	// with nil.
	Diagnose(err error) Diagnosis
}

// Diagnosis is what an error of the database means.
type Diagnosis struct {
	// Words say it to people, and hold no stored value.
	Words string
	// Constraint: a row was refused by a constraint or a trigger.
	Constraint bool
	// Passing: it is about the database's circumstances, and no bug.
	Passing bool
	// Alone: it is about one operation; the transaction and the connection are
	// as good as before once its savepoint is undone.
	Alone bool
	// Broken: the connection is of no use any more.
	Broken bool
	// Uncommitted: where COMMIT says it, surely nothing was committed.
	Uncommitted bool
	// Again is after which time it is worth another try to begin; zero: never.
	Again time.Duration
}
