package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// ApprovalMessage is the message in a chat that shows people one reward's
// approval, and takes their decisions. A reward has at most one that counts:
// the newest.
type ApprovalMessage struct {
	RewardID reward.ID
	// Channel and Timestamp name the message in the chat's own terms; both are
	// empty while none was posted.
	Channel   string
	Timestamp string
	// Shown names what the message shows, so that the same is not drawn twice.
	Shown string
	// Open says that the message takes decisions, or is about to be posted.
	Open bool
	// ClaimedUntil is until when somebody is posting; zero when nobody is.
	ClaimedUntil time.Time
}

// ApprovalMessages remembers which message shows which reward.
//
// While a reward's message is open, everything that changes what it shows and
// makes no internal event of its own (a decision that counts, a new status)
// puts the event reward_changed into the inbox, in the same transaction:
// whoever draws the message hears of it whatever lane it came by. A new digest
// does so even when the message is settled, because it asks again. A reward
// without a message makes none.
//
// A method that names a reward that is not there returns fault.NotFound.
type ApprovalMessages interface {
	// ApprovalMessage returns the reward's message; fault.NotFound when none
	// was ever claimed.
	ApprovalMessage(ctx context.Context, id reward.ID) (ApprovalMessage, error)
	// ClaimApprovalMessage takes the right to post a message in the place of
	// the one that has the given timestamp (empty where none was posted), until
	// the given time. It returns false while somebody else holds it, and when
	// somebody has posted since. The message is open from now on.
	ClaimApprovalMessage(ctx context.Context, id reward.ID, timestamp string, now, until time.Time) (bool, error)
	// KeepApprovalMessage records what was posted or drawn, and ends the claim.
	KeepApprovalMessage(ctx context.Context, m ApprovalMessage) error
}
