// Package plain holds a peer that needs the whole Temporal server, which would
// make the processes of the others larger than they are.
package plain

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/bench/internal/peers"
	"github.com/rewardflow/rewardflow/internal/engine"
)

const plainQueue = "rewards"

// plain is what Temporal's own tutorials show: a workflow of two activities,
// pay (which verifies before) and close, started by the handler under the
// reward's ID, on the embedded engine that rewardflow's standalone program has,
// with the same options. Client and worker share a connection, so that the first
// workflow task comes with the answer to the start.
type plain struct {
	engine   *engine.Engine
	client   client.Client
	worker   worker.Worker
	pipeline *peers.Pipeline
}

// Open opens the peer.
func Open(ctx context.Context, s peers.Setting) (peers.Peer, error) {
	e, err := engine.Start(ctx, engine.Options{
		Dir: filepath.Join(s.Dir, "temporal"), UIPort: engine.NoPort, MetricsPort: engine.NoPort, Logger: s.Logger,
	})
	if err != nil {
		return nil, err
	}
	c, err := client.DialContext(ctx, client.Options{
		HostPort: e.Address(), Namespace: e.Namespace(), Logger: sdklog.NewStructuredLogger(s.Logger),
	})
	if err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	p := &plain{engine: e, client: c, pipeline: s.Pipeline, worker: worker.New(c, plainQueue, worker.Options{})}
	p.worker.RegisterWorkflowWithOptions(fulfil, workflow.RegisterOptions{Name: "fulfil"})
	p.worker.RegisterActivityWithOptions(p.pay, activity.RegisterOptions{Name: "pay"})
	p.worker.RegisterActivityWithOptions(p.finish, activity.RegisterOptions{Name: "close"})
	if err := p.worker.Start(); err != nil {
		c.Close()
		return nil, errors.Join(err, e.Stop())
	}
	return p, nil
}

func (p *plain) Accept(ctx context.Context, r peers.Reward) error {
	_, err := p.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: r.Key(), TaskQueue: plainQueue, EnableEagerStart: true,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, "fulfil", r)
	if _, known := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); known {
		return nil
	}
	return err
}

func fulfil(ctx workflow.Context, r peers.Reward) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: peers.TryFor, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 10 * time.Second},
	})
	var reference string
	if err := workflow.ExecuteActivity(ctx, "pay", r).Get(ctx, &reference); err != nil || reference == "" {
		return "", err
	}
	return reference, workflow.ExecuteActivity(ctx, "close", r).Get(ctx, nil)
}

// pay verifies and pays. It returns no reference when there was nothing to do.
func (p *plain) pay(ctx context.Context, r peers.Reward) (string, error) {
	completed, err := p.pipeline.Verify(ctx, r)
	if errors.Is(err, peers.ErrDiffers) {
		return "", temporal.NewNonRetryableApplicationError(err.Error(), "differs", err)
	}
	if err != nil || completed {
		return "", err
	}
	return p.pipeline.Pay(ctx, r)
}

func (p *plain) finish(ctx context.Context, r peers.Reward) error { return p.pipeline.Finish(ctx, r) }

func (p *plain) Address() string { return p.engine.Address() }

func (p *plain) Close() error {
	p.worker.Stop()
	p.client.Close()
	if err := p.engine.Stop(); err != nil {
		return fmt.Errorf("stopping the engine: %w", err)
	}
	return nil
}
