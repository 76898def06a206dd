package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// AttrRewardID is the attribute that names a span's reward, on every span that
// concerns one.
const AttrRewardID = "rewardflow.reward_id"

// Keys of the SDK's tags (go.temporal.io/sdk/interceptor 1.50.0), which become
// attributes under the same names, as Temporal's documents have them.
const (
	tagWorkflowID = "temporalWorkflowID"
	tagRunID      = "temporalRunID"
	tagUpdateID   = "temporalUpdateID"
)

// headerKey is the Temporal header that carries the trace context; every SDK
// uses this one.
const headerKey = "_tracer-data"

// spanKey is where the SDK's interceptor keeps a span in a workflow's context.
type spanKey struct{}

// temporalTracer makes the spans of workflows and activities. Two things are
// not as in the SDK's own OpenTelemetry tracer, because a fulfilment may wait
// for weeks and outlive many workers:
//
//   - the span of a workflow's run is sent when a worker first takes the run up,
//     and has an ID that derives from the run's. The spans below it have a
//     parent that exists, while the workflow is open and whichever worker makes
//     them.
//   - a replay sends nothing again.
type temporalTracer struct {
	interceptor.BaseTracer
	tracer trace.Tracer
}

// Options implements interceptor.Tracer.
func (t temporalTracer) Options() interceptor.TracerOptions {
	return interceptor.TracerOptions{
		SpanContextKey: spanKey{},
		HeaderKey:      headerKey,
		// The status query is asked at every view of a reward.
		DisableQueryTracing: true,
		// A header that cannot be read must not fail a workflow task.
		AllowInvalidParentSpans: true,
	}
}

// UnmarshalSpan implements interceptor.Tracer. Without a trace context there is
// no parent, which is no error.
func (t temporalTracer) UnmarshalSpan(header map[string]string) (interceptor.TracerSpanRef, error) {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier(header))
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc, nil
	}
	return nil, nil //nolint:nilnil // The SDK's word for "no parent".
}

// MarshalSpan implements interceptor.Tracer.
func (t temporalTracer) MarshalSpan(span interceptor.TracerSpan) (map[string]string, error) {
	header := propagation.MapCarrier{}
	if s, ok := span.(*temporalSpan); ok {
		propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.Span), header)
	}
	return header, nil
}

// SpanFromContext implements interceptor.Tracer.
func (t temporalTracer) SpanFromContext(ctx context.Context) interceptor.TracerSpan {
	span := trace.SpanFromContext(ctx)
	if !span.SpanContext().IsValid() {
		return nil
	}
	return &temporalSpan{Span: span}
}

// ContextWithSpan implements interceptor.Tracer.
func (t temporalTracer) ContextWithSpan(ctx context.Context, span interceptor.TracerSpan) context.Context {
	if s, ok := span.(*temporalSpan); ok {
		return trace.ContextWithSpan(ctx, s.Span)
	}
	return ctx
}

// StartSpan implements interceptor.Tracer.
func (t temporalTracer) StartSpan(o *interceptor.TracerStartSpanOptions) (interceptor.TracerSpan, error) {
	ctx := context.Background()
	switch parent := o.Parent.(type) {
	case nil:
	case trace.SpanContext:
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	case *temporalSpan:
		ctx = trace.ContextWithSpan(ctx, parent.Span)
	default:
		return nil, fmt.Errorf("a span of type %T cannot be a parent", parent)
	}
	s := &temporalSpan{root: o.Parent == nil}
	switch {
	case o.Operation == "RunWorkflow":
		s.kept = true // spansOfWorkflow ends it.
		ctx = withIDs(ctx, "run", o.Tags[tagRunID])
	case o.Operation == "HandleUpdate":
		s.kept = true
		ctx = withIDs(ctx, "update", o.Tags[tagRunID], o.Tags[tagUpdateID])
	}
	kind := trace.SpanKindServer
	if o.ToHeader {
		kind = trace.SpanKindClient
	}
	_, s.Span = t.tracer.Start(ctx, o.Operation+":"+o.Name,
		trace.WithTimestamp(o.Time), trace.WithSpanKind(kind), trace.WithAttributes(attributesOf(o.Tags)...))
	return s, nil
}

func attributesOf(tags map[string]string) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, len(tags)+1)
	for key, value := range tags {
		attrs = append(attrs, attribute.String(key, value))
	}
	if id, ok := strings.CutPrefix(tags[tagWorkflowID], fulfilmentPrefix); ok {
		attrs = append(attrs, attribute.String(AttrRewardID, id))
	}
	return attrs
}

// GetLogger implements interceptor.Tracer.
func (t temporalTracer) GetLogger(logger log.Logger, ref interceptor.TracerSpanRef) log.Logger {
	s, ok := ref.(*temporalSpan)
	if !ok || !s.SpanContext().IsValid() {
		return logger
	}
	return log.With(logger, keyTraceID, s.SpanContext().TraceID().String(), keySpanID, s.SpanContext().SpanID().String())
}

// temporalSpan is a span of the SDK's interceptor.
type temporalSpan struct {
	trace.Span

	// root says that it has no parent.
	root bool
	// kept is not ended by the SDK's interceptor, which does not know a replay:
	// a span that is not ended is never sent.
	kept bool
}

// Finish implements interceptor.TracerSpan.
func (s *temporalSpan) Finish(o *interceptor.TracerFinishSpanOptions) {
	started := temporal.IsWorkflowExecutionAlreadyStartedError(o.Error)
	if s.kept || started && s.root {
		// The sweep starts every unfinished reward again, every two minutes: a
		// trace that says only that one was open is noise.
		return
	}
	if o.Error != nil && !started && !benign(o.Error) {
		s.SetStatus(codes.Error, o.Error.Error())
	}
	s.End()
}

func benign(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Category() == temporal.ApplicationErrorCategoryBenign
}

// spanIn returns the span that the SDK's interceptor keeps in a workflow's
// context; nil without one.
func spanIn(ctx interface{ Value(any) any }) *temporalSpan {
	s, _ := ctx.Value(spanKey{}).(*temporalSpan)
	return s
}

// linkTo is a link to another trace that says what leads there.
func linkTo(s *temporalSpan, what string) trace.Link {
	return trace.Link{SpanContext: s.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("rewardflow.link", what)}}
}
