package intake

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

// startCommit makes the span of a commit, and returns what ends it. The type of
// an event that is not known is an outsider's word, and is left out.
func (in *Intake) startCommit(ctx context.Context, ev firstpromoter.Event, id reward.ID) (
	context.Context, func(duplicate, spooled bool, err error),
) {
	kind := unknownType
	if ev.Known {
		kind = ev.Type
	}
	ctx, span := in.tracer.Start(ctx, "inbox.accept", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("rewardflow.event_type", kind)))
	if id != 0 {
		span.SetAttributes(attribute.String(telemetry.AttrRewardID, id.String()))
	}
	return ctx, func(duplicate, spooled bool, err error) {
		span.SetAttributes(attribute.Bool("rewardflow.duplicate", duplicate), attribute.Bool("rewardflow.spooled", spooled))
		if err != nil {
			span.SetStatus(codes.Error, fault.Message(err))
		}
		span.End()
	}
}

// startTraced starts the workflow of an inbox row below the trace of its delivery,
// which may have ended long ago: Temporal was down, or the row is replayed.
func (d *Dispatcher) startTraced(ctx context.Context, row ledger.Pending) (ledger.Dispatched, error) {
	ctx, span := d.cfg.Tracer.Start(telemetry.Continue(ctx, row.Traceparent), "inbox.dispatch",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attribute.Int("rewardflow.tries", row.Tries+1)))
	defer span.End()
	if row.RewardID != 0 {
		span.SetAttributes(attribute.String(telemetry.AttrRewardID, row.RewardID.String()))
	}
	row.Traceparent = telemetry.Traceparent(ctx)
	sent, err := d.starter.Start(ctx, row)
	if err != nil {
		span.SetStatus(codes.Error, fault.Message(err))
	}
	return sent, err
}
