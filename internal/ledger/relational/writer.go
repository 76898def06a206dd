package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
)

const (
	// maxBatch is how many operations share one commit.
	maxBatch = 512
	// maxQueued is how many operations may wait; more are told to come back.
	maxQueued = 4096
	// patience is how long a caller who has already given up still waits to
	// learn whether its operation was committed.
	patience = 10 * time.Second
)

// writer runs all writes of this process, one after the other, and commits
// them in batches: a commit costs a wait for the disk, and the operations that
// arrive during one wait share the next.
type writer struct {
	dialect Dialect
	db      *sql.DB
	now     func() time.Time
	log     *slog.Logger

	lockWait   time.Duration
	answerTime time.Duration

	mu     sync.RWMutex // Guards closed, and that nobody sends to a closed queue.
	closed bool
	queue  chan *job
	ended  chan struct{}

	session *session // Belongs to the writer's goroutine; nil when there is none.
}

// The states of a job. Whoever moves it away from queued decides its fate.
const (
	jobQueued int32 = iota
	jobTaken        // The writer runs it.
	jobLeft         // Its caller has gone; it is never run.
)

// job is one operation on its way through the writer.
type job struct {
	op    string
	run   func(context.Context, *tx) error
	state atomic.Int32
	// err is the operation's own error, kept until its batch is committed.
	err  error
	done chan error
}

func startWriter(dialect Dialect, db *sql.DB, opts Options) *writer {
	w := &writer{
		dialect: dialect, db: db, now: opts.Now, log: opts.Logger, lockWait: opts.LockWait, answerTime: opts.AnswerTime,
		queue: make(chan *job, maxQueued), ended: make(chan struct{}),
	}
	go w.loop()
	return w
}

// close lets what is queued finish and ends the writer.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

// do runs one operation and returns when it is committed, or surely not. When
// ctx ends while the operation waits in the queue, it is never run; when ctx
// ends later, do still waits for the result.
func (w *writer) do(ctx context.Context, op string, run func(context.Context, *tx) error) error {
	if err := ctx.Err(); err != nil {
		return classify(w.dialect, op, err)
	}
	j := &job{op: op, run: run, done: make(chan error, 1)}
	if err := w.enqueue(j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	if j.state.CompareAndSwap(jobQueued, jobLeft) {
		return classify(w.dialect, op, ctx.Err())
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-j.done:
		return err
	case <-timer.C:
		return fault.Wrap(fault.Ambiguous, op, "the caller stopped waiting while the commit was under way", ctx.Err())
	}
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return fault.New(fault.Unavailable, j.op, "the ledger is closed")
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return fault.New(fault.Throttled, j.op, "too many writes are waiting for the disk")
	}
}

func (w *writer) loop() {
	defer close(w.ended)
	ctx := context.Background() // A batch belongs to no single caller.
	for first := range w.queue {
		w.batch(ctx, first)
	}
	w.dropSession()
}

// batch commits first together with everything that waits behind it. Nothing
// counts as taken before the database is ours to write, so that a caller can
// leave while another process holds the lock.
func (w *writer) batch(ctx context.Context, first *job) {
	if first.state.Load() == jobLeft {
		return
	}
	if err := w.begin(ctx); err != nil {
		w.dropSession()
		w.lose(w.drain(first), err)
		return
	}
	if w.answerTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.answerTime)
		defer cancel()
	}
	jobs := w.drain(first)
	ran, err := w.runAll(ctx, jobs)
	if err != nil {
		w.dropSession()
		w.lose(jobs, err)
		return
	}
	if _, err := w.session.exec(ctx, "COMMIT"); err != nil {
		w.log.Error("ledger.commit_failed", "operations", len(ran), "error", w.dialect.Diagnose(err).Words)
		w.dropSession()
		for _, j := range ran {
			j.done <- classifyCommit(w.dialect, j.op, err)
		}
		return
	}
	for _, j := range ran {
		j.done <- j.err
	}
}

// lose tells the callers of jobs that nothing of them was committed.
func (w *writer) lose(jobs []*job, err error) {
	for _, j := range jobs {
		j.done <- classifyLost(w.dialect, j.op, err)
	}
}

// begin makes the database ours to write. It waits while another process
// writes, and for a database that is away for a moment: nothing has been done
// yet, so that trying again is safe.
func (w *writer) begin(ctx context.Context) error {
	if w.answerTime > 0 {
		// A network may be silent for ever; a file is not.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.lockWait+w.answerTime)
		defer cancel()
	}
	for deadline := time.Now().Add(w.lockWait); ; {
		err := w.beginOnce(ctx)
		if err == nil {
			return nil
		}
		found := w.dialect.Diagnose(err)
		if found.Again == 0 || time.Now().After(deadline) {
			return err
		}
		if found.Broken {
			w.dropSession()
		}
		time.Sleep(found.Again)
	}
}

func (w *writer) beginOnce(ctx context.Context) error {
	if w.session == nil {
		s, err := openSession(ctx, w.db, w.dialect)
		if err != nil {
			return err
		}
		w.session = s
	}
	for _, statement := range w.dialect.Begin() {
		if _, err := w.session.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// drain returns first and what waits behind it, without waiting for more.
func (w *writer) drain(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < maxBatch {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// runAll runs the jobs whose callers still wait, each in a savepoint, and
// returns them. An error says that the whole batch is lost.
func (w *writer) runAll(ctx context.Context, jobs []*job) ([]*job, error) {
	ran := make([]*job, 0, len(jobs))
	for _, j := range jobs {
		if !j.state.CompareAndSwap(jobQueued, jobTaken) {
			continue
		}
		ran = append(ran, j)
		if err := w.runOne(ctx, j); err != nil {
			return ran, err
		}
	}
	return ran, nil
}

// runOne runs a job so that its failure undoes its own changes only.
func (w *writer) runOne(ctx context.Context, j *job) error {
	if _, err := w.session.exec(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	err := w.guarded(ctx, j)
	if err != nil {
		if w.spoilsBatch(ctx, err) {
			return err
		}
		j.err = classify(w.dialect, j.op, err)
		if fault.Is(j.err, fault.Internal) {
			w.log.Error("ledger.operation_failed", "operation", j.op, "error", fault.Message(j.err))
		}
		if _, err := w.session.exec(ctx, "ROLLBACK TO job"); err != nil {
			return err
		}
	}
	_, err = w.session.exec(ctx, "RELEASE job")
	return err
}

// spoilsBatch reports whether an error says something about the transaction or
// the connection rather than about one operation.
func (w *writer) spoilsBatch(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return false
	}
	return !w.dialect.Diagnose(err).Alone
}

// guarded turns a panic into an error of the one operation.
func (w *writer) guarded(ctx context.Context, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("ledger.panic", "operation", j.op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, j.op, "the operation failed because of a bug; nothing was changed")
		}
	}()
	return j.run(ctx, &tx{session: w.session, now: w.now().UTC().Truncate(time.Millisecond)})
}

// dropSession gives up the connection, and with it whatever transaction it
// has open.
func (w *writer) dropSession() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}
