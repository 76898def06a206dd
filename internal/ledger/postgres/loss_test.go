package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// A server that restarts is waited for: callers see that it took longer, and
// what was under way is in the ledger once or was reported.
func TestServerRestartsUnderWriters(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := migrated(t, server)
	l := open(t, address, postgres.Options{LockWait: 30 * time.Second})
	ctx, stop := context.WithCancel(t.Context())
	var next atomic.Int64
	var mu sync.Mutex
	accepted, reported := map[int64]bool{}, map[int64]fault.Kind{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				id := next.Add(1)
				_, err := l.Accept(context.Background(), ledgertest.Event(id), time.Minute)
				mu.Lock()
				if err == nil {
					accepted[id] = true
				} else {
					reported[id] = fault.KindOf(err)
				}
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(accepted)
	}
	for _, end := range []func() error{server.Kill, server.Down} {
		before := count()
		require.Eventually(t, func() bool { return count() > before+20 }, 30*time.Second, time.Millisecond)
		require.NoError(t, end())
		require.NoError(t, server.Up(t.Context()))
	}
	before := count()
	require.Eventually(t, func() bool { return count() > before+20 }, 30*time.Second, time.Millisecond, "the writer goes on by itself")
	stop()
	wg.Wait()

	for id := range accepted {
		_, err := l.Reward(t.Context(), reward.ID(id))
		require.NoError(t, err, "reward %d was accepted and is gone", id)
	}
	for id, kind := range reported {
		require.Contains(t, []fault.Kind{fault.Unavailable, fault.Ambiguous}, kind, "reward %d", id)
		_, err := l.Reward(t.Context(), reward.ID(id))
		if kind == fault.Unavailable {
			require.Equal(t, fault.NotFound, fault.KindOf(err), "reward %d was said not to be accepted", id)
		}
	}
}

// A commit that the server does not answer may have happened. Here it has: the
// server waits for a standby that does not exist.
func TestACommitWithoutAnAnswerIsAmbiguous(t *testing.T) {
	t.Parallel()

	// Set from the start: processes of the server read a new setting when they get
	// to it. Only the ledger waits for the standby that is not there.
	server := postgrestest.New(t, postgrestest.Options{Settings: map[string]string{
		"synchronous_standby_names": "nobody", "synchronous_commit": "local",
	}})
	address := migrated(t, server)
	admin := raw(t, address)
	l := open(t, address+"&synchronous_commit=on", postgres.Options{AnswerTime: 10 * time.Second}) // All but the commit takes less.

	_, err := l.Accept(t.Context(), ledgertest.Event(7), time.Minute)
	require.Equal(t, fault.Ambiguous, fault.KindOf(err), "%v", err)

	mustExec(t, admin, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`)
	require.Eventually(t, func() bool { return l.Ping(t.Context()) == nil }, 20*time.Second, 50*time.Millisecond)
	r, err := l.Reward(t.Context(), 7)
	require.NoError(t, err, "it was committed after all")
	require.Equal(t, reward.ID(7), r.Reward.ID)
	receipt, err := l.Accept(t.Context(), ledgertest.Event(7), time.Minute)
	require.NoError(t, err)
	require.True(t, receipt.Duplicate)
}

// Another process that holds the writers' lock keeps this one waiting, and no
// longer than it says; the server itself ends one that stands still.
func TestAnotherProcessHoldsTheLock(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := migrated(t, server)
	l := open(t, address, postgres.Options{LockWait: 100 * time.Millisecond})
	other := raw(t, address)
	mustExec(t, other, `BEGIN`, postgres.WritersLock(postgres.DefaultSchema))
	_, err := l.Accept(t.Context(), ledgertest.Event(1), time.Minute)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "another process has been writing for too long")
	_, err = l.ListRewards(t.Context(), ledger.Filter{})
	require.NoError(t, err, "readers do not wait for a writer")
	mustExec(t, other, `SET idle_in_transaction_session_timeout = '50ms'`)
	require.Eventually(t, func() bool { return l.Ping(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
}

// Processes whose ledgers are in different schemas do not wait for each other.
func TestLedgersOfOneDatabaseAreIndependent(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	address := migrated(t, server)
	second := address + "&search_path=second"
	_, err := postgres.Migrate(t.Context(), second, nil)
	require.NoError(t, err)
	mustExec(t, raw(t, address), `BEGIN`, postgres.WritersLock(postgres.DefaultSchema))
	l := open(t, second, postgres.Options{LockWait: 5 * time.Second})
	_, err = l.Accept(t.Context(), ledgertest.Event(1), time.Minute)
	require.NoError(t, err)
}

func TestSettingsThatKeepMoneySafe(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{Settings: map[string]string{"synchronous_commit": "off"}})
	settings, err := postgres.WriterSettings(t.Context(), server.Database(t), postgres.Options{LockWait: time.Second, AnswerTime: 7 * time.Second},
		"synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout")
	require.NoError(t, err)
	require.Equal(t, []string{"on", "1s", "7s"}, settings)
}
