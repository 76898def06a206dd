package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// TestDatabaseKeepsWhatWasWritten breaks in with plain SQL, as the owner of all
// tables.
func TestDatabaseKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()

	address := migrated(t, postgrestest.New(t, postgrestest.Options{}))
	ledgertest.Fill(t, open(t, address, postgres.Options{}))
	conn := raw(t, address)
	refused := func(statement string) {
		_, err := conn.Exec(t.Context(), statement)
		require.ErrorContains(t, err, "SQLSTATE 23000", statement) // A trigger's own word.
	}
	for _, table := range ledgertest.KeptTables() {
		var rows int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows))
		require.Positive(t, rows, "%s is empty: the test shows nothing", table)
		refused(`DELETE FROM ` + table)
		refused(`TRUNCATE ` + table + ` CASCADE`)
	}
	for _, update := range ledgertest.ForbiddenUpdates() {
		refused(update)
	}
	mustExec(t, conn, `UPDATE decisions SET delivered_at = 1`)
}
