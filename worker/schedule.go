package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/workflows"
)

// reconcileEvery is how often the ledger is held against the books outside.
const reconcileEvery = time.Hour

// Schedule has Temporal start the reconciliation every hour, on this task
// queue. It may be called by every process at every start: there is one
// schedule, and what people have paused stays paused.
func Schedule(ctx context.Context, c client.Client, taskQueue string) error {
	action := &client.ScheduleWorkflowAction{
		ID:            workflows.ReconciliationID(0),
		Workflow:      workflows.ReconciliationType,
		Args:          []any{workflows.ReconciliationInput{}},
		TaskQueue:     taskQueue,
		StaticSummary: "look again at what was paid",
	}
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:            workflows.ReconciliationSchedule,
		Spec:          client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: reconcileEvery}}},
		Action:        action,
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: reconcileEvery,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = c.ScheduleClient().GetHandle(ctx, workflows.ReconciliationSchedule).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				in.Description.Schedule.Action = action
				return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("setting the schedule %s: %w", workflows.ReconciliationSchedule, err)
	}
	return nil
}
