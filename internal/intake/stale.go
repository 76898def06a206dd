package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// OpenRuns is the part of Temporal's client that knows the workflows that are
// open, and speaks to them.
type OpenRuns interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// running selects the fulfilments that are open, and rested those of them that have
// come to rest somewhere: all others are on their way by themselves.
var (
	running = fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", workflows.FulfilmentType)
	rested  = fmt.Sprintf("%s AND %s != '%s'", running, workflows.RewardStatusKey.GetName(), reward.Received)
)

// pageOfRuns is how many open workflows are read at once. Temporal's own limit is 1,000.
const pageOfRuns = 500

// wakeStale nudges every open fulfilment that rests where the ledger does not.
// In an older copy of Temporal's database a run waits for a decision that people
// have made since, or for nobody, because its reward has ended; and it would
// wait for ever. Nudged, it reads the ledger. A reward that changed within the
// given time is left alone: its workflow may be about to say so.
func (d *Dispatcher) wakeStale(ctx context.Context, unchanged time.Duration) error {
	if d.cfg.Open == nil {
		return nil
	}
	return d.eachPage(ctx, rested, func(runs []*workflowpb.WorkflowExecutionInfo) error {
		return d.all(ctx, len(runs), func(ctx context.Context, i int) error { return d.compare(ctx, runs[i], unchanged) })
	})
}

// carried returns the IDs of the fulfilments that are open. While people let
// thousands wait, a page of the list takes the place of hundreds of starts that
// Temporal refuses. Where the list cannot be had it is nil: everything is tried.
func (d *Dispatcher) carried(ctx context.Context) map[string]bool {
	if d.cfg.Open == nil {
		return nil
	}
	carried := map[string]bool{}
	err := d.eachPage(ctx, running, func(runs []*workflowpb.WorkflowExecutionInfo) error {
		for _, run := range runs {
			carried[run.GetExecution().GetWorkflowId()] = true
		}
		return nil
	})
	if err != nil {
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "sweep.without_list", "error", err)
		}
		return nil
	}
	return carried
}

// eachPage calls do with the open workflows that a query selects, page by page.
func (d *Dispatcher) eachPage(ctx context.Context, query string, do func([]*workflowpb.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: pageOfRuns}
	for {
		page, err := d.list(ctx, request)
		if err != nil {
			return err
		}
		if err := do(page.GetExecutions()); err != nil {
			return err
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

func (d *Dispatcher) list(
	ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Budget)
	defer cancel()
	page, err := d.cfg.Open.ListWorkflow(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("listing open fulfilments: %w", err)
	}
	return page, nil
}

// compare nudges one run if the ledger has its reward elsewhere.
func (d *Dispatcher) compare(ctx context.Context, open *workflowpb.WorkflowExecutionInfo, unchanged time.Duration) error {
	workflowID := open.GetExecution().GetWorkflowId()
	id, ok := workflows.RewardOf(workflowID)
	if !ok {
		return nil
	}
	var rests reward.Status
	payload := open.GetSearchAttributes().GetIndexedFields()[workflows.RewardStatusKey.GetName()]
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &rests); err != nil {
		return fmt.Errorf("reading where %s rests: %w", workflowID, err)
	}
	rec, err := d.queue.Reward(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound): // Another ledger's.
		return nil
	case err != nil:
		return err
	case rec.Status == rests, unchanged > 0 && time.Since(rec.UpdatedAt) < unchanged:
		return nil
	}
	d.log.InfoContext(ctx, "fulfilment.woken", "reward_id", id, "rests", rests, "ledger", rec.Status)
	err = d.cfg.Open.SignalWorkflow(ctx, workflowID, "", workflows.SignalNudge, nil)
	if errors.As(err, new(*serviceerror.NotFound)) { // It has ended meanwhile.
		return nil
	}
	if err != nil {
		return fmt.Errorf("waking %s: %w", workflowID, err)
	}
	return nil
}
