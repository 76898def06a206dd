package relational_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
)

const insertPing = `INSERT INTO ping (at) VALUES (?)`

// busy keeps the writer inside an operation until release is called.
func busy(t *testing.T, l *relational.Ledger) (release func()) {
	t.Helper()
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- l.Write(context.Background(), func(relational.Exec) error {
			close(entered)
			<-gate
			return nil
		})
	}()
	<-entered
	release = sync.OnceFunc(func() {
		close(gate)
		require.NoError(t, <-done)
	})
	t.Cleanup(release)
	return release
}

// waitQueued waits until n operations are in the queue.
func waitQueued(t *testing.T, l *relational.Ledger, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return l.Queued() == n }, 10*time.Second, time.Millisecond)
}

func pings(t *testing.T, l *relational.Ledger) int {
	t.Helper()
	var n int
	require.NoError(t, l.Readers().QueryRowContext(context.Background(), `SELECT count(*) FROM ping`).Scan(&n))
	return n
}

func TestBatchIsOneCommitAndAFailureIsAlone(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	release := busy(t, l)
	errOwn := fault.New(fault.Conflict, "test", "the state has moved on")
	operations := []func(relational.Exec) error{
		func(exec relational.Exec) error { return exec(insertPing, 1) },
		func(exec relational.Exec) error { return errors.Join(exec(insertPing, 2), errOwn) },
		func(exec relational.Exec) error { return exec(insertPing, 3) },
		func(exec relational.Exec) error {
			return errors.Join(exec(insertPing, 4), exec(`INSERT INTO ping (at) VALUES (NULL)`))
		},
		func(exec relational.Exec) error { _ = exec(insertPing, 5); panic("a bug") },
		func(exec relational.Exec) error { return exec(`this is not SQL`) },
		func(exec relational.Exec) error {
			if n := pings(t, l); n != 0 {
				t.Errorf("%d rows of the batch are visible before its commit", n)
			}
			return exec(insertPing, 7)
		},
	}
	errs := make([]error, len(operations))
	var wg sync.WaitGroup
	for i, do := range operations {
		wg.Go(func() { errs[i] = l.Write(context.Background(), do) })
		waitQueued(t, l, i+1)
	}
	release()
	wg.Wait()

	want := []fault.Kind{"", fault.Conflict, "", fault.Internal, fault.Internal, fault.Internal, ""}
	for i, err := range errs {
		require.Equal(t, want[i], fault.KindOf(err), "operation %d: %v", i, err)
	}
	require.Equal(t, 3, pings(t, l))
	require.NoError(t, l.Ping(t.Context()), "the writer lives on")
}

func TestLeavingTheQueue(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	release := busy(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Write(ctx, func(exec relational.Exec) error { return exec(insertPing, 1) })
	}()
	waitQueued(t, l, 1)
	cancel()
	err := <-done
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	release()
	require.NoError(t, l.Write(t.Context(), func(relational.Exec) error { return nil }))
	require.Zero(t, pings(t, l), "whoever left is never run")
	require.ErrorIs(t, l.Ping(ctx), context.Canceled)
}

func TestOperationUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Write(ctx, func(exec relational.Exec) error {
		cancel()
		return exec(insertPing, 1)
	})
	require.NoError(t, err, "it was committed, so it is no error")
	require.Equal(t, 1, pings(t, l))
}

func TestFullQueueThrottles(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	release := busy(t, l)
	errs := make([]error, relational.MaxQueued)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = l.Write(context.Background(), func(relational.Exec) error { return nil }) })
	}
	waitQueued(t, l, relational.MaxQueued)
	require.Equal(t, fault.Throttled, fault.KindOf(l.Ping(t.Context())))
	release()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path, relational.Options{})
	release := busy(t, l)
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = l.Write(context.Background(), func(exec relational.Exec) error { return exec(insertPing, i) })
		})
	}
	waitQueued(t, l, len(errs))
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		return fault.Message(l.Ping(ctx)) == "the ledger is closed"
	}, 10*time.Second, time.Millisecond)
	release()
	wg.Wait()
	require.NoError(t, <-closed)
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, len(errs), pings(t, open(t, path, relational.Options{})))
}

