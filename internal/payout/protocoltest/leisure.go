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
	in := &unhurried{run: p.run}
	in.Next = next
	return in
}

type unhurried struct {
	interceptor.WorkflowInboundInterceptorBase
	run *run
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (u *unhurried) Init(out interceptor.WorkflowOutboundInterceptor) error {
	patient := &unhurriedCalls{run: u.run}
	patient.Next = out
	return u.Next.Init(patient)
}

// unhurriedCalls also remembers what an execution waits for, from the moment at
// which it asked.
type unhurriedCalls struct {
	interceptor.WorkflowOutboundInterceptorBase
	run *run
}

// ExecuteActivity implements interceptor.WorkflowOutboundInterceptor.
func (u *unhurriedCalls) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	options.StartToCloseTimeout += leisure
	return u.run.awaits(u.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), name, args...))
}

// ExecuteLocalActivity implements interceptor.WorkflowOutboundInterceptor.
func (u *unhurriedCalls) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetLocalActivityOptions(ctx)
	options.StartToCloseTimeout += leisure
	options.ScheduleToCloseTimeout += leisure
	return u.run.awaits(u.Next.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), name, args...))
}
