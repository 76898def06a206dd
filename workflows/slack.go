package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// SlackApprovalInput names the reward whose message is drawn.
type SlackApprovalInput struct {
	RewardID reward.ID `json:"reward_id"`
}

// SlackApprovalResult says what became of the message, in words.
type SlackApprovalResult struct {
	Message string `json:"message"`
}

// SlackApproval makes a reward's message in Slack show what the ledger holds.
// It is started by the signal redraw, and runs only while there is something to
// draw: there is one for each reward at a time, so that an older drawing never
// overwrites a newer one. It completes even when Slack could not be told;
// nothing that matters waits for a message.
func SlackApproval(ctx workflow.Context, in SlackApprovalInput) (SlackApprovalResult, error) {
	var messages *activities.ApprovalMessages // Names methods for the compiler; never dereferenced.
	asked := workflow.GetSignalChannelWithOptions(ctx, SignalRedraw, workflow.SignalChannelOptions{
		Description: `Look whether the reward's message shows what is so; with {"always":true} draw it in any case.`,
	})
	var res SlackApprovalResult
	for round := 0; ; round++ {
		again, always := drain(asked)
		if !again && round > 0 {
			return res, nil
		}
		var out activities.ShowApprovalResult
		err := workflow.ExecuteActivity(draw(ctx), messages.ShowApproval, activities.ShowApprovalInput{
			RewardID: in.RewardID, Always: always,
		}).Get(ctx, &out)
		if res.Message = out.Did; err != nil {
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			res.Message = message(err)
			workflow.GetLogger(ctx).Warn("approval.not_shown", "reward_id", in.RewardID, "reason", res.Message)
		}
		workflow.SetCurrentDetails(ctx, "### Reward "+in.RewardID.String()+" in Slack\n\n"+res.Message+"\n")
	}
}

// drain takes every signal that has come.
func drain(asked workflow.ReceiveChannel) (came, always bool) {
	var r Redraw
	for asked.ReceiveAsync(&r) {
		came, always = true, always || r.Always
		r = Redraw{}
	}
	return came, always
}

// draw is for a message. It may be drawn again at will, each time from what the
// ledger holds then, and goes on for a day: an app that a person has to invite
// or to repair shows what waits as soon as that is done.
func draw(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    40 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        time.Second,
			BackoffCoefficient:     2,
			MaximumInterval:        10 * time.Minute,
			NonRetryableErrorTypes: hopeless(),
		},
	})
}
