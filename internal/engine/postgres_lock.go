package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// lockKey is the advisory lock of the process that runs a server on a
	// database. The number means nothing and stays what it is.
	lockKey = 0x7265776172646677
	// lockEvery is how often the lock's connection is looked after.
	lockEvery = time.Second
	// lockPatience is how long PostgreSQL may take to see that the process which
	// had the lock before has ended.
	lockPatience = 5 * time.Second
)

// InUseError says that another process runs its server on the database. Two
// would take the workflows from each other without end.
type InUseError struct {
	Database string
}

// Error says what to do.
func (e *InUseError) Error() string {
	return fmt.Sprintf("another process runs its Temporal server on the database %s: stop it, or set engine.database to another one; several machines need a Temporal cluster (docs/deployment.md)", e.Database)
}

// postgresLock holds a database for this process. The lock ends with its
// connection, and so with the process, even when that is killed.
type postgresLock struct {
	database *postgres
	conn     *pgx.Conn
	stop     context.CancelFunc
	watching sync.WaitGroup
}

func lockPostgres(ctx context.Context, d *postgres, f *fatal) (*postgresLock, error) {
	l := &postgresLock{database: d}
	if err := l.takeInTime(ctx); err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.watching.Go(func() { l.watch(watch, f) })
	return l, nil
}

func (l *postgresLock) takeInTime(ctx context.Context) error {
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		err := l.take(ctx)
		if _, ok := errors.AsType[*InUseError](err); !ok {
			return err
		}
		select {
		case <-again.C:
		case <-patience.C:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (l *postgresLock) take(ctx context.Context) error {
	conn, err := l.database.connect(ctx)
	if err != nil {
		return err
	}
	var taken bool
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(lockKey)).Scan(&taken)
	if err == nil && !taken {
		err = &InUseError{Database: l.database.name}
	}
	if err != nil {
		_ = conn.Close(ctx)
		return err
	}
	l.conn = conn
	return nil
}

// watch takes the lock again when its connection was lost, as in a restart of
// PostgreSQL, and makes the engine give up when somebody else was quicker.
func (l *postgresLock) watch(ctx context.Context, f *fatal) {
	ticker := time.NewTicker(lockEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		call, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := l.keep(call)
		cancel()
		if inUse, ok := errors.AsType[*InUseError](err); ok {
			f.report(inUse)
		}
	}
}

// keep asks the lock's connection for a word, and makes another one when it is
// silent.
func (l *postgresLock) keep(ctx context.Context) error {
	if l.conn != nil && l.conn.Ping(ctx) == nil {
		return nil
	}
	if l.conn != nil {
		_ = l.conn.Close(ctx)
		l.conn = nil
	}
	return l.take(ctx)
}

func (l *postgresLock) release() error {
	l.stop()
	l.watching.Wait()
	if l.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	_ = l.conn.Close(ctx) // The lock is gone either way.
	return nil
}
