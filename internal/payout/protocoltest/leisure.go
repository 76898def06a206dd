package protocoltest

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// leisure is added to the timeout of every activity. The test environment ends
// activities by the real clock, and a slow machine must not change what happens
// in a world; the world's own clock keeps to the timeouts without it.
const leisure = time.Hour

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (p *process) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &unhurried{}
	in.Next = next
	return in
}

type unhurried struct {
	interceptor.WorkflowInboundInterceptorBase
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (u *unhurried) Init(out interceptor.WorkflowOutboundInterceptor) error {
	patient := &unhurriedCalls{}
	patient.Next = out
	return u.Next.Init(patient)
}

type unhurriedCalls struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// ExecuteActivity implements interceptor.WorkflowOutboundInterceptor.
func (u *unhurriedCalls) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	options.StartToCloseTimeout += leisure
	return u.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), name, args...)
}

// ExecuteLocalActivity implements interceptor.WorkflowOutboundInterceptor.
func (u *unhurriedCalls) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetLocalActivityOptions(ctx)
	options.StartToCloseTimeout += leisure
	options.ScheduleToCloseTimeout += leisure
	return u.Next.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), name, args...)
}
