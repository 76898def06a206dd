// Package intake accepts events and brings them to their workflows.
//
// Accept commits an event to the inbox and chooses the answer; that row is
// what an answer of 202 promises. A Dispatcher starts the workflows from the
// inbox, so that nothing outside this process's own database stands between
// FirstPromoter and its answer.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// inbox is where an accepted event is made durable.
type inbox interface {
	Accept(ctx context.Context, ev ledger.Event, closeByAnswerAfter time.Duration) (ledger.Receipt, error)
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	Fold(ctx context.Context, events []ledger.Spooled) error
	Ping(ctx context.Context) error
}

// Intake accepts events.
type Intake struct {
	inbox              inbox
	closeByAnswerAfter time.Duration
	wake               func()
	// ours remembers the newest rewards that are in the ledger.
	ours    *recent
	metrics *metrics
	log     *slog.Logger
	tracer  trace.Tracer

	spool Spool // Nil without one.
	// detour says that the inbox was seen to fail, and that events go to the
	// spool until a fold succeeds.
	detour  atomic.Bool
	foldNow chan struct{}
}

// Config says how events are accepted. Registerer and Logger are required.
type Config struct {
	// CloseByAnswerAfter is how long a paid reward waits for the API before an
	// answer of 200 may close it.
	CloseByAnswerAfter time.Duration
	// Wake is called after every commit that left something to dispatch; it must
	// not block, and may be nil.
	Wake func()
	// Spool keeps events while the inbox cannot commit; FoldSpool must run then.
	// Nil refuses events in their place.
	Spool Spool
	// Registerer gets intake's metrics.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Tracer makes the span of each commit; nil makes none.
	Tracer trace.Tracer
}

// New returns an Intake.
func New(box inbox, cfg Config) (*Intake, error) {
	counters, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noop.Tracer{}
	}
	in := &Intake{
		inbox: box, closeByAnswerAfter: cfg.CloseByAnswerAfter, wake: cfg.Wake, ours: newRecent(maxRecent),
		metrics: counters, log: cfg.Logger, spool: cfg.Spool, foldNow: make(chan struct{}, 1), tracer: cfg.Tracer,
	}
	return in, in.registerSpool(cfg.Registerer)
}

// Accept decodes a delivery, keeps its allowed fields, and commits them to the
// inbox, or to the spool while the inbox cannot take them. When it returns nil
// the event is ours. Fulfilled says that the reward is paid and that the answer
// must close it: only then may the caller answer 200.
//
// It returns fault.Invalid for what is not an event, and another kind when
// neither could commit, both with what the body said. An event that could surely
// not be committed, and asks for a reward that is in the ledger already, is no
// error: the reward is ours, and Reason says that this delivery of its event was
// not stored.
func (in *Intake) Accept(ctx context.Context, body []byte) (ledger.Taken, error) {
	ev, err := firstpromoter.Decode(body)
	if err != nil {
		return ledger.Taken{Reason: unusable(err)}, err
	}
	taken := ledger.Taken{Type: ev.Type, Known: ev.Known}
	if ev.Reward != nil {
		taken.RewardID = ev.Reward.Reward.ID
		taken.WorkflowID = workflows.FulfilmentID(taken.RewardID)
	}
	ctx, committed := in.startCommit(ctx, ev, taken.RewardID)
	receipt, spooled, err := in.commit(ctx, ledger.Event{
		Type:        ev.Type,
		Dedupe:      ev.Dedupe(),
		EventID:     workflowEventID(ev),
		Subject:     subject(ev),
		Reward:      ev.Reward,
		Body:        ev.Body(),
		Traceparent: telemetry.Traceparent(ctx),
		Dispatch:    ev.Known,
		Delivery:    deliveryName(),
	})
	committed(receipt.Duplicate, spooled, err)
	if err != nil {
		return in.notStored(ctx, taken, err)
	}
	taken.Fulfilled = receipt.ClosedByAnswer
	in.stored(ctx, ev, taken, receipt.Duplicate, spooled)
	return taken, nil
}

