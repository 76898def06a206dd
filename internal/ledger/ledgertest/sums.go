package ledgertest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireSpentDays holds what left by day, in the table spent_days of the database
// at an address, against the payouts.
func RequireSpentDays(t *testing.T, driver, address string) {
	t.Helper()
	db, err := sql.Open(driver, address)
	require.NoError(t, err)
	defer db.Close()
	var differ int
	require.NoError(t, db.QueryRowContext(context.WithoutCancel(t.Context()), daysThatDiffer).Scan(&differ))
	require.Zero(t, differ, "sums that are not those of the payouts")
}

// daysThatDiffer counts the sums that are not what the payouts say.
const daysThatDiffer = `
	WITH kept AS (SELECT scope, subject, day, unit, payouts, high, low FROM spent_days WHERE payouts <> 0 OR high <> 0 OR low <> 0),
	left_by AS (
		SELECT cap_unit AS unit, spent_at / 86400000 AS day, promoter_id, campaign_id, amount >> 32 AS high, amount & 4294967295 AS low
		FROM payouts WHERE spent_at <> 0 AND state <> 'refused'),
	summed AS (
		SELECT 'all' AS scope, 0 AS subject, day, unit, count(*) AS payouts, sum(high) AS high, sum(low) AS low FROM left_by GROUP BY day, unit
		UNION ALL SELECT 'promoter', promoter_id, day, unit, count(*), sum(high), sum(low) FROM left_by GROUP BY promoter_id, day, unit
		UNION ALL SELECT 'campaign', campaign_id, day, unit, count(*), sum(high), sum(low) FROM left_by GROUP BY campaign_id, day, unit)
	SELECT (SELECT count(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM summed) AS a)
		+ (SELECT count(*) FROM (SELECT * FROM summed EXCEPT SELECT * FROM kept) AS b)`
