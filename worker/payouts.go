package worker

import (
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/rewardflow/rewardflow/activities"
)

// PayoutQueue is the task queue of a provider whose payouts are limited, beside
// the task queue of everything else.
func PayoutQueue(taskQueue, provider string) string { return taskQueue + "-" + provider }

// NewPayouts returns a worker that submits the payouts of one provider, at most
// o.PerMinute of them, and runs no workflows. o.TaskQueue is a PayoutQueue.
func NewPayouts(c client.Client, o Options, rewards *activities.Activities) worker.Worker {
	o = o.withDefaults()
	sdk := o.sdk()
	sdk.DisableWorkflowWorker = true
	w := worker.New(c, o.TaskQueue, sdk)
	w.RegisterActivityWithOptions(rewards, activity.RegisterOptions{})
	return w
}

// Group is several workers that start and stop as one. Start may be called again
// after it failed; it goes on with the worker that could not be started.
type Group struct {
	workers []worker.Worker
	started int
}

// NewGroup returns a group that is not started.
func NewGroup(workers ...worker.Worker) *Group { return &Group{workers: workers} }

// Start starts each worker.
func (g *Group) Start() error {
	for ; g.started < len(g.workers); g.started++ {
		if err := g.workers[g.started].Start(); err != nil {
			return err
		}
	}
	return nil
}

// Stop stops all workers that were started, at the same time, because each may
// take its StopTimeout.
func (g *Group) Stop() {
	var stopping sync.WaitGroup
	for _, w := range g.workers[:g.started] {
		stopping.Go(w.Stop)
	}
	stopping.Wait()
}
