package relational

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

// Exec runs one statement within an operation of the writer.
type Exec func(query string, args ...any) error

// Write runs an operation through the writer.
func (l *Ledger) Write(ctx context.Context, do func(Exec) error) error {
	return l.writer.do(ctx, "ledger.test", func(ctx context.Context, t *tx) error {
		return do(func(query string, args ...any) error {
			_, err := t.exec(ctx, query, args...)
			return err
		})
	})
}

// Queued returns how many operations wait for the writer.
func (l *Ledger) Queued() int { return len(l.writer.queue) }

// Readers returns the connections that cannot write.
func (l *Ledger) Readers() *sql.DB { return l.readers.db }

// Kept returns how many statements are kept prepared for reading, of at most MaxKept.
func (l *Ledger) Kept() int {
	l.readers.mu.RLock()
	defer l.readers.mu.RUnlock()
	return len(l.readers.statements)
}

// MaxKept is how many statements are kept for reading.
const MaxKept = maxStatements

// Depth counts what waits, and no further than most.
func (l *Ledger) Depth(ctx context.Context, most int) (int, time.Time, error) {
	return l.depth(ctx, most)
}

// CopiedTables are the tables that Copy fills.
func CopiedTables() []string {
	tables := slices.Clone(derived)
	for _, t := range copied {
		tables = append(tables, t.table)
	}
	return tables
}

// MaxQueued is how many operations may wait.
const MaxQueued = maxQueued

// CommitFault classifies an error of COMMIT that says nothing.
func (l *Ledger) CommitFault() error {
	return classifyCommit(l.dialect, "ledger.test", errors.New("connection reset"))
}

// StatementPlan returns the query of a page of a statement, its arguments, and
// how SQLite carries it out.
func (l *Ledger) StatementPlan(
	ctx context.Context, f ledger.PayoutFilter, after ledger.PayoutCursor,
) (query string, args []any, plan []string, err error) {
	query, args = statementPage(f, after, maxLimit)
	rows, err := l.readers.db.QueryContext(ctx, `EXPLAIN QUERY PLAN `+query, args...)
	plan, err = collect(rows, err, func(row scanner) (string, error) {
		var id, parent, unused int
		var detail string
		err := row.Scan(&id, &parent, &unused, &detail)
		return detail, err
	})
	return query, args, plan, err
}
