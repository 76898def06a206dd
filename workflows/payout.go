package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// straight takes the first step of the newest plan: what may be paid at once is
// verified, paid and closed in one go. Wherever that stops, the other steps go on
// from there.
func (r *run) straight(ctx workflow.Context) error {
	in := activities.PayInput{RewardID: r.in.RewardID, Try: 1, Assess: true}
	var out activities.PayResult
	if err := workflow.ExecuteLocalActivity(straight(ctx), do.Pay, in).Get(ctx, &out); err != nil {
		r.log.Warn("fulfilment.not_straight", "error", err)
		return r.assess(ctx)
	}
	return r.tookUp(ctx, out)
}

// pay submits the payout once. Whatever went wrong on the way, a look-up says
// what became of the money.
func (r *run) pay(ctx workflow.Context) error {
	in := activities.PayInput{RewardID: r.in.RewardID, Try: r.tries, Assess: len(r.heard) > 0, Heard: r.heard}
	r.heard = nil
	ctx = sendMoney(ctx)
	if r.now.Queue != "" && !in.Assess { // What people said does not wait for a provider's turn.
		in.Queue = r.now.Queue
		ctx = inTurn(ctx, in.Queue)
	}
	var out activities.PayResult
	err := workflow.ExecuteActivity(ctx, do.Pay, in).Get(ctx, &out)
	if isTimeout(err, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START) {
		// Its turn did not come, so nothing was sent.
		r.log.Info("payout.waits_longer", "queue", in.Queue)
		r.step = stepAssess
		return nil
	}
	if err != nil {
		r.log.Warn("payout.not_heard_of", "error", err)
		r.step = stepLookUp
		r.pause = rest(r.tries)
		return nil
	}
	return r.tookUp(ctx, out)
}

// tookUp goes on from where Pay has come to.
func (r *run) tookUp(ctx workflow.Context, out activities.PayResult) error {
	if out.Standing != nil {
		r.stand(*out.Standing)
	}
	switch {
	case out.Status != "":
		r.paid(out)
	case out.Standing == nil:
		// It could not be verified in that short time.
		r.step = stepAssess
		return r.assess(ctx)
	}
	if out.Close != nil {
		r.closed(*out.Close)
	}
	return nil
}

// lookUp finds out what became of a payout.
func (r *run) lookUp(ctx workflow.Context) error {
	var out activities.PayResult
	err := workflow.ExecuteActivity(patient(ctx), do.LookUp, activities.PayInput{RewardID: r.in.RewardID, Try: r.tries}).Get(ctx, &out)
	if isKind(err, "not_found") {
		// Nothing was reserved, so nothing was sent.
		r.step = stepAssess
		r.pause = rest(r.troubles + 1)
		return nil
	}
	if err != nil {
		return err
	}
	r.paid(out)
	return nil
}

// paid chooses the step that a payout asks for.
func (r *run) paid(out activities.PayResult) {
	before := r.step
	r.now.Status, r.now.Reason, r.now.Payout = out.Status, out.Reason, out.Payout
	switch {
	case out.Person:
		r.step = stepPerson
		return
	case out.Payout == payout.Paid:
		r.step = stepClose
		return
	case out.Payout == payout.Submitting, out.Payout == payout.Unknown, out.Payout == payout.Settling:
		r.step = stepLookUp
	default:
		r.step = stepPay
	}
	r.pause = out.Again
	switch {
	case r.pause > 0:
	case r.step == before:
		r.pause = rest(r.tries)
	case r.step == stepPay:
		// A look-up allowed to send again; a provider that keeps losing it is
		// asked less and less often.
		r.resends++
		r.pause = rest(r.resends)
	}
}

// close tells FirstPromoter. It never gives up.
func (r *run) close(ctx workflow.Context) error {
	var out activities.CloseResult
	err := workflow.ExecuteActivity(patient(ctx), do.Close, activities.CloseInput{RewardID: r.in.RewardID}).Get(ctx, &out)
	if err != nil {
		return err
	}
	r.closed(out)
	return nil
}

// closed goes on from where the close stands.
func (r *run) closed(out activities.CloseResult) {
	r.now.Status, r.now.Reason = out.Status, out.Reason
	switch {
	case out.Person:
		r.now.Payout, r.step = payout.Returned, stepPerson
	case !out.Closed:
		r.pause = max(out.Again, rest(r.tries))
	}
}

func isTimeout(err error, kind enumspb.TimeoutType) bool {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && timeout.TimeoutType() == kind
}
