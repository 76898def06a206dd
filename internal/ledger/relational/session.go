package relational

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// querier reads: a transaction of the writer, or a connection of the readers.
type querier interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args ...any) scanner
}

// scanner is a row, or the one row that a query returned.
type scanner interface {
	Scan(dest ...any) error
}

// pool reads outside any transaction, with the statements that it has met.
type pool struct {
	db      *sql.DB
	dialect Dialect

	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

// maxStatements bounds what a pool keeps prepared: the words of a list's query
// depend on what is asked for.
const maxStatements = 128

func newPool(db *sql.DB, dialect Dialect) *pool {
	return &pool{db: db, dialect: dialect, statements: make(map[string]*sql.Stmt)}
}

func (p *pool) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return p.db.QueryContext(ctx, p.dialect.Rewrite(query), p.dialect.Values(args)...)
	}
	return stmt.QueryContext(ctx, p.dialect.Values(args)...)
}

func (p *pool) queryRow(ctx context.Context, query string, args ...any) scanner {
	stmt, err := p.prepare(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	if stmt == nil {
		return p.db.QueryRowContext(ctx, p.dialect.Rewrite(query), p.dialect.Values(args)...)
	}
	return stmt.QueryRowContext(ctx, p.dialect.Values(args)...)
}

// prepare returns the query's statement, which every connection prepares once;
// nil when the pool keeps enough of them, or the database's driver does so itself.
func (p *pool) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	stmt, met := p.statements[query]
	full := len(p.statements) >= maxStatements || p.dialect.CachesReads()
	p.mu.RUnlock()
	if met || full {
		return stmt, nil
	}
	made, err := p.db.PrepareContext(ctx, p.dialect.Rewrite(query))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt, met := p.statements[query]; met || len(p.statements) >= maxStatements {
		return stmt, made.Close() // Somebody else was quicker.
	}
	p.statements[query] = made
	return made, nil
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, stmt := range p.statements {
		errs = append(errs, stmt.Close())
	}
	clear(p.statements)
	return errors.Join(append(errs, p.db.Close())...)
}

// readOnly reads one state of the database.
type readOnly struct {
	transaction *sql.Tx
	dialect     Dialect
}

func (r readOnly) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.transaction.QueryContext(ctx, r.dialect.Rewrite(query), r.dialect.Values(args)...)
}

func (r readOnly) queryRow(ctx context.Context, query string, args ...any) scanner {
	return r.transaction.QueryRowContext(ctx, r.dialect.Rewrite(query), r.dialect.Values(args)...)
}

// session is the writer's connection with the statements that it has met,
// prepared once.
type session struct {
	dialect    Dialect
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

func openSession(ctx context.Context, db *sql.DB, dialect Dialect) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{dialect: dialect, conn: conn, statements: make(map[string]*sql.Stmt)}
	if err := dialect.Prepare(ctx, conn); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.statements[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, s.dialect.Rewrite(query))
	if err != nil {
		return nil, err
	}
	s.statements[query] = stmt
	return stmt, nil
}

func (s *session) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, s.dialect.Values(args)...)
}

// close ends the connection for good, so that nothing of a broken
// transaction can reach the next one.
func (s *session) close() {
	for _, stmt := range s.statements {
		_ = stmt.Close()
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}

// tx is what one operation sees of the batch's transaction.
type tx struct {
	session *session
	// now is the time of the operation, in UTC and whole milliseconds.
	now time.Time
}

// exec returns how many rows were changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.session.exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// isConstraint reports whether a row was refused by a constraint or a trigger.
func (t *tx) isConstraint(err error) bool {
	return err != nil && t.session.dialect.Diagnose(err).Constraint
}

func (t *tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.session.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, t.session.dialect.Values(args)...)
}

func (t *tx) queryRow(ctx context.Context, query string, args ...any) scanner {
	stmt, err := t.session.prepare(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	return stmt.QueryRowContext(ctx, t.session.dialect.Values(args)...)
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) (_ []T, failed error) {
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := rows.Close(); failed == nil {
			failed = err
		}
	}()
	var out []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, rows.Err()
}

// millis is how a time is stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis is the inverse of millis.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
