package activities

import (
	"context"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// ApprovalBoard shows people the approvals that wait for them.
type ApprovalBoard interface {
	// Show makes the reward's message show what the ledger holds, and says in
	// words what it did. redraw draws it even when it should show that already.
	// It is safe to repeat.
	Show(ctx context.Context, id reward.ID, redraw bool) (string, error)
}

// ApprovalMessages holds the activities that draw messages.
type ApprovalMessages struct{ board ApprovalBoard }

// NewApprovalMessages returns the activities; board is nil where no Slack is
// configured (any more).
func NewApprovalMessages(board ApprovalBoard) *ApprovalMessages {
	return &ApprovalMessages{board: board}
}

// ShowApprovalInput names the reward.
type ShowApprovalInput struct {
	RewardID reward.ID `json:"reward_id"`
	Always   bool      `json:"always,omitempty"`
}

// ShowApprovalResult says in words what was done.
type ShowApprovalResult struct {
	Did string `json:"did"`
}

// ShowApproval posts or draws the message of one approval.
func (m *ApprovalMessages) ShowApproval(ctx context.Context, in ShowApprovalInput) (ShowApprovalResult, error) {
	if m.board == nil {
		return ShowApprovalResult{}, asTemporal(fault.New(fault.Invalid, "show approval", "Slack is not configured any more"))
	}
	did, err := m.board.Show(ctx, in.RewardID, in.Always)
	return ShowApprovalResult{Did: did}, asTemporal(err)
}
