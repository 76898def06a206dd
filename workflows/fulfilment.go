package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Fulfilment brings one reward from pending to fulfilled: verify and decide,
// wait for people, pay, close. It stays open until the reward has ended, and
// never fails by itself: what it cannot do waits for a person. It keeps
// nothing that the ledger does not hold, so a new run takes up where the
// ledger stands.
func Fulfilment(ctx workflow.Context, in FulfilmentInput) (FulfilmentResult, error) {
	// Once money may move nobody can cancel: a cancelled look would be a guess.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	run := newRun(ctx, in)
	if err := run.listen(ctx); err != nil {
		return FulfilmentResult{}, err
	}
	for !run.now.Status.Final() {
		if run.historyIsLong(ctx) {
			return FulfilmentResult{}, workflow.NewContinueAsNewError(ctx, Fulfilment, NewFulfilment(in.RewardID))
		}
		if err := run.next(ctx); err != nil {
			return FulfilmentResult{}, err
		}
	}
	return run.end(ctx)
}

// step is what a fulfilment does next.
type step string

const (
	stepAssess step = "assess" // Verify and decide.
	stepWait   step = "wait"   // Wait for people's decisions, or for a hold to end.
	stepPay    step = "pay"    // Submit the payout.
	stepLookUp step = "lookup" // Find out what became of it.
	stepClose  step = "close"  // Tell FirstPromoter.
	stepPerson step = "person" // Wait for a resolution.
)

// run is the state of one execution, and what the query status shows.
type run struct {
	in   FulfilmentInput
	now  activities.Standing
	step step
	// retry is set when a person asked to look again.
	retry bool
	// tries counts how often the same step was taken in a row, troubles how
	// often it went wrong.
	tries, troubles int
	// pause is how long to rest before the next step.
	pause     time.Duration
	nextTimer time.Time
	// poked wakes whatever rests or waits.
	poked bool
	// busy is true while a step acts; working while a handler writes the ledger.
	busy, working bool
	// resends counts how often a look-up allowed to send again.
	resends int
	votes   int
	// signals carry votes, and hearing counts those that are being written down.
	signals []workflow.ReceiveChannel
	hearing int
	// heard are the decisions that ended a wait, for the payout that follows.
	heard []activities.DecideInput
	// shown is the status that the search attribute has.
	shown reward.Status
	log   log.Logger
}

func newRun(ctx workflow.Context, in FulfilmentInput) *run {
	return &run{
		in:    in,
		now:   activities.Standing{Status: reward.Received},
		step:  stepAssess,
		shown: reward.Received,
		log:   log.With(workflow.GetLogger(ctx), "reward_id", in.RewardID),
	}
}

// next takes one step, or rests.
func (r *run) next(ctx workflow.Context) error {
	if r.pause > 0 {
		if err := r.sleep(ctx, r.pause, "look again"); err != nil {
			return err
		}
		r.pause = 0
	}
	// A person's instruction that is being written down goes first.
	if err := workflow.Await(ctx, func() bool { return !r.working }); err != nil {
		return fmt.Errorf("waiting for a resolution: %w", err)
	}
	if r.now.Status.Final() {
		return nil
	}

	before := r.step
	r.busy = before != stepWait && before != stepPerson
	err := r.take(ctx)
	r.busy = false
	if r.step != before {
		r.tries, r.troubles = 0, 0
	}
	if err != nil {
		return r.trouble(ctx, err)
	}
	return r.show(ctx)
}

func (r *run) take(ctx workflow.Context) error {
	r.tries++
	switch r.step {
	case stepAssess:
		if r.in.Plan >= planShort && r.tries == 1 && !r.retry {
			return r.straight(ctx)
		}
		return r.assess(ctx)
	case stepWait:
		return r.wait(ctx)
	case stepPay:
		return r.pay(ctx)
	case stepLookUp:
		return r.lookUp(ctx)
	case stepClose:
		return r.close(ctx)
	case stepPerson:
		return r.person(ctx)
	}
	return fmt.Errorf("no step %q", r.step)
}

// assess verifies the reward and decides by policy.
func (r *run) assess(ctx workflow.Context) error {
	var standing activities.Standing
	if err := r.write(ctx, do.Assess, activities.AssessInput{RewardID: r.in.RewardID, Retry: r.retry}, &standing); err != nil {
		return err
	}
	r.retry = false
	r.stand(standing)
	return nil
}

