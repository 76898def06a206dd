package intake

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// replayQueue is the part of the ledger that a Replayer works off.
type replayQueue interface {
	LeaseReplays(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Replayable, error)
	FinishReplay(ctx context.Context, replay int64, workflowID, outcome string) error
	ReopenNotifications(ctx context.Context, inbox int64, channels []string) error
	PostponeReplay(ctx context.Context, replay int64, after time.Duration) error
}

// What a replay did, in the words of the delivery log.
const (
	replayStarted    = "started"
	replayUnfinished = "nothing new: its fulfilment is open, or has ended"
	replayUnwanted   = "nothing new: no channel is routed to it"
	replayOpen       = "nothing new: its notification is under way, or was sent"
	replayTold       = "nothing new: every channel was told"
	replayForgotten  = "nothing new: it is not known any more who was told; replay it with --again to tell every channel"
)

const (
	// replayPoll is how often an empty queue is looked at; a wish on this process
	// is woken for at once.
	replayPoll = 5 * time.Second
	// replayBatch is how many are leased at once.
	replayBatch = 16
	// replayGate is how many are under way at once: new events go first.
	replayGate = 4
	// replayBudget bounds one replay.
	replayBudget = 10 * time.Second
)

// Replayer dispatches events again that people want to be replayed, beside the
// Dispatcher and slower than it. Several processes on one database share the
// work by leases.
type Replayer struct {
	owner    string
	queue    replayQueue
	starter  *Starter
	tellings Tellings
	woken    chan struct{}
	log      *slog.Logger
}

// NewReplayer returns a Replayer, which does nothing before Run. The owner names
// this process in leases.
func NewReplayer(owner string, q replayQueue, starter *Starter, tellings Tellings, logger *slog.Logger) *Replayer {
	return &Replayer{owner: owner, queue: q, starter: starter, tellings: tellings, woken: make(chan struct{}, 1), log: logger}
}

// Wake makes the replayer look at its queue now. It never blocks.
func (r *Replayer) Wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// Run works until the context ends. What it leaves behind is taken up by whoever
// comes next.
func (r *Replayer) Run(ctx context.Context) {
	trouble := 0
	for ctx.Err() == nil {
		leased, failed := r.batch(ctx)
		pause, wake := replayPoll, r.woken
		switch {
		case failed:
			trouble++
			pause, wake = backoff(trouble), nil
		case leased == replayBatch:
			trouble, pause = 0, 0
		default:
			trouble = 0
		}
		rest(ctx, pause, wake)
	}
}

func (r *Replayer) batch(ctx context.Context) (leased int, failed bool) {
	wishes, err := r.queue.LeaseReplays(ctx, r.owner, replayBatch, (replayBatch/replayGate+1)*replayBudget)
	if err != nil {
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "replays.not_leased", "error", err)
		}
		return 0, true
	}
	var (
		calls sync.WaitGroup
		gate  = make(chan struct{}, replayGate)
		mu    sync.Mutex
	)
	for _, wish := range wishes {
		gate <- struct{}{}
		calls.Go(func() {
			defer func() { <-gate }()
			if err := r.replay(ctx, wish); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = true
			}
		})
	}
	calls.Wait()
	return len(wishes), failed
}

// replay fulfils one wish, and records what it did. A wish whose record is lost
// is fulfilled again: then a channel that was asked to be told again may be told
// once more, and nothing else.
func (r *Replayer) replay(ctx context.Context, wish ledger.Replayable) error {
	call, cancel := context.WithTimeout(ctx, replayBudget)
	defer cancel()
	workflowID, outcome, err := r.dispatch(call, wish)
	record, cancelRecord := context.WithTimeout(context.WithoutCancel(ctx), replayBudget)
	defer cancelRecord()
	if err != nil {
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "event.not_replayed", "inbox", wish.Event.Inbox, "event_type", wish.Event.Type,
				"tries", wish.Tries+1, "error", err)
		}
		return errors.Join(err, r.queue.PostponeReplay(record, wish.Replay, backoff(wish.Tries+1)))
	}
	r.log.InfoContext(ctx, "event.replayed", "inbox", wish.Event.Inbox, "event_type", wish.Event.Type, "outcome", outcome)
	return r.queue.FinishReplay(record, wish.Replay, workflowID, outcome)
}

// dispatch starts what an event needs and does not have. workflowID is empty when
// nothing was started.
func (r *Replayer) dispatch(ctx context.Context, wish ledger.Replayable) (workflowID, outcome string, err error) {
	row := wish.Event
	ctx = telemetry.Continue(ctx, row.Traceparent)
	if row.RewardID != 0 {
		started, err := r.starter.fulfil(ctx, claimed(row), enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
		if err != nil || !started {
			return "", replayUnfinished, err
		}
		return workflows.FulfilmentID(row.RewardID), replayStarted, nil
	}
	wanted := r.starter.channels(row.Type)
	if len(wanted) == 0 {
		return "", replayUnwanted, nil
	}
	id := workflows.NotificationID(row.Type, row.EventID)
	var told []string
	if !wish.Again {
		if wanted, told, outcome, err = r.untold(ctx, id, wish.WorkflowBefore != "", wanted); err != nil || outcome != "" {
			return "", outcome, err
		}
	}
	open := ledger.OpenNotification{Inbox: row.Inbox, Type: row.Type, EventID: row.EventID, Channels: wanted}
	options := r.starter.notification(open)
	if wish.Again || wish.WorkflowBefore != "" {
		// What an earlier run told is known, or does not matter. Otherwise a run is
		// one whose record was lost, and must stay the only one.
		options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	if len(told) > 0 {
		options.Memo = map[string]any{toldMemo: told}
	}
	// The record says of each channel that it was told, or given up: what is to be
	// told again is open again.
	if err := r.queue.ReopenNotifications(ctx, row.Inbox, wanted); err != nil {
		return "", "", err
	}
	started, err := r.starter.tell(ctx, options, open)
	if err != nil || !started {
		return "", replayOpen, err
	}
	return id, replayStarted, nil
}

// untold divides the wanted channels into those to tell and those that were told,
// or returns the outcome when there is nothing to tell. An event that never
// needed a notification was told to nobody.
func (r *Replayer) untold(ctx context.Context, id string, before bool, wanted []string) (tell, told []string, outcome string, err error) {
	if !before {
		return wanted, nil, "", nil
	}
	telling, heard, err := r.tellings.Told(ctx, id)
	switch {
	case err != nil:
		return nil, nil, "", err
	case telling == TellingOpen:
		return nil, nil, replayOpen, nil
	case telling == TellingForgotten:
		return nil, nil, replayForgotten, nil
	}
	for _, channel := range wanted {
		if !heard[channel] {
			tell = append(tell, channel)
		}
	}
	if len(tell) == 0 {
		return nil, nil, replayTold, nil
	}
	return tell, slices.Sorted(maps.Keys(heard)), "", nil
}
