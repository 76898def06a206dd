package postgres

import (
	"context"
	"database/sql"
)

// WritersLock returns the statement that takes the writers' lock of a schema.
func WritersLock(schema string) string { return dialectOf(schema).writersLock }

// Rewrite turns a statement of package relational into one for PostgreSQL.
func Rewrite(statement string) string { return dialect{}.Rewrite(statement) }

// Values turns values of package relational into some for PostgreSQL.
func Values(values ...any) []any { return dialect{}.Values(values) }

// WriterSettings returns settings of a connection that Open would write on.
func WriterSettings(ctx context.Context, url string, opts Options, names ...string) ([]string, error) {
	p, err := parse(opOpen, url)
	if err != nil {
		return nil, err
	}
	db := p.writers(opts)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := (dialect{}).Prepare(ctx, conn); err != nil {
		return nil, err
	}
	return show(ctx, conn, names)
}

func show(ctx context.Context, conn *sql.Conn, names []string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		if err := conn.QueryRowContext(ctx, `SHOW `+name).Scan(&values[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}
