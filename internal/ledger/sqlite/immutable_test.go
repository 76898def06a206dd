package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// TestDatabaseKeepsWhatWasWritten breaks in with plain SQL, as a hurried
// person would.
func TestDatabaseKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.Fill(t, open(t, path, sqlite.Options{}))
	db := raw(t, path)
	for _, table := range ledgertest.KeptTables() {
		var rows int
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows))
		require.Positive(t, rows, "%s is empty: the test shows nothing", table)
		_, err := db.ExecContext(t.Context(), `DELETE FROM `+table)
		require.Error(t, err, table)
	}
	for _, update := range ledgertest.ForbiddenUpdates() {
		_, err := db.ExecContext(t.Context(), update)
		require.Error(t, err, update)
	}
	mustExec(t, db, `UPDATE decisions SET delivered_at = 1`)
}