func TestFullDisk(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	err := l.Write(t.Context(), func(exec relational.Exec) error {
		return errors.Join(exec(`PRAGMA max_page_count = 1`), exec(`INSERT INTO ping (at) SELECT value FROM json_each(?)`, manyNumbers()))
	})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "the disk is full")
	require.Zero(t, pings(t, l))
	require.NoError(t, l.Ping(t.Context()), "there is room again")
}

// A batch that cannot be committed is told to everybody who has a part in it,
// and to nobody before.
func TestACommitThatFailsIsNoSuccess(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	err := l.Write(t.Context(), func(exec relational.Exec) error {
		return errors.Join(
			exec(`PRAGMA defer_foreign_keys = ON`), // The missing row is missed at COMMIT only.
			exec(`INSERT INTO deliveries (inbox_id, reward_id, at, answer, duplicate) VALUES (77, 0, 0, 202, 0)`),
			exec(`INSERT INTO ping (at) VALUES (1)`),
		)
	})
	require.Equal(t, fault.Ambiguous, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "the commit failed")
	require.Zero(t, pings(t, l))
	require.NoError(t, l.Ping(t.Context()), "the next batch is its own")
}

// manyNumbers is a JSON array that fills more than one page.
func manyNumbers() string {
	out := []byte{'['}
	for range 20000 {
		out = append(out, "1234567890,"...)
	}
	return string(append(out, "1]"...))
}

func TestAnotherProcessHoldsTheLock(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	l, patient := open(t, path, relational.Options{LockWait: 20 * time.Millisecond}), open(t, path, relational.Options{})
	other := raw(t, path)
	mustExec(t, other, `BEGIN IMMEDIATE`)
	_, err := l.Accept(t.Context(), ledgertest.Event(1), time.Minute)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "locked by another process")
	_, err = l.ListRewards(t.Context(), ledger.Filter{})
	require.NoError(t, err, "readers do not wait for a writer")

	// A writer that waits longer than its caller lets the caller go.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, patient.Ping(ctx), context.DeadlineExceeded)
	mustExec(t, other, `ROLLBACK`)
	// The one that waits longer may still be about to hold the lock for its ping.
	for _, l := range []*relational.Ledger{patient, l} {
		_, err = l.Accept(t.Context(), ledgertest.Event(1), time.Minute)
		require.NoError(t, err)
	}
}

func TestUnexplainedCommitIsAmbiguous(t *testing.T) {
	t.Parallel()

	require.Equal(t, fault.Ambiguous, fault.KindOf(open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{}).CommitFault()))
}

// What package sqlite sets for the connections that it gives.
func TestSettingsThatKeepMoneySafe(t *testing.T) {
	t.Parallel()

	l := open(t, filepath.Join(t.TempDir(), "ledger.db"), relational.Options{})
	require.NoError(t, l.Write(t.Context(), func(exec relational.Exec) error {
		// Written into a table, because only the writer's connection can tell.
		return exec(`INSERT INTO brakes (scope, paused, reason, person, at)
			SELECT 'settings', 0, j.journal_mode || ' ' || s.synchronous || ' ' || f.foreign_keys || ' ' || b.timeout, '', 0
			FROM pragma_journal_mode j, pragma_synchronous s, pragma_foreign_keys f, pragma_busy_timeout b`)
	}))
	brakes, err := l.Brakes(t.Context())
	require.NoError(t, err)
	require.Equal(t, "wal 2 1 0", brakes[0].Reason, "the writer itself waits for the lock")
	_, err = l.Readers().ExecContext(t.Context(), `UPDATE brakes SET reason = ''`)
	require.Error(t, err, "readers cannot write")
}