// stand takes a standing from the ledger and chooses the step that it asks for.
func (r *run) stand(s activities.Standing) {
	r.now = s
	switch s.Payout {
	case payout.Paid:
		r.step = stepClose
		return
	case payout.Submitting, payout.Unknown, payout.Settling:
		r.step = stepLookUp
		return
	case payout.Reserved:
		r.step = stepPay
		return
	case payout.Refused, payout.Conflicted, payout.Returned:
		r.step = stepPerson
		return
	}
	switch s.Status {
	case reward.Approved:
		r.step = stepPay
	case reward.AwaitingApproval, reward.Held:
		r.step = stepWait
	default:
		r.step = stepPerson
	}
}

// person waits until somebody says what to do, or until a nudge says that the
// ledger may know more.
func (r *run) person(ctx workflow.Context) error {
	r.nextTimer = time.Time{}
	if err := r.show(ctx); err != nil {
		return err
	}
	r.poked = false
	nudged := func() bool { return r.in.Plan >= planNudged && r.poked }
	if err := workflow.Await(ctx, func() bool { return r.step != stepPerson || r.now.Status.Final() || nudged() }); err != nil {
		return fmt.Errorf("waiting for a person: %w", err)
	}
	if r.step == stepPerson && nudged() && !r.working {
		r.step, r.poked = stepAssess, false
	}
	return nil
}

// trouble rests after a failure that may pass, and asks for a person after one
// that will not.
func (r *run) trouble(ctx workflow.Context, err error) error {
	r.troubles++
	r.log.Warn("fulfilment.trouble", "step", r.step, "troubles", r.troubles, "error", err)
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || !slices.Contains(hopeless(), app.Type()) {
		r.pause = rest(r.troubles)
		r.now.Reason = "trouble, and another try follows: " + message(err)
		return r.show(ctx)
	}
	if r.step != stepClose {
		r.step = stepPerson
	}
	r.pause = rest(r.troubles)
	return r.record(ctx, reward.Attention, message(err), time.Time{}, activities.NotifyAttention)
}

// record writes a status that the workflow decided by itself.
func (r *run) record(ctx workflow.Context, to reward.Status, reason string, next time.Time, notify string) error {
	r.now.Status, r.now.Reason, r.nextTimer = to, reason, next
	err := r.write(ctx, do.Record, activities.RecordInput{
		RewardID: r.in.RewardID, Status: to, Reason: reason, NextTimer: next, Notify: notify,
	}, nil)
	if err != nil {
		// The status stands in the workflow all the same; the next write repeats it.
		r.log.Warn("fulfilment.not_recorded", "status", to, "error", err)
	}
	return r.show(ctx)
}

// write runs an activity that may be repeated at will: at once inside the
// workflow task, and when that does not succeed, patiently.
func (r *run) write(ctx workflow.Context, activity, in, out any) error {
	// What a handler began to write is written, even if the run is cancelled.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := workflow.ExecuteLocalActivity(quick(ctx), activity, in).Get(ctx, out)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok && slices.Contains(hopeless(), app.Type()) {
		return err
	}
	if err != nil {
		err = workflow.ExecuteActivity(patient(ctx), activity, in).Get(ctx, out)
	}
	return err
}

// obey runs the activity that a person's word asks for.
func (r *run) obey(ctx workflow.Context, activity, in, out any) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	return workflow.ExecuteActivity(heard(ctx), activity, in).Get(ctx, out)
}

// sleep rests until the time has come or somebody pokes.
func (r *run) sleep(ctx workflow.Context, d time.Duration, why string) error {
	r.nextTimer = workflow.Now(ctx).Add(d)
	if err := r.show(ctx); err != nil {
		return err
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: d, TimerOptions: workflow.TimerOptions{Summary: why},
	}, func() bool { return r.poked })
	r.poked, r.nextTimer = false, time.Time{}
	if err != nil {
		return fmt.Errorf("resting: %w", err)
	}
	return nil
}

// end waits for the handlers: an update that is cut short would leave its caller
// without an answer, and a signal would leave no trace.
func (r *run) end(ctx workflow.Context) (FulfilmentResult, error) {
	if err := r.show(ctx); err != nil {
		return FulfilmentResult{}, err
	}
	if err := workflow.Await(ctx, func() bool { return r.allHeard(ctx) }); err != nil {
		return FulfilmentResult{}, fmt.Errorf("waiting for handlers: %w", err)
	}
	return FulfilmentResult{RewardID: r.in.RewardID, Status: r.now.Status, Reason: r.now.Reason}, nil
}

// historyIsLong says when to go on in a new run: the ledger holds everything.
func (r *run) historyIsLong(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && r.allHeard(ctx)
}

func isKind(err error, kind string) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == kind
}

// message returns an activity's own words for what went wrong.
func message(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	if errors.As(err, new(*temporal.TimeoutError)) {
		return "a step timed out"
	}
	return "a step did not finish"
}
