package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// tracingInterceptor is the SDK's tracing, with the spans of workflows ended
// when they should be.
type tracingInterceptor struct {
	interceptor.Interceptor

	tracer trace.Tracer
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (t tracingInterceptor) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return t.Interceptor.InterceptWorkflow(ctx, &spansOfWorkflow{
		WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, tracer: t.tracer,
	})
}

// spansOfWorkflow runs inside the SDK's interceptor and knows whether the
// workflow is replaying. A workflow's code makes no span: it must not know the
// time or chance.
type spansOfWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase

	tracer trace.Tracer
	// run is the span of the workflow's run; nil before it began.
	run *temporalSpan
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor. The span of
// the run ends as the run begins: it shows how long the run waited for a worker,
// and all else hangs below it.
func (w *spansOfWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	w.run = spanIn(ctx)
	if w.run != nil && !workflow.IsReplaying(ctx) {
		w.run.End()
	}
	return w.Next.ExecuteWorkflow(ctx, in)
}

// HandleSignal implements interceptor.WorkflowInboundInterceptor.
func (w *spansOfWorkflow) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	w.heard(ctx, in.SignalName)
	return w.Next.HandleSignal(ctx, in)
}

// ExecuteUpdate implements interceptor.WorkflowInboundInterceptor. An update that
// began under another worker is sent by the one that ends it.
func (w *spansOfWorkflow) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	w.heard(ctx, in.Name)
	out, err := w.Next.ExecuteUpdate(ctx, in)
	if span := spanIn(ctx); span != nil && !workflow.IsReplaying(ctx) {
		span.kept = false
	}
	return out, err
}

// heard links what a person or a program says to the trace of the reward, days
// old by then, and that trace to what was said.
func (w *spansOfWorkflow) heard(ctx workflow.Context, what string) {
	said := spanIn(ctx)
	if workflow.IsReplaying(ctx) || said == nil || w.run == nil || said == w.run {
		return
	}
	said.AddLink(linkTo(w.run, "reward"))
	info := workflow.GetInfo(ctx)
	_, span := w.tracer.Start(trace.ContextWithSpan(context.Background(), w.run.Span), "Heard:"+what,
		trace.WithLinks(linkTo(said, "said")),
		trace.WithAttributes(attributesOf(map[string]string{
			tagWorkflowID: info.WorkflowExecution.ID, tagRunID: info.WorkflowExecution.RunID,
		})...))
	span.End()
}
