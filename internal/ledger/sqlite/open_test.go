package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// raw opens a database without any of the ledger's care.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// requireRefused opens what cannot be the ledger, and returns the words.
func requireRefused(t *testing.T, path string, kind fault.Kind) string {
	t.Helper()
	l, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		_ = l.Close()
	}
	require.Error(t, err)
	require.Equal(t, kind, fault.KindOf(err), err.Error())
	require.Contains(t, err.Error(), path, "the error says where")
	return fault.Message(err)
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "new", "data dir ?#%41")
	path := filepath.Join(dir, "ledger.db")
	l := open(t, path, sqlite.Options{})
	require.NoError(t, l.Ping(t.Context()))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file.Name())
		require.Contains(t, file.Name(), "ledger.db")
	}
}

func TestOpenRefusesForeignFiles(t *testing.T) {
	t.Parallel()

	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		}
	}
	cases := []struct {
		name  string
		make  func(t *testing.T, path string)
		words string
	}{
		{"short text", write("hello"), "not a SQLite database"},
		{"long text", write(string(make([]byte, 5000)) + "hello"), "not a SQLite database"},
		{"directory", func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Mkdir(path, 0o700)) }, "not a file"},
		{"unmarked database", func(t *testing.T, path string) {
			t.Helper()
			mustExec(t, raw(t, path), `CREATE TABLE users (id INTEGER)`)
		}, "another program"},
		{"marked database", func(t *testing.T, path string) {
			t.Helper()
			mustExec(t, raw(t, path), `PRAGMA application_id = 77`)
		}, "another program"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "ledger.db")
			c.make(t, path)
			before, readErr := os.ReadFile(path)
			require.Contains(t, requireRefused(t, path, fault.Invalid), c.words)
			after, err := os.ReadFile(path)
			require.Equal(t, readErr == nil, err == nil)
			require.Equal(t, before, after, "a foreign file is not touched")
		})
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	require.NoError(t, open(t, path, sqlite.Options{}).Close())
	mustExec(t, raw(t, path), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	require.Contains(t, requireRefused(t, path, fault.Invalid), "9999")
}

func TestOpenResumesAnInterruptedFirstStart(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	mustExec(t, raw(t, path), `PRAGMA application_id = 1920427628`,
		`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,
			is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`)
	require.NoError(t, open(t, path, sqlite.Options{}).Ping(t.Context()))
}

func TestOpenNamesTheLock(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	require.NoError(t, open(t, path, sqlite.Options{}).Close())
	other := raw(t, path)
	mustExec(t, other, `PRAGMA locking_mode = EXCLUSIVE`, `BEGIN EXCLUSIVE`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := sqlite.Open(ctx, path, sqlite.Options{})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "locked")
}

func TestOpenNamesWhatItMayNotWrite(t *testing.T) {
	t.Parallel()

	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	require.NoError(t, open(t, path, sqlite.Options{}).Close())
	require.NoError(t, os.Chmod(path, 0o400))
	require.Contains(t, requireRefused(t, path, fault.Denied), "may not write")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	require.Contains(t, requireRefused(t, path, fault.Denied), "may not write")
	require.Contains(t, requireRefused(t, filepath.Join(dir, "new.db"), fault.Denied), "may not write")
	require.Contains(t, requireRefused(t, filepath.Join(dir, "sub", "new.db"), fault.Denied), "may not write")
}

func TestOpenBelowAFile(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	requireRefused(t, filepath.Join(file, "ledger.db"), fault.Invalid)
	_, err := sqlite.Open(t.Context(), "", sqlite.Options{})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func TestManyOpenOneNewFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgers := make([]*sqlite.Ledger, 8)
	errs := make([]error, len(ledgers))
	var wg sync.WaitGroup
	for i := range ledgers {
		wg.Go(func() {
			ledgers[i], errs[i] = sqlite.Open(context.Background(), path, sqlite.Options{})
		})
	}
	wg.Wait()
	for i, l := range ledgers {
		require.NoError(t, errs[i])
		_, err := l.Accept(t.Context(), ledgertest.Event(int64(i+1)), time.Minute)
		require.NoError(t, err)
	}
	records, err := ledgers[0].ListRewards(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, records, len(ledgers))
	for _, l := range ledgers {
		require.NoError(t, l.Close())
	}
}