// stored counts and tells of an event that is ours.
func (in *Intake) stored(ctx context.Context, ev firstpromoter.Event, taken ledger.Taken, duplicate, spooled bool) {
	in.metrics.count(ev, duplicate)
	attrs := []any{"event_type", ev.Type, "event_id", ev.ID, "known", ev.Known, "duplicate", duplicate, "spooled", spooled}
	if taken.RewardID != 0 {
		in.ours.add(taken.RewardID)
		attrs = append(attrs, "reward_id", taken.RewardID, "closed_by_answer", taken.Fulfilled)
	}
	in.log.InfoContext(ctx, "event.accepted", attrs...)
	if ev.Known && !duplicate && !spooled {
		in.wake()
	}
}

// knownBudget bounds the look whether a reward is ours already, which comes on
// top of a commit that has failed: FirstPromoter waits for 15 seconds.
const knownBudget = 2 * time.Second

// notStored decides what an event that could not be committed means. FirstPromoter
// sends a fulfilment_pending again after every 2xx but 200 as well, and an error
// would spend its budget for a reward that cannot be lost any more. Where the
// commit may have happened, and with it a close by the answer, only an error
// surely brings the event back.
func (in *Intake) notStored(ctx context.Context, taken ledger.Taken, cause error) (ledger.Taken, error) {
	taken.Reason = ledger.ReasonNotStored
	surely := fault.Is(cause, fault.Unavailable) || fault.Is(cause, fault.Throttled)
	if taken.RewardID == 0 || !surely || !in.isOurs(ctx, taken.RewardID) {
		return taken, cause
	}
	in.log.WarnContext(ctx, "event.not_stored", "reward_id", taken.RewardID, "error", cause,
		"consequence", "the reward is in the ledger already, so the event was answered 202")
	taken.Reason = ledger.ReasonOurs
	return taken, nil
}

// isOurs reports whether a reward is surely in the ledger. A database that
// cannot be written can often be read; when it cannot, memory knows what this
// process took in last.
func (in *Intake) isOurs(ctx context.Context, id reward.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, knownBudget)
	defer cancel()
	_, err := in.inbox.Reward(ctx, id)
	return err == nil || (!fault.Is(err, fault.NotFound) && in.ours.has(id))
}

// unusable says why a body was refused, in one of the closed set of reasons.
func unusable(err error) ledger.UnstoredReason {
	switch {
	case errors.Is(err, firstpromoter.ErrNotJSON):
		return ledger.ReasonNotJSON
	case errors.Is(err, firstpromoter.ErrNoType):
		return ledger.ReasonNoType
	case errors.Is(err, firstpromoter.ErrNoRewardID):
		return ledger.ReasonNoRewardID
	}
	return ledger.ReasonUnusable
}

// subject is what notifications about the event are ordered by. An event that
// asks for a reward has none: what becomes of the reward is told by events of
// our own.
func subject(ev firstpromoter.Event) string {
	switch {
	case ev.Reward != nil:
		return ""
	case ev.Fields.Lead.ID != 0:
		return "lead-" + strconv.FormatInt(ev.Fields.Lead.ID, 10)
	case ev.Fields.Promoter.ID != 0:
		return "promoter-" + strconv.FormatInt(ev.Fields.Promoter.ID, 10)
	}
	return ""
}

// workflowEventID is the event's own ID, or, for an event without one, what
// makes it unique.
func workflowEventID(ev firstpromoter.Event) string {
	if ev.ID != "" {
		return ev.ID
	}
	return ev.Dedupe()
}

// deliveryName names one delivery among all. Names rise with time, which keeps
// the index over them compact.
func deliveryName() string {
	if id, err := uuid.NewV7(); err == nil {
		return id.String()
	}
	return uuid.NewString()
}
