package worker

import (
	"context"
	"sync/atomic"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// Load says how busy a worker is with what runs inside workflow tasks. Its zero
// value belongs to no worker and is not full.
type Load struct {
	interceptor.WorkerInterceptorBase

	most, running atomic.Int64
}

// Full reports whether the first step of a workflow that starts now would have
// to wait, because as many local activities run as may run at once.
func (l *Load) Full() bool {
	most := l.most.Load()
	return most > 0 && l.running.Load() >= most
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (l *Load) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &counted{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, load: l}
}

// counted is an activity that its worker's load counts.
type counted struct {
	interceptor.ActivityInboundInterceptorBase

	load *Load
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (c *counted) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).IsLocalActivity {
		c.load.running.Add(1)
		defer c.load.running.Add(-1)
	}
	return c.Next.ExecuteActivity(ctx, in)
}
