// Package worker registers workflows and activities with Temporal and runs
// them. Tests use the same Register.
package worker

import (
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/workflows"
)

// Registry takes registrations: a Temporal worker, or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers everything that a task queue of rewardflow carries. Names
// are wire format: they are those of workflows.FulfilmentType,
// NotificationType, ReconciliationType and SlackApprovalType, and of the activities' methods. notifications may be nil
// where no channel is configured; messages are left out in tests that need none.
func Register(r Registry, rewards *activities.Activities, notifications *activities.Notifications, messages ...*activities.ApprovalMessages) {
	r.RegisterWorkflowWithOptions(workflows.Fulfilment, workflow.RegisterOptions{Name: workflows.FulfilmentType})
	r.RegisterWorkflowWithOptions(workflows.Notification, workflow.RegisterOptions{Name: workflows.NotificationType})
	r.RegisterWorkflowWithOptions(workflows.Reconciliation, workflow.RegisterOptions{Name: workflows.ReconciliationType})
	r.RegisterWorkflowWithOptions(workflows.SlackApproval, workflow.RegisterOptions{Name: workflows.SlackApprovalType})
	r.RegisterActivityWithOptions(rewards, activity.RegisterOptions{})
	if notifications != nil {
		r.RegisterActivityWithOptions(notifications, activity.RegisterOptions{})
	}
	for _, m := range messages {
		r.RegisterActivityWithOptions(m, activity.RegisterOptions{})
	}
}

// Options describe a worker. Zero fields have defaults.
type Options struct {
	// TaskQueue is workflows.TaskQueue by default.
	TaskQueue string
	// Activities is how many activities may run at once; 64 by default.
	Activities int
	// StopTimeout is how long running activities may finish; 30 seconds by
	// default, longer than any call to a provider.
	StopTimeout time.Duration
	// Deployment is the version that this worker belongs to; its zero value is a
	// worker without versions.
	Deployment Deployment
	// Autoscale lets the server say how many requests for tasks are open at once,
	// for a worker whose server is elsewhere. An embedded one has no use for more
	// than the SDK's two.
	Autoscale bool
	// PerMinute is how many activities of the task queue may start in a minute,
	// on all workers together; zero does not limit them.
	PerMinute int
	// Load is told of what the worker runs inside workflow tasks; nil is not.
	Load *Load
}

// Deployment names a version of the workers, for Temporal's worker versioning.
type Deployment struct {
	// Name is the worker deployment; it holds no dot.
	Name string
	// Build is the version within it.
	Build string
}

// cachedWorkflows is how many open workflows a process keeps in memory. A reward
// that waits for people costs some 80 KB there, and days may pass until it is
// asked again; one that was dropped is replayed from its history, a few dozen
// events. The SDK's own 10,000 would take 900 MB.
const cachedWorkflows = 256

// maxPollers bounds what the server may scale to, for each kind of task.
const maxPollers = 50

// New returns a worker that is registered and not started.
func New(
	c client.Client, o Options,
	rewards *activities.Activities, notifications *activities.Notifications, messages ...*activities.ApprovalMessages,
) worker.Worker {
	o = o.withDefaults()
	worker.SetStickyWorkflowCacheSize(cachedWorkflows) // Of the whole process; workers that run already keep theirs.
	w := worker.New(c, o.TaskQueue, o.sdk())
	Register(w, rewards, notifications, messages...)
	return w
}

func (o Options) withDefaults() Options {
	if o.TaskQueue == "" {
		o.TaskQueue = workflows.TaskQueue
	}
	if o.Activities <= 0 {
		o.Activities = 64
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = 30 * time.Second
	}
	return o
}

// sdk returns the options in the SDK's words.
func (o Options) sdk() worker.Options {
	sdk := worker.Options{
		MaxConcurrentActivityExecutionSize:      o.Activities,
		MaxConcurrentLocalActivityExecutionSize: o.Activities,
		WorkerStopTimeout:                       o.StopTimeout,
		DisableRegistrationAliasing:             true,
		// A workflow that does not replay keeps its task waiting for a good
		// deployment, and never fails.
		WorkflowPanicPolicy:          worker.BlockWorkflow,
		TaskQueueActivitiesPerSecond: float64(o.PerMinute) / 60,
	}
	if o.Deployment.Name != "" {
		// docs/decisions/0022 says why no workflow is pinned.
		sdk.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: o.Deployment.Name, BuildID: o.Deployment.Build},
			DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
		}
	}
	if o.Autoscale {
		scaled := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: 2, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: maxPollers,
		})
		sdk.WorkflowTaskPollerBehavior, sdk.ActivityTaskPollerBehavior = scaled, scaled
	}
	if o.Load != nil {
		o.Load.most.Store(int64(o.Activities))
		sdk.Interceptors = []interceptor.WorkerInterceptor{o.Load}
	}
	return sdk
}
