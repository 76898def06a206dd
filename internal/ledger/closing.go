package ledger

import (
	"context"
	"time"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// Closer is what closes a reward at FirstPromoter. A reward uses one.
type Closer string

// The closers.
const (
	ClosedByNobody Closer = ""
	ClosedByAPI    Closer = "api"
	ClosedByAnswer Closer = "answer"
)

// CloseCall is where the API call that closes a reward stands.
type CloseCall string

// The states of the close call.
const (
	// CallNone: no call was ever made.
	CallNone CloseCall = ""
	// CallOut: a call is on the wire, or its worker died.
	CallOut CloseCall = "calling"
	// CallUnknown: the call may have been done; read back before anything else.
	CallUnknown CloseCall = "unknown"
	// CallNotDone: read back as not done.
	CallNotDone CloseCall = "not_done"
	// CallDone: read back as completed.
	CallDone CloseCall = "done"
)

// CloseState is the close of one reward.
type CloseState struct {
	By   Closer
	Call CloseCall
	// Fence rises with every claim for the API.
	Fence    int64
	Deadline time.Time // When the newest call's client has surely given up.
	PaidAt   time.Time
	ClosedAt time.Time // When it was read back as completed; zero before.
}

// Closing holds the fence of DESIGN section 6. A reward is closed by the API
// or by an answer, never by both.
//
// The answer may claim (inside Inbox.Accept) when the payout is paid, the
// reward's status is not final, closing is not claimed by the answer yet, at
// least closeByAnswerAfter has passed since it was paid, and the call is none
// or not_done. Once the answer has claimed, every later Accept of the reward
// reports ClosedByAnswer again, and the API never claims.
type Closing interface {
	// ClaimClose claims the close for one API call, by one fenced statement:
	// the payout is paid, closing is not claimed by the answer, and the call is
	// none or not_done. It returns the state as it stands and whether the
	// caller may call. The reward's status becomes closing.
	ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (CloseState, bool, error)
	// FinishClose records what the call or its read-back came to. It changes
	// nothing when the fence has moved on. CallDone also ends the reward as
	// fulfilled; with call done after the answer claimed, too.
	FinishClose(ctx context.Context, id reward.ID, fence int64, call CloseCall, detail string) (CloseState, error)
	// ExpireClose moves a call that is out, and whose deadline has passed at
	// now, to unknown.
	ExpireClose(ctx context.Context, id reward.ID, now time.Time) (CloseState, error)
}
