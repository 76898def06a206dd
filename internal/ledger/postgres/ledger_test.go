package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLedger(t *testing.T) {
	t.Parallel()

	// A schema for each check, because a database for each takes ten times as long.
	database := postgrestest.New(t, postgrestest.Options{}).Database(t)
	var mu sync.Mutex
	addresses := make(map[string]string)
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) ledger.Ledger {
		t.Helper()
		mu.Lock()
		address := addresses[t.Name()]
		if address == "" {
			address = fmt.Sprintf("%s&search_path=check_%d", database, len(addresses))
			addresses[t.Name()] = address
			_, err := postgres.Migrate(t.Context(), address, nil)
			require.NoError(t, err)
			t.Cleanup(func() { ledgertest.RequireSpentDays(t, "pgx", address) })
		}
		mu.Unlock()
		return open(t, address, postgres.Options{Now: now, LockWait: time.Minute})
	})
}

// migrated returns a new database with an empty ledger.
func migrated(t testing.TB, server *postgrestest.Server) string {
	t.Helper()
	address := server.Database(t)
	_, err := postgres.Migrate(t.Context(), address, nil)
	require.NoError(t, err)
	return address
}

// open opens a ledger that is closed with the test.
func open(t testing.TB, address string, opts postgres.Options) *postgres.Ledger {
	t.Helper()
	l, err := postgres.Open(context.Background(), address, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// raw connects without any of the ledger's care.
func raw(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address+"&search_path="+postgres.DefaultSchema)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}
