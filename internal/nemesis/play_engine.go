package nemesis

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite" // The driver "sqlite".

	"github.com/rewardflow/rewardflow/workflows"
)

// strikeEngine hits Temporal and what it keeps. One disaster has it at a time.
func (w *world) strikeEngine(run context.Context, a Act) error {
	w.engineMu.Lock()
	defer w.engineMu.Unlock()
	switch a.Kind {
	case StoreFault:
		return w.failStore(run, a.For)
	case Expired:
		return w.expire(run)
	case Deleted:
		w.engine.down()
		if err := os.RemoveAll(w.temporalDir()); err != nil {
			return err
		}
	case Restored:
		if err := w.restore(); err != nil {
			return err
		}
	}
	rest(run, untilOver(run, a.For/2))
	if err := w.engine.start(); err != nil {
		return err
	}
	// Whoever puts another database under Temporal restarts what uses it; the
	// sweep at the start of an API is what finds the rewards that it lost.
	return w.restart(w.ordered())
}

func (w *world) restart(slots []*slot) error {
	for _, s := range slots {
		s.down()
		if err := s.start(); err != nil {
			return err
		}
	}
	return nil
}

// failStore runs the engine with a database that fails now and then.
func (w *world) failStore(run context.Context, length time.Duration) error {
	set := func(on bool) error {
		w.mu.Lock()
		w.faulty = on
		w.mu.Unlock()
		w.engine.down()
		return w.engine.start()
	}
	if err := set(true); err != nil {
		return err
	}
	rest(run, length)
	return set(false)
}

// snapshots takes copies of Temporal's database early in the run, for Restored.
func (w *world) snapshots(ctx context.Context, began time.Time) {
	for _, part := range []float64{0.1, 0.25, 0.4} {
		rest(ctx, time.Until(began.Add(time.Duration(part*float64(w.s.For)))))
		if ctx.Err() != nil {
			return
		}
		if err := w.snapshot(ctx); err != nil {
			w.note("no_snapshot", map[string]any{"error": err.Error()})
		}
	}
}

func (w *world) copyFile() string { return filepath.Join(w.dir, "temporal-copy.db") }

// snapshot copies the database while no disaster replaces it.
func (w *world) snapshot(ctx context.Context) error {
	w.engineMu.Lock()
	defer w.engineMu.Unlock()
	fresh := w.copyFile() + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.temporalDir(), "temporal.db")+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, w.copyFile())
}

// restore puts the copy in the place of Temporal's database.
func (w *world) restore() error {
	data, err := os.ReadFile(w.copyFile())
	if err != nil {
		return fmt.Errorf("there is no copy to restore: %w", err)
	}
	w.engine.down()
	database := filepath.Join(w.temporalDir(), "temporal.db")
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(database + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(database, data, 0o600)
}

// dial connects to Temporal itself, not through a wire.
func (w *world) dial(ctx context.Context) (client.Client, error) {
	return client.DialContext(ctx, client.Options{HostPort: w.temporal, Logger: quiet{}})
}

// quiet is a logger for a client whose troubles are wanted.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// executions lists fulfilments in Temporal.
func (w *world) executions(ctx context.Context, query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var all []*workflowpb.WorkflowExecutionInfo
	var next []byte
	for {
		page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 500, NextPageToken: next})
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetExecutions()...)
		if next = page.GetNextPageToken(); len(next) == 0 {
			return all, nil
		}
	}
}

// expire does what the end of a namespace's retention does: closed workflows
// are gone.
func (w *world) expire(ctx context.Context) error {
	closed, err := w.executions(ctx, "WorkflowType = '"+workflows.FulfilmentType+"' AND ExecutionStatus = 'Completed'")
	if err != nil {
		return err
	}
	c, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, e := range closed {
		_, err := c.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
			Namespace: client.DefaultNamespace,
			WorkflowExecution: &commonpb.WorkflowExecution{
				WorkflowId: e.GetExecution().GetWorkflowId(), RunId: e.GetExecution().GetRunId(),
			},
		})
		if err != nil {
			return err
		}
	}
	w.note("expired", map[string]any{"workflows": len(closed)})
	return nil
}

// deployBadly runs workers with a workflow that does not replay, rolls back,
// and terminates what the bad code began: its histories fit no good code. The
// sweep starts those rewards again from the ledger.
func (w *world) deployBadly(run context.Context, length time.Duration) error {
	if w.bin.bad == "" {
		return errors.New("there is no bad deployment")
	}
	began := time.Now().UTC()
	if err := w.deploy(w.bin.bad); err != nil {
		return err
	}
	rest(run, length)
	if err := w.deploy(w.bin.good); err != nil {
		return err
	}
	terminated, err := w.terminateBegun(run, began, time.Now().UTC())
	if err != nil {
		return err
	}
	w.note("rolled_back", map[string]any{"terminated": terminated})
	var apis []*slot
	for _, name := range w.s.slots() {
		if !isWorker(name) {
			apis = append(apis, w.slots[name])
		}
	}
	return w.restart(apis)
}

// terminateBegun terminates the fulfilments whose first task was completed
// between two times, and says how many. It goes on until a list shows none:
// Temporal may be away, and a list may lack what has just begun.
func (w *world) terminateBegun(run context.Context, from, to time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(run), time.Minute)
	defer cancel()
	total := 0
	for {
		n, err := w.terminateListed(ctx, from, to)
		total += n
		if ctx.Err() != nil || (err == nil && n == 0) {
			return total, err
		}
		rest(ctx, time.Second)
	}
}

func (w *world) terminateListed(ctx context.Context, from, to time.Time) (terminated int, err error) {
	open, err := w.executions(ctx, "WorkflowType = '"+workflows.FulfilmentType+"' AND ExecutionStatus = 'Running'")
	if err != nil {
		return 0, err
	}
	c, err := w.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for _, e := range open {
		at, err := firstTask(ctx, c, e)
		if err != nil {
			return terminated, err
		}
		if at.Before(from) || at.After(to) {
			continue
		}
		err = c.TerminateWorkflow(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), "begun by a bad deployment")
		switch {
		case err == nil:
			terminated++
		case !strings.Contains(err.Error(), "already completed"):
			return terminated, err
		}
	}
	return terminated, nil
}

// firstTask returns when the first task of a workflow was completed: a run that
// was started earlier may have waited until then. Zero when none was.
func firstTask(ctx context.Context, c client.Client, e *workflowpb.WorkflowExecutionInfo) (time.Time, error) {
	history := c.GetWorkflowHistory(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), false,
		enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			return time.Time{}, err
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return event.GetEventTime().AsTime(), nil
		}
	}
	return time.Time{}, nil
}

func (w *world) deploy(binary string) error {
	w.mu.Lock()
	w.deployed = binary
	w.mu.Unlock()
	var workers []*slot
	for _, name := range w.s.slots() {
		if isWorker(name) {
			workers = append(workers, w.slots[name])
		}
	}
	return w.restart(workers)
}

// holdLedger is another program that keeps the ledger's write lock.
func (w *world) holdLedger(run context.Context, length time.Duration) error {
	db, err := sql.Open("sqlite", "file:"+w.ledgerFile()+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	held, err := db.BeginTx(context.WithoutCancel(run), nil)
	if err != nil {
		return err
	}
	rest(run, length)
	return held.Rollback()
}
