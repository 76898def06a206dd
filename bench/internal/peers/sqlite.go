package peers

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // The driver "sqlite".
)

// openSQLite opens a database with a write-ahead log that is synced at every
// commit, which is what rewardflow's ledger and its engine have: a commit
// survives a power cut.
func openSQLite(ctx context.Context, dir, name string, connections int) (*sql.DB, error) {
	pragmas := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(ON)"},
	}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(filepath.Join(dir, name))+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(time.Hour)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return db, nil
}
