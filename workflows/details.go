package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// show puts the standing where people look in the Temporal UI: the current
// details, which cost nothing, and the search attribute, which costs an action
// and is therefore written only when the reward comes to rest somewhere else.
func (r *run) show(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, r.details())
	if !r.worthShowing() {
		return nil
	}
	r.shown = r.now.Status
	if err := workflow.UpsertTypedSearchAttributes(ctx, RewardStatusKey.ValueSet(string(r.now.Status))); err != nil {
		return fmt.Errorf("writing the search attribute: %w", err)
	}
	return nil
}

// worthShowing is true where a reward rests, and at the end of one that rested.
func (r *run) worthShowing() bool {
	if r.now.Status == r.shown {
		return false
	}
	rested := r.shown != reward.Received
	switch r.now.Status {
	case reward.Quarantined, reward.AwaitingApproval, reward.Held, reward.Attention, reward.Resolving, reward.Settling,
		reward.Rejected, reward.Abandoned, reward.FulfilledElsewhere:
		return true
	case reward.Fulfilled:
		return rested
	case reward.Closing, reward.Verifying:
		return rested || r.pause > 0
	case reward.Received, reward.Approved, reward.Paying, reward.Paid:
	}
	return false
}

// details is the standing in words, in Markdown. It names no person and no
// address.
func (r *run) details() string {
	var b strings.Builder
	b.WriteString("### Reward " + r.in.RewardID.String() + ": " + strings.ReplaceAll(string(r.now.Status), "_", " ") + "\n\n")
	if r.now.Reason != "" {
		b.WriteString(r.now.Reason + "\n\n")
	}
	line := func(name, value string) {
		if value != "" {
			b.WriteString("- **" + name + "**: " + value + "\n")
		}
	}
	if r.now.Quantity.Unit != "" {
		line("quantity", r.now.Quantity.String())
	}
	line("provider", r.now.Provider)
	if r.now.Needed > 0 {
		approvals := fmt.Sprintf("%d of %d", r.now.Approvals, r.now.Needed)
		if r.now.Role != "" {
			approvals += ", by people with the role " + r.now.Role
		}
		line("approvals", approvals)
	}
	line("digest", string(r.now.Digest))
	if !r.nextTimer.IsZero() {
		line("looks again by itself", r.nextTimer.UTC().Format(time.RFC3339))
	}
	line("what you can do", r.advice())
	return b.String()
}

func (r *run) advice() string {
	id := r.in.RewardID.String()
	switch r.now.Status {
	case reward.AwaitingApproval:
		return "`rewardflow approvals show " + id + "`, then approve or reject"
	case reward.Held:
		if r.now.Needed > 0 {
			return "decide: `rewardflow approvals show " + id + "`"
		}
		return "`rewardflow why " + id + "`"
	case reward.Quarantined, reward.Attention:
		return "`rewardflow why " + id + "`, then `rewardflow resolve " + id + " retry|reroute|paid|reject|abandon`"
	case reward.Settling, reward.Resolving:
		return "`rewardflow why " + id + "`"
	case reward.Received, reward.Verifying, reward.Approved, reward.Paying, reward.Paid, reward.Closing,
		reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned:
	}
	return ""
}
