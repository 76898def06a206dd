package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// CloseInput names the reward to close.
type CloseInput struct {
	RewardID reward.ID `json:"reward_id"`
}

// CloseResult is where the close stands afterwards.
type CloseResult struct {
	Closed bool          `json:"closed,omitempty"`
	By     ledger.Closer `json:"by,omitempty"`
	Status reward.Status `json:"status"`
	Reason string        `json:"reason,omitempty"`
	// Person says that only a person leads on: what was paid has come back.
	Person bool `json:"person,omitempty"`
	// Again is when to look again; zero leaves the pause to the workflow.
	Again time.Duration `json:"again,omitempty"`
}

// Close tells FirstPromoter that a paid reward is fulfilled, at most once.
//
// It reads before it calls and after an answer that it did not understand, and
// the ledger's claim keeps it apart from an answer of 200. It never gives up:
// what cannot be closed now is closed later, and the payout is not touched.
func (a *Activities) Close(ctx context.Context, in CloseInput) (CloseResult, error) {
	rec, err := a.ledger.Reward(ctx, in.RewardID)
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	state := rec.Closing
	if state.Call == ledger.CallOut {
		// Only a call that is out can have run out; asking that costs a commit.
		if state, err = a.ledger.ExpireClose(ctx, in.RewardID, a.now()); err != nil {
			return CloseResult{}, asTemporal(err)
		}
	}
	if state.Call == ledger.CallDone {
		return closed(state), nil
	}
	if state.Call == ledger.CallOut {
		// The call of a worker that died may still arrive over there.
		return CloseResult{
			By: state.By, Status: reward.Closing, Reason: "an earlier call may still be on its way",
			Again: max(state.Deadline.Sub(a.now()), time.Second),
		}, nil
	}

	owed, err := a.fp.Owed(ctx, rec.Reward.Promoter.ID, in.RewardID)
	if err != nil {
		return a.closeTrouble(ctx, in.RewardID, state, err)
	}
	switch {
	case owed.Completed():
		return a.finishClose(ctx, in.RewardID, state.Fence, ledger.CallDone, "read back as completed")
	case state.By == ledger.ClosedByAnswer:
		return CloseResult{
			By: state.By, Status: reward.Closing,
			Reason: "the close was left to the answer 200, and FirstPromoter has not recorded it yet",
		}, nil
	case state.Call == ledger.CallUnknown && a.now().Before(state.Deadline):
		// It may still be at work over there: "pending" proves nothing yet.
		return CloseResult{
			By: state.By, Status: reward.Closing, Again: state.Deadline.Sub(a.now()),
			Reason: "the last call had no clear answer, and is read back once it has surely ended",
		}, nil
	case state.Call == ledger.CallUnknown:
		return a.readBack(ctx, in.RewardID, state.Fence, owed.Status)
	}
	return a.callClose(ctx, in.RewardID)
}

// readBack notes that a call whose outcome was unknown has not closed the
// reward. The next call is left to the next run: only between two calls may an
// answer take the close over, and a call that is never answered would
// otherwise keep it out for ever.
func (a *Activities) readBack(ctx context.Context, id reward.ID, fence int64, status string) (CloseResult, error) {
	state, err := a.ledger.FinishClose(ctx, id, fence, ledger.CallNotDone, "read back as "+status)
	return CloseResult{By: state.By, Status: reward.Closing, Reason: "the last call was read back as not done, and another one follows"},
		asTemporal(err)
}

// callClose claims the close and makes the one call.
func (a *Activities) callClose(ctx context.Context, id reward.ID) (CloseResult, error) {
	state, claimed, err := a.ledger.ClaimClose(ctx, id, a.now().Add(a.cfg.SendTimeout))
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	if !claimed {
		return a.notClaimed(ctx, id, state)
	}
	cause := a.complete(ctx, id, state.Deadline)
	activity.GetLogger(ctx).Info("reward.close_called", "reward_id", id, "fence", state.Fence, "kind", fault.KindOf(cause))

	ctx = context.WithoutCancel(ctx)
	switch fault.KindOf(cause) {
	case "":
		return a.finishClose(ctx, id, state.Fence, ledger.CallDone, "the call answered completed")
	case fault.Ambiguous, fault.Internal, fault.Conflict, fault.Declined:
		state, err = a.ledger.FinishClose(ctx, id, state.Fence, ledger.CallUnknown, fault.Message(cause))
	case fault.Unavailable, fault.Throttled, fault.Denied, fault.Invalid, fault.NotFound:
		state, err = a.ledger.FinishClose(ctx, id, state.Fence, ledger.CallNotDone, fault.Message(cause))
	}
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	return a.closeTrouble(ctx, id, state, cause)
}

// notClaimed says why the close may not be called: another way of closing was
// quicker, or the payout has come back meanwhile.
func (a *Activities) notClaimed(ctx context.Context, id reward.ID, state ledger.CloseState) (CloseResult, error) {
	rec, err := a.ledger.Reward(ctx, id)
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	p, err := a.ledger.Payout(ctx, id)
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	if p.State == payout.Returned {
		return CloseResult{By: state.By, Status: rec.Status, Reason: rec.Reason, Person: true}, nil
	}
	return CloseResult{By: state.By, Status: reward.Closing, Reason: "another way of closing was quicker", Again: time.Second}, nil
}

// complete makes the call, and gives up at its deadline. A process that was
// suspended until then calls nobody: the call was given up as lost, and the
// answer may have taken the close over.
func (a *Activities) complete(ctx context.Context, id reward.ID, deadline time.Time) error {
	left := deadline.Sub(a.now())
	if left <= 0 {
		return fault.New(fault.Unavailable, "activities.close", "the call's time was over before it could be made")
	}
	ctx, cancel := context.WithTimeout(ctx, min(left, a.cfg.SendTimeout))
	defer cancel()
	return a.fp.Complete(ctx, id)
}

func (a *Activities) finishClose(ctx context.Context, id reward.ID, fence int64, call ledger.CloseCall, detail string) (CloseResult, error) {
	state, err := a.ledger.FinishClose(ctx, id, fence, call, detail)
	if err != nil {
		return CloseResult{}, asTemporal(err)
	}
	if state.Call != ledger.CallDone {
		return CloseResult{By: state.By, Status: reward.Closing, Again: time.Second}, nil
	}
	return closed(state), nil
}

func closed(state ledger.CloseState) CloseResult {
	return CloseResult{Closed: true, By: state.By, Status: reward.Fulfilled, Reason: "FirstPromoter holds it as completed"}
}

// closeTrouble keeps the reason where people look. Trouble that a person must
// mend is attention; the close is tried again all the same.
func (a *Activities) closeTrouble(ctx context.Context, id reward.ID, state ledger.CloseState, cause error) (CloseResult, error) {
	res := CloseResult{
		By: state.By, Status: reward.Closing, Again: fault.RetryAfter(cause),
		Reason: "paid; FirstPromoter could not be told yet, and will be told again: " + fault.Message(cause),
	}
	t := ledger.Transition{ID: id, To: res.Status, Reason: res.Reason, Actor: "close", NextTimer: a.now().Add(max(res.Again, troubleRest))}
	switch fault.KindOf(cause) {
	case fault.Denied, fault.Invalid, fault.NotFound, fault.Internal, fault.Conflict, fault.Declined:
		res.Status, t.To, t.Notify = reward.Attention, reward.Attention, NotifyAttention
	case fault.Throttled, fault.Unavailable, fault.Ambiguous:
	}
	return res, asTemporal(a.ledger.Move(ctx, t))
}
