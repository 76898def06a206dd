package intake

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// queue is the part of the ledger that the dispatcher works off.
type queue interface {
	Lease(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Pending, error)
	MarkDispatched(ctx context.Context, rows []ledger.Dispatched) error
	Postpone(ctx context.Context, inbox int64, after time.Duration, reason string) error
	ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error)
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	OpenNotifications(ctx context.Context, from, to time.Time, after int64, n int) ([]ledger.OpenNotification, error)
}

// DispatcherConfig says how the inbox is worked off. Zero fields have defaults.
type DispatcherConfig struct {
	// Owner names this process in leases; it is required and unique.
	Owner string
	// Gate is how many starts may be under way at once; 8 by default.
	Gate int
	// Budget is how long one start may take; 5 seconds by default.
	Budget time.Duration
	// Batch is how many rows are leased at once; 64 by default.
	Batch int
	// Poll is how often an empty inbox is looked at; a second by default. Rows
	// of this process are woken for at once.
	Poll time.Duration
	// Gather is the least time between two looks at an inbox that was emptied
	// by the first; 20 milliseconds by default. A look is a commit, and events
	// that arrive in between share the next.
	Gather time.Duration
	// SweepEvery is how often what the ledger holds as unfinished is started
	// again; 2 minutes by default.
	SweepEvery time.Duration
	// GiveWay has starts give way to answers while far more events arrive than can
	// be started; it is for a process that also does what it starts.
	GiveWay bool
	// Full says that what is started now cannot run yet, so that it rather waits in
	// the inbox; nil never says so. It is for a process that also does what it starts.
	Full func() bool
	// Open are the workflows that may rest where the ledger does not; nil is none.
	Open OpenRuns
	// Tracer makes the span of each start; nil makes none.
	Tracer trace.Tracer
}

func (c DispatcherConfig) withDefaults() DispatcherConfig {
	if c.Gate <= 0 {
		c.Gate = 8
	}
	if c.Budget <= 0 {
		c.Budget = 5 * time.Second
	}
	if c.Batch <= 0 {
		c.Batch = 64
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.Gather <= 0 {
		c.Gather = 20 * time.Millisecond
	}
	if c.SweepEvery <= 0 {
		c.SweepEvery = 2 * time.Minute
	}
	if c.Full == nil {
		c.Full = func() bool { return false }
	}
	if c.Tracer == nil {
		c.Tracer = noop.Tracer{}
	}
	return c
}

// Dispatcher starts the workflows of accepted events. Several processes on one
// database share the work by leases.
type Dispatcher struct {
	cfg     DispatcherConfig
	queue   queue
	starter *Starter
	woken   chan struct{}
	pace    *pace
	log     *slog.Logger
}

// NewDispatcher returns a Dispatcher, which does nothing before Run.
func NewDispatcher(cfg DispatcherConfig, q queue, starter *Starter, logger *slog.Logger) *Dispatcher {
	cfg = cfg.withDefaults()
	d := &Dispatcher{cfg: cfg, queue: q, starter: starter, woken: make(chan struct{}, 1), log: logger}
	if cfg.GiveWay {
		d.pace = &pace{gate: cfg.Gate, now: time.Now}
	}
	return d
}

// Wake makes the dispatcher look at the inbox now, for an event that has arrived.
// It never blocks.
func (d *Dispatcher) Wake() {
	d.pace.arrived()
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// Run works until the context ends. What it leaves behind is leased to it for
// at most the length of two budgets, and then to whoever comes next.
func (d *Dispatcher) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { d.drain(ctx) })
	loops.Go(func() { d.sweeps(ctx) })
	loops.Wait()
}

// drain works off the inbox, batch by batch. While starts fail it slows down:
// the rows are safe, and Temporal needs no hammering.
func (d *Dispatcher) drain(ctx context.Context) {
	trouble := 0
	for ctx.Err() == nil {
		began := time.Now()
		leased, failed := d.batch(ctx)
		switch {
		case failed:
			trouble++
			rest(ctx, backoff(trouble), nil)
		case leased < d.cfg.Batch:
			trouble = 0
			rest(ctx, d.cfg.Poll, d.woken)
			rest(ctx, d.cfg.Gather-time.Since(began), nil)
		default:
			trouble = 0
		}
	}
}

