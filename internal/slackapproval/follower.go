package slackapproval

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// temporal is the part of Temporal's client that a follower uses.
type temporal interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, workflowArgs ...any) (client.WorkflowRun, error)
}

// Follower has messages drawn when something about their reward has changed.
type Follower struct {
	ledger    record
	temporal  temporal
	taskQueue string
}

// NewFollower returns a Follower.
func NewFollower(rec record, t temporal, taskQueue string) *Follower {
	return &Follower{ledger: rec, temporal: t, taskQueue: taskQueue}
}

// Follow has the message drawn that an event of our own is about. A reward that
// nobody is or was asked about costs nothing more than a look.
func (f *Follower) Follow(ctx context.Context, row ledger.Pending) error {
	id, ok := aboutReward(row)
	if !ok {
		return nil
	}
	_, err := f.ledger.ApprovalMessage(ctx, id)
	if fault.Is(err, fault.NotFound) {
		var rec ledger.Record
		if rec, err = f.ledger.Reward(ctx, id); err == nil && !waits(rec) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return f.Redraw(ctx, id, false)
}

// Redraw has a reward's message drawn, always or only where it shows something
// else. Asking twice is harmless.
func (f *Follower) Redraw(ctx context.Context, id reward.ID, always bool) error {
	options := client.StartWorkflowOptions{
		ID: workflows.SlackApprovalID(id), TaskQueue: f.taskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         "reward " + id.String() + " in Slack",
	}
	_, err := f.temporal.SignalWithStartWorkflow(ctx, options.ID, workflows.SignalRedraw, workflows.Redraw{Always: always},
		options, workflows.SlackApprovalType, workflows.SlackApprovalInput{RewardID: id})
	if err != nil {
		return fmt.Errorf("starting %s: %w", options.ID, err)
	}
	return nil
}

// aboutReward reads which reward one of our own events is about.
// FirstPromoter's reward_created has another meaning.
func aboutReward(row ledger.Pending) (reward.ID, bool) {
	if !strings.HasPrefix(row.Type, "reward_") || row.Type == "reward_created" {
		return 0, false
	}
	var body struct {
		RewardID reward.ID `json:"reward_id"`
	}
	err := json.Unmarshal(row.Body, &body)
	return body.RewardID, err == nil && body.RewardID > 0
}
