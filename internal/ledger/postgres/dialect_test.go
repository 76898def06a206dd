package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

func TestRewrite(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		`SELECT 1`: `SELECT 1`,
		`SELECT a FROM t INDEXED BY t_a WHERE a = ? AND b IN (?, ?)`: `SELECT a FROM t WHERE a = $1 AND b IN ($2, $3)`,
		`SELECT 1 FROM a CROSS JOIN b ON b.id = a.id WHERE x = ?`:    `SELECT 1 FROM a JOIN b ON b.id = a.id WHERE x = $1`,
	} {
		require.Equal(t, want, postgres.Rewrite(in))
	}
}

// Rewrite takes every question mark for a value: none may stand in a text.
func TestNoStatementHoldsAQuestionMarkInAText(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob("../relational/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	inText := regexp.MustCompile(`'[^'\n]*\?[^'\n]*'`)
	statement := regexp.MustCompile("(?s)`[^`]*`")
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, s := range statement.FindAllString(string(source), -1) {
			require.Empty(t, inText.FindAllString(regexp.MustCompile(`''`).ReplaceAllString(s, ""), -1), file)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()

	require.Equal(t, []any{int64(1), int64(0), "a\uFFFDb", "plain", 7, []byte{0}},
		postgres.Values(true, false, "a\x00b", "plain", 7, []byte{0}))
}

// What no text of PostgreSQL can hold is accepted all the same.
func TestAnEventWithNULIsAccepted(t *testing.T) {
	t.Parallel()

	l := open(t, migrated(t, postgrestest.New(t, postgrestest.Options{})), postgres.Options{})
	ev := ledgertest.Event(7)
	ev.Dedupe, ev.Reward.Reward.Promoter.CustID = "7\x00", "cust\x00-7"
	receipt, err := l.Accept(t.Context(), ev, time.Minute)
	require.NoError(t, err)
	require.False(t, receipt.Duplicate)
	again, err := l.Accept(t.Context(), ev, time.Minute)
	require.NoError(t, err)
	require.True(t, again.Duplicate)
	claim, err := l.LatestClaim(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, "cust\x00-7", claim.Reward.Promoter.CustID, "the claim itself is kept as it came")
}