// backoff doubles from a quarter of a second to five seconds.
func backoff(trouble int) time.Duration {
	return min(250*time.Millisecond<<min(trouble-1, 5), 5*time.Second)
}

// rest waits for the pause, or until it is woken.
func rest(ctx context.Context, pause time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// batch leases rows, starts their workflows, and records which ones are
// started. failed says that none of them was.
func (d *Dispatcher) batch(ctx context.Context) (leased int, failed bool) {
	rows, err := d.queue.Lease(ctx, d.cfg.Owner, d.cfg.Batch, d.leaseFor())
	if err != nil {
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "inbox.not_leased", "error", err)
		}
		return 0, true
	}
	var (
		mu      sync.Mutex
		started = make([]ledger.Dispatched, 0, len(rows))
	)
	d.each(ctx, len(rows), func(ctx context.Context, i int) {
		ended := d.pace.start()
		sent, err := d.startTraced(ctx, rows[i])
		ended(err == nil && sent.WorkflowID != "")
		if err != nil {
			d.postpone(ctx, rows[i], err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		started = append(started, sent)
	})
	if len(started) > 0 {
		// What was started is recorded even while stopping; a row that is not
		// recorded is started again, and found to be started.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.Budget)
		defer cancel()
		if err := d.queue.MarkDispatched(ctx, started); err != nil {
			d.log.WarnContext(ctx, "inbox.not_marked", "rows", len(started), "error", err)
		}
	}
	return len(rows), len(rows) > 0 && len(started) == 0
}

// leaseFor covers a batch whose every start takes its whole budget, or gives way.
func (d *Dispatcher) leaseFor() time.Duration {
	rounds := (d.cfg.Batch + d.cfg.Gate - 1) / d.cfg.Gate
	return time.Duration(rounds+1) * d.cfg.Budget
}

func (d *Dispatcher) postpone(ctx context.Context, row ledger.Pending, cause error) {
	if ctx.Err() == nil {
		d.log.WarnContext(ctx, "event.not_dispatched", "inbox", row.Inbox, "event_type", row.Type, "tries", row.Tries+1, "error", cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.Budget)
	defer cancel()
	if err := d.queue.Postpone(ctx, row.Inbox, backoff(row.Tries+1), "the workflow could not be started"); err != nil {
		d.log.WarnContext(ctx, "inbox.not_postponed", "inbox", row.Inbox, "error", err)
	}
}

// each calls do for 0..n-1, at most Gate at once, each within the budget.
func (d *Dispatcher) each(ctx context.Context, n int, do func(ctx context.Context, i int)) {
	var (
		calls sync.WaitGroup
		gate  = make(chan struct{}, d.cfg.Gate)
	)
	for i := range n {
		d.pace.wait(ctx)
		d.waitForRoom(ctx)
		gate <- struct{}{}
		calls.Go(func() {
			defer func() { <-gate }()
			ctx, cancel := context.WithTimeout(ctx, d.cfg.Budget)
			defer cancel()
			do(ctx, i)
		})
	}
	calls.Wait()
}

// waitForRoom waits while the process has its hands full. It waits no longer
// than a start gives way: what runs may hang, and the inbox goes on.
func (d *Dispatcher) waitForRoom(ctx context.Context) {
	for waited := time.Duration(0); waited < giveWayFor && d.cfg.Full() && ctx.Err() == nil; waited += lookAgain {
		rest(ctx, lookAgain, nil)
	}
}

// all is each for calls that may fail; it returns one of the errors.
func (d *Dispatcher) all(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var (
		mu   sync.Mutex
		last error
	)
	d.each(ctx, n, func(ctx context.Context, i int) {
		if err := do(ctx, i); err != nil {
			mu.Lock()
			defer mu.Unlock()
			last = err
		}
	})
	return last
}

// sweeps starts again what the ledger holds as unfinished and no open workflow
// carries: a terminated workflow, a lost or restored Temporal database, an
// expired namespace, a payout that came back after its reward was fulfilled.
// A workflow that is open stays the only one; now and then it is compared with
// the ledger.
func (d *Dispatcher) sweeps(ctx context.Context) {
	settled := time.Duration(0) // The first sweep takes everything.
	for n := 0; ctx.Err() == nil; n++ {
		pause := d.cfg.SweepEvery
		var err error
		if n%thoroughEvery == 0 {
			err = d.sweepThoroughly(ctx, settled)
		} else {
			err = d.sweep(ctx, settled, d.carried(ctx))
		}
		if err != nil {
			if ctx.Err() == nil {
				d.log.WarnContext(ctx, "sweep.not_finished", "error", err)
			}
			pause, n = min(pause, 5*time.Second), n-1
		} else {
			settled = d.cfg.SweepEvery
		}
		rest(ctx, pause, nil)
	}
}

const (
	// thoroughEvery is how many sweeps there are for one that is thorough, the
	// first above all: with the usual pause, half an hour.
	thoroughEvery = 15
	// notifiedWithin is how long after its dispatch a message may be tried; see
	// activities.Notifications.
	notifiedWithin = 25 * time.Hour
)

// sweepThoroughly looks at everything that is open, of which only little has
// lost its workflow or is behind: a channel that is down keeps many messages
// open, and people let many rewards wait. It takes no list's word for what is
// carried: a list may have outlived what it lists.
func (d *Dispatcher) sweepThoroughly(ctx context.Context, settled time.Duration) error {
	if err := d.sweep(ctx, settled, nil); err != nil {
		return err
	}
	if err := d.wakeStale(ctx, settled); err != nil {
		return err
	}
	return d.sweepNotifications(ctx, settled)
}

// sweepNotifications starts every notification that has not ended: the messages
// behind it wait for it. One whose workflow is open stays as it is.
func (d *Dispatcher) sweepNotifications(ctx context.Context, settled time.Duration) error {
	after, now := int64(0), time.Now()
	for {
		open, err := d.queue.OpenNotifications(ctx, now.Add(-notifiedWithin), now.Add(-settled), after, d.cfg.Batch)
		if err != nil {
			return err
		}
		if err := d.all(ctx, len(open), func(ctx context.Context, i int) error { return d.starter.Notify(ctx, open[i]) }); err != nil || len(open) < d.cfg.Batch {
			return err
		}
		after = open[len(open)-1].Inbox
	}
}

// sweep starts every unfinished reward that has not changed for the given time.
// Zero takes all of them, also those that a clock which ran ahead has dated in
// the future. What waits in the inbox is left to the dispatcher, which starts it
// below the trace of its delivery, but for what another process has leased, which
// may have died. What is carried is left alone.
func (d *Dispatcher) sweep(ctx context.Context, unchanged time.Duration, carried map[string]bool) error {
	filter := ledger.Filter{Statuses: unfinished(), LeftTo: d.cfg.Owner, Limit: d.cfg.Batch}
	if unchanged > 0 {
		filter.UpdatedBefore = time.Now().Add(-unchanged)
	}
	for {
		records, err := d.queue.ListRewards(ctx, filter)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(records), func(rec ledger.Record) bool {
			return carried[workflows.FulfilmentID(rec.Reward.ID)]
		})
		err = d.all(ctx, len(left), func(ctx context.Context, i int) error {
			_, err := d.starter.TakeUp(ctx, left[i])
			return err
		})
		if err != nil || len(records) < filter.Limit {
			return err
		}
		last := records[len(records)-1]
		filter.Before = ledger.Cursor{ReceivedAt: last.ReceivedAt, ID: last.Reward.ID}
	}
}

func unfinished() []reward.Status {
	var open []reward.Status
	for _, s := range reward.Statuses() {
		if !s.Final() {
			open = append(open, s)
		}
	}
	return open
}
