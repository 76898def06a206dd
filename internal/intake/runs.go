package intake

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/workflows"
)

// Telling is what is known of who was told of an event.
type Telling int

// The cases.
const (
	// TellingForgotten cannot be known: no run is there, or it ended without a result.
	TellingForgotten Telling = iota
	// TellingOpen is under way.
	TellingOpen
	// TellingDone has a result.
	TellingDone
)

// Tellings knows who was told of an event.
type Tellings interface {
	// Told returns, of the notification with this workflow ID, how it stands, and
	// the channels that were told.
	Told(ctx context.Context, workflowID string) (Telling, map[string]bool, error)
}

// toldMemo is the name under which a notification that is replayed for some
// channels keeps those that had been told before it.
const toldMemo = "told_before"

// runReader is the part of Temporal's client that knows past runs.
type runReader interface {
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
}

// Runs reads who was told from a notification's last run: from its result, and
// from what it was started with. It knows as much as Temporal keeps.
type Runs struct {
	temporal  runReader
	converter converter.DataConverter
}

// NewRuns returns a Runs. The converter is the client's own; nil is Temporal's
// default.
func NewRuns(temporal runReader, dc converter.DataConverter) Runs {
	if dc == nil {
		dc = converter.GetDefaultDataConverter()
	}
	return Runs{temporal, dc}
}

// Told implements Tellings. Who was told by a run that somebody ended is not
// known.
func (r Runs) Told(ctx context.Context, workflowID string) (Telling, map[string]bool, error) {
	about, err := r.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return TellingForgotten, nil, nil
	}
	if err != nil {
		return TellingForgotten, nil, fmt.Errorf("reading the run of %s: %w", workflowID, err)
	}
	run := about.GetWorkflowExecutionInfo()
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return TellingOpen, nil, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
	default:
		return TellingForgotten, nil, nil
	}
	told, err := r.result(ctx, run)
	if err != nil {
		return TellingForgotten, nil, fmt.Errorf("reading the result of %s: %w", workflowID, err)
	}
	return TellingDone, told, nil
}

func (r Runs) result(ctx context.Context, run *workflowpb.WorkflowExecutionInfo) (map[string]bool, error) {
	var result workflows.NotificationResult
	of := run.GetExecution()
	if err := r.temporal.GetWorkflow(ctx, of.GetWorkflowId(), of.GetRunId()).Get(ctx, &result); err != nil {
		return nil, err
	}
	told := map[string]bool{}
	for channel, became := range result.Channels {
		if became == workflows.Sent {
			told[channel] = true
		}
	}
	if payload, ok := run.GetMemo().GetFields()[toldMemo]; ok {
		var before []string
		if err := r.converter.FromPayload(payload, &before); err != nil {
			return nil, err
		}
		for _, channel := range before {
			told[channel] = true
		}
	}
	return told, nil
}
