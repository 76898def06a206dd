package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// lockClass marks the advisory locks of ledgers: "rwfl" in ASCII.
const lockClass = 0x7277666c

// dialect is what package relational has to know about PostgreSQL.
type dialect struct {
	// writersLock takes the advisory lock that whoever writes to the ledger
	// holds until it commits.
	writersLock string
}

// dialectOf is for the ledger in a schema; two of them in one database do not
// wait for each other.
func dialectOf(schema string) dialect {
	return dialect{fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d, %d)`, lockClass, writersKey(schema))}
}

// writersKey is the writers' lock within lockClass.
func writersKey(schema string) int32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(schema)) // Never fails.
	return int32(hash.Sum32())
}

var _ relational.Dialect = dialect{}

// hints are what SQLite alone understands: which index to take, and that the
// order of the tables is to stay. The planner here decides by its statistics.
var hints = regexp.MustCompile(` INDEXED BY \w+|CROSS (JOIN)`)

// Rewrite implements relational.Dialect.
func (dialect) Rewrite(statement string) string {
	statement = hints.ReplaceAllString(statement, "$1")
	var out strings.Builder
	out.Grow(len(statement) + 16)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteByte('$')
		out.WriteString(strconv.Itoa(n))
		statement = after
	}
}

// Values implements relational.Dialect. Truth values are stored as 0 and 1. No
// text can hold the character NUL here, so that it is stored as U+FFFD, as a
// broken one would be: what came from outside must be accepted all the same.
func (dialect) Values(values []any) []any {
	for i, value := range values {
		switch v := value.(type) {
		case bool:
			values[i] = int64(0)
			if v {
				values[i] = int64(1)
			}
		case string:
			if strings.IndexByte(v, 0) >= 0 {
				values[i] = strings.ReplaceAll(v, "\x00", "\uFFFD")
			}
		}
	}
	return values
}

// Prepare implements relational.Dialect. A server may be set to answer before
// a commit is on the disk; the ledger's commits wait for it.
func (dialect) Prepare(ctx context.Context, conn *sql.Conn) error {
	var setting string
	if err := conn.QueryRowContext(ctx, `SHOW synchronous_commit`).Scan(&setting); err != nil {
		return fmt.Errorf("read synchronous_commit: %w", err)
	}
	if setting != "off" {
		return nil
	}
	_, err := conn.ExecContext(ctx, `SET synchronous_commit = on`)
	return err
}

// Begin implements relational.Dialect. The lock comes first, and each statement
// after it sees what was committed before it: no other writer's work can come
// between an operation's look and its commit. The server gives the lock back
// when the transaction ends, or the connection.
func (d dialect) Begin() []string { return []string{"BEGIN", d.writersLock} }

// CachesReads implements relational.Dialect. pgx also forgets a statement whose
// plan a migration has made invalid.
func (dialect) CachesReads() bool { return true }

// Snapshot implements relational.Dialect.
func (dialect) Snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// Renumber implements relational.Dialect.
func (dialect) Renumber(table, column string) string {
	return fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%[1]s', '%[2]s'), coalesce((SELECT max(%[2]s) FROM %[1]s), 0) + 1, false)`, table, column)
}
