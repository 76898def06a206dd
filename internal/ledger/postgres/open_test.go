package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// requireRefused opens what cannot be the ledger, and returns the words.
func requireRefused(t *testing.T, address string, kind fault.Kind) string {
	t.Helper()
	l, err := postgres.Open(t.Context(), address, postgres.Options{})
	if err == nil {
		_ = l.Close()
	}
	require.Error(t, err)
	require.Equal(t, kind, fault.KindOf(err), err.Error())
	return err.Error()
}

// withUser replaces the user and the password of an address.
func withUser(address, user string) string {
	return "postgres://" + user + address[strings.Index(address, "@"):]
}

func TestOpenRefusesASchemaThatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := server.Database(t)
	require.Contains(t, requireRefused(t, address, fault.Invalid), "run rewardflow migrate")

	steps := 0
	done, err := postgres.Migrate(t.Context(), address, func() { steps++ })
	require.NoError(t, err)
	require.Zero(t, done.From)
	require.Positive(t, done.To)
	require.Positive(t, steps)
	again, err := postgres.Migrate(t.Context(), address, func() { t.Error("there is nothing to migrate") })
	require.NoError(t, err)
	require.Equal(t, postgres.Migrated{From: done.To, To: done.To}, again)
	open(t, address, postgres.Options{})

	conn := raw(t, address)
	mustExec(t, conn, `UPDATE goose_db_version SET version_id = 1 WHERE version_id <> 0`)
	require.Contains(t, requireRefused(t, address, fault.Invalid), "has schema version 1 and this program needs version")
	mustExec(t, conn, `UPDATE goose_db_version SET version_id = 99999 WHERE version_id <> 0`)
	require.Contains(t, requireRefused(t, address, fault.Invalid), "use a newer rewardflow")
	_, err = postgres.Migrate(t.Context(), address, nil)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.ErrorContains(t, err, "use a newer rewardflow")
}

// What is said of an address never holds its password.
func TestOpenSaysWhatIsWrongWithTheAddress(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := migrated(t, server)
	const secret = "hunter2-and-more"
	wrong := withUser(address, "rewardflow:"+secret)
	for name, c := range map[string]struct {
		address string
		kind    fault.Kind
		words   string
	}{
		"another kind":     {"mysql://u:" + secret + "@h/x", fault.Invalid, "does not begin with postgres://"},
		"unreadable":       {"postgres://u:" + secret + "%@h:port/x", fault.Invalid, "cannot be read"},
		"two schemas":      {address + "&search_path=a,b", fault.Invalid, "search_path"},
		"wrong password":   {wrong, fault.Denied, "refuses the login"},
		"no such database": {server.URL("nowhere"), fault.Invalid, "create it first"},
		"nobody there":     {"postgres://u:" + secret + "@127.0.0.1:1/x?sslmode=disable", fault.Unavailable, "cannot be reached"},
	} {
		said := requireRefused(t, c.address, c.kind)
		require.Contains(t, said, c.words, name)
		require.NotContains(t, said, secret, name)
	}
}

func TestManyMigrateAndOpenOneDatabase(t *testing.T) {
	t.Parallel()

	address := postgrestest.New(t, postgrestest.Options{}).Database(t)
	ledgers := make([]*postgres.Ledger, 6)
	errs := make([]error, len(ledgers))
	var wg sync.WaitGroup
	for i := range ledgers {
		wg.Go(func() {
			if _, errs[i] = postgres.Migrate(t.Context(), address, nil); errs[i] == nil {
				ledgers[i], errs[i] = postgres.Open(context.Background(), address, postgres.Options{})
			}
		})
	}
	wg.Wait()
	for i, l := range ledgers {
		require.NoError(t, errs[i])
		_, err := l.Accept(t.Context(), ledgertest.Event(int64(i+1)), time.Minute)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

// A writer that holds one table and a step that holds another would wait for each
// other: a step waits for whoever writes, and whoever writes for the step.
func TestNobodyWritesDuringAStep(t *testing.T) {
	t.Parallel()

	address := migrated(t, postgrestest.New(t, postgrestest.Options{}))
	writer, watch := raw(t, address), raw(t, address)
	mustExec(t, writer, `DELETE FROM goose_db_version WHERE version_id > 1`, // So that there is something to do.
		`BEGIN`, postgres.WritersLock(postgres.DefaultSchema))

	done := make(chan error, 1)
	go func() {
		_, err := postgres.Migrate(t.Context(), address, nil)
		done <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		require.NoError(t, watch.QueryRow(t.Context(), `SELECT EXISTS (
			SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits))
		return waits
	}, 30*time.Second, time.Millisecond)
	require.Empty(t, done)
	mustExec(t, writer, `COMMIT`)
	require.Error(t, <-done, "the second version is there already: the step was taken, and refused")
}

// A user who may not create schemas uses one that an administrator made.
func TestMigrateWithoutTheRightToCreateSchemas(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := server.Database(t)
	admin := raw(t, address)
	mustExec(t, admin, `CREATE ROLE plain LOGIN PASSWORD 'plain-secret'`)
	plain := withUser(address, "plain:plain-secret")
	_, err := postgres.Migrate(t.Context(), plain, nil)
	require.Equal(t, fault.Denied, fault.KindOf(err))
	require.ErrorContains(t, err, "needs all rights on the ledger's schema")
	mustExec(t, admin, `CREATE SCHEMA rewardflow AUTHORIZATION plain`)
	_, err = postgres.Migrate(t.Context(), plain, nil)
	require.NoError(t, err)
	require.NoError(t, open(t, plain, postgres.Options{}).Ping(t.Context()))
}
