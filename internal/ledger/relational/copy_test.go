package relational_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

// A table that a migration adds is copied, or named here with the reason why it
// is not.
func TestCopyForgetsNoTable(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	rows, err := l.Readers().QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	require.ElementsMatch(t, tables, append(relational.CopiedTables(),
		"ping",                                // Empty, except within a transaction.
		"erasing",                             // As well.
		"goose_db_version", "sqlite_sequence", // The schema's own.
	))
}
