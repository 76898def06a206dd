// Package intake accepts events and brings them to their workflows.
//
// Accept commits an event to the inbox and chooses the answer; that row is
// what an answer of 202 promises. A Dispatcher starts the workflows from the
// inbox, so that nothing outside this process's own database stands between
// FirstPromoter and its answer.
package intake

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// inbox is where an accepted event is made durable.
type inbox interface {
	Accept(ctx context.Context, ev ledger.Event, closeByAnswerAfter time.Duration) (ledger.Receipt, error)
}

// Intake accepts events.
type Intake struct {
	inbox              inbox
	closeByAnswerAfter time.Duration
	wake               func()
	metrics            *metrics
	log                *slog.Logger
}

// Config says how events are accepted. Registerer and Logger are required.
type Config struct {
	// CloseByAnswerAfter is how long a paid reward waits for the API before an
	// answer of 200 may close it.
	CloseByAnswerAfter time.Duration
	// Wake is called after every commit that left something to dispatch; it must
	// not block, and may be nil.
	Wake func()
	// Registerer gets intake's metrics.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
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
	return &Intake{
		inbox: box, closeByAnswerAfter: cfg.CloseByAnswerAfter, wake: cfg.Wake, metrics: counters, log: cfg.Logger,
	}, nil
}

// Accept decodes a delivery, keeps its allowed fields, and commits them. When
// it returns nil the event is ours. fulfilled says that the reward is paid and
// that the answer must close it: only then may the caller answer 200.
//
// It returns fault.Invalid for what is not an event, and another kind when the
// inbox could not commit.
func (in *Intake) Accept(ctx context.Context, body []byte) (fulfilled bool, workflowID string, err error) {
	ev, err := firstpromoter.Decode(body)
	if err != nil {
		return false, "", err
	}
	receipt, err := in.inbox.Accept(ctx, ledger.Event{
		Type:        ev.Type,
		Dedupe:      ev.Dedupe(),
		EventID:     workflowEventID(ev),
		Subject:     subject(ev),
		Reward:      ev.Reward,
		Body:        ev.Body(),
		Traceparent: telemetry.Traceparent(ctx),
		Dispatch:    ev.Known,
	}, in.closeByAnswerAfter)
	if err != nil {
		return false, "", err
	}
	in.metrics.count(ev, receipt.Duplicate)
	attrs := []any{"event_type", ev.Type, "event_id", ev.ID, "known", ev.Known, "duplicate", receipt.Duplicate}
	if ev.Reward != nil {
		workflowID = workflows.FulfilmentID(ev.Reward.Reward.ID)
		attrs = append(attrs, "reward_id", ev.Reward.Reward.ID, "closed_by_answer", receipt.ClosedByAnswer)
	}
	in.log.InfoContext(ctx, "event.accepted", attrs...)
	if ev.Known {
		in.wake()
	}
	return receipt.ClosedByAnswer, workflowID, nil
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
