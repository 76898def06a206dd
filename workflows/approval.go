package workflows

import (
	"fmt"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// listen sets every handler before anything blocks.
func (r *run) listen(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryStatus, r.status,
		workflow.QueryHandlerOptions{Description: "Where the reward stands, why, and what it waits for."})
	if err != nil {
		return fmt.Errorf("setting the query %s: %w", QueryStatus, err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, UpdateDecide, r.decide, workflow.UpdateHandlerOptions{
		Validator:   r.mayDecide,
		Description: `Approve or reject: {"decision":"approve","by":"your name","digest":"...","comment":""}`,
	})
	if err != nil {
		return fmt.Errorf("setting the update %s: %w", UpdateDecide, err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, UpdateResolve, r.resolve, workflow.UpdateHandlerOptions{
		Validator:   r.mayResolve,
		Description: `Lead on a reward that is stuck: {"action":"retry|reroute|paid|reject|abandon","by":"your name","comment":""}`,
	})
	if err != nil {
		return fmt.Errorf("setting the update %s: %w", UpdateResolve, err)
	}
	r.hear(ctx, SignalApprove, "Approve; the payload may be empty, your name, or the object of the update decide.", reward.Approve)
	r.hear(ctx, SignalReject, "Reject; the payload may be empty, your name, or the object of the update decide.", reward.Reject)
	r.hearNudges(ctx)
	return nil
}

// hear takes votes from a signal, which the server keeps even while no worker
// is up. A signal has no answer: what became of the vote is in the ledger.
func (r *run) hear(ctx workflow.Context, signal, description string, verdict reward.Verdict) {
	votes := workflow.GetSignalChannelWithOptions(ctx, signal, workflow.SignalChannelOptions{Description: description})
	r.signals = append(r.signals, votes)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var vote Vote
			if more := votes.Receive(ctx, &vote); !more {
				return
			}
			vote.Decision = verdict
			r.hearing++
			if _, err := r.decide(ctx, vote); err != nil {
				r.log.Warn("decision.not_recorded", "signal", signal, "error", err)
			}
			r.hearing--
		}
	})
}

// allHeard reports whether everybody who spoke to this run has been heard.
func (r *run) allHeard(ctx workflow.Context) bool {
	waiting := r.hearing
	for _, votes := range r.signals {
		waiting += votes.Len()
	}
	return waiting == 0 && workflow.AllHandlersFinished(ctx)
}

func (r *run) hearNudges(ctx workflow.Context) {
	nudges := workflow.GetSignalChannelWithOptions(ctx, SignalNudge,
		workflow.SignalChannelOptions{Description: "Look again now at what the reward waits for."})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for nudges.Receive(ctx, nil) {
			r.poked = true
		}
	})
}

func (r *run) status() (FulfilmentStatus, error) {
	return FulfilmentStatus{
		RewardID: r.in.RewardID, Status: r.now.Status, Reason: r.now.Reason, Quantity: r.now.Quantity,
		Provider: r.now.Provider, Digest: r.now.Digest, Approvals: r.now.Approvals, Needed: r.now.Needed,
		Role: r.now.Role, NextTimer: r.nextTimer,
	}, nil
}

// mayDecide refuses what is no vote, and a vote that comes too late to be
// heard. The ledger judges the rest, and keeps what it refuses.
func (r *run) mayDecide(vote Vote) error {
	switch {
	case vote.Decision != reward.Approve && vote.Decision != reward.Reject:
		return refuse(fault.Invalid, `decision must be "approve" or "reject"`)
	case r.now.Status.Final():
		return refuse(fault.Conflict, "the reward has ended: it is "+string(r.now.Status))
	}
	return nil
}

// decide hands a vote to the ledger, which is the one authoriser of every lane.
// A vote that the ledger judged already is handed on with the payout, which
// looks at the reward again in any case; the caller, who knows what it came to,
// does not wait for that.
func (r *run) decide(ctx workflow.Context, vote Vote) (activities.DecideResult, error) {
	in := activities.DecideInput{
		RewardID: r.in.RewardID, ID: vote.ID, By: vote.By, Verdict: vote.Decision, Comment: vote.Comment, Digest: vote.Digest,
	}
	in.ID, in.By = r.signed(ctx, in.ID, in.By)
	if r.in.Plan >= planShort && vote.ID != "" && r.step == stepWait && r.now.Needed > 0 {
		r.heard, r.poked = append(r.heard, in), true
		return activities.DecideResult{Noted: true}, nil
	}
	var out activities.DecideResult
	if err := r.obey(ctx, do.Decide, in, &out); err != nil {
		return out, err
	}
	if out.Counted {
		r.now.Approvals, r.now.Needed = out.Approvals, out.Needed
		r.poked = true
	}
	return out, nil
}

// signed gives a word that came without the API an ID and an author. The ID is
// the same after a reset, which applies the same words again.
func (r *run) signed(ctx workflow.Context, id, by string) (string, string) {
	if id == "" {
		r.votes++
		id = "temporal-" + workflow.GetInfo(ctx).OriginalRunID + "-" + strconv.Itoa(r.votes)
	}
	if by == "" {
		by = "temporal-ui"
	}
	return id, by
}

// mayResolve refuses an instruction while a step acts: what is under way, a
// payout above all, must be seen to land first.
func (r *run) mayResolve(in Instruction) error {
	switch {
	case r.now.Status.Final():
		return refuse(fault.Conflict, "the reward has ended: it is "+string(r.now.Status))
	case r.busy || r.working:
		return refuse(fault.Conflict, "the reward is being worked on right now: try again in a moment")
	}
	return nil
}

// resolve carries out an instruction and lets the run go on from there.
func (r *run) resolve(ctx workflow.Context, in Instruction) (activities.ResolveResult, error) {
	r.working = true
	defer func() { r.working = false }()
	in.ID, in.By = r.signed(ctx, in.ID, in.By)
	var out activities.ResolveResult
	err := r.obey(ctx, do.Resolve, activities.ResolveInput{
		RewardID: r.in.RewardID, ID: in.ID, By: in.By, Action: in.Action,
		Provider: in.Provider, Reference: in.Reference, Evidence: in.Evidence, Comment: in.Comment,
	}, &out)
	if err != nil || out.Refusal != "" {
		return out, err
	}
	r.resume(out)
	return out, nil
}

// resume goes on from where a resolution left the reward.
func (r *run) resume(out activities.ResolveResult) {
	r.now = out.Standing
	r.pause, r.poked = 0, true
	switch {
	case r.now.Status.Final():
	case r.now.Payout == "":
		r.step, r.retry = stepAssess, true
	default:
		r.stand(out.Standing)
		if r.step == stepPerson {
			r.step = stepLookUp
		}
	}
}

// wait waits for people, or for a hold to end. Silence never pays: it reminds,
// escalates, and then holds. There is one timer at a time.
func (r *run) wait(ctx workflow.Context) error {
	if r.now.Status == reward.Held && r.now.Needed == 0 {
		return r.hold(ctx)
	}
	began, rungs := workflow.Now(ctx), r.ladder()
	for i, rung := range rungs {
		if r.in.Plan == planFirst {
			if err := r.record(ctx, r.now.Status, r.now.Reason, began.Add(rung.after), ""); err != nil {
				return err
			}
		}
		if err := r.waitUntil(ctx, began.Add(rung.after), rung.notify); err != nil || r.step != stepWait {
			return err
		}
		var next time.Time
		if i+1 < len(rungs) {
			next = began.Add(rungs[i+1].after)
		}
		if err := r.record(ctx, rung.status, rung.reason, next, rung.notify); err != nil {
			return err
		}
	}
	return r.waitUntil(ctx, time.Time{}, "")
}

// rung is one step of the ladder that an unanswered question climbs.
type rung struct {
	after  time.Duration
	status reward.Status
	reason string
	notify string
}

func (r *run) ladder() []rung {
	l, asked := r.now.Ladder, r.now.Reason
	var rungs []rung
	add := func(after time.Duration, status reward.Status, words, notify string) {
		if after > 0 {
			reason := fmt.Sprintf("nobody decided for %s%s: %s", after, words, asked)
			rungs = append(rungs, rung{after, status, reason, notify})
		}
	}
	add(l.RemindAfter, reward.AwaitingApproval, "", activities.NotifyReminder)
	add(l.EscalateAfter, reward.AwaitingApproval, ", and more people were told", activities.NotifyEscalated)
	add(l.HoldAfter, reward.Held, ", and a decision still counts", activities.NotifyHeld)
	return rungs
}

// waitUntil waits for a decision or a resolution, at most until the given
// time; the zero time waits for ever. When somebody decided, the reward is
// assessed once more before anything is paid: it may have changed meanwhile.
func (r *run) waitUntil(ctx workflow.Context, until time.Time, why string) error {
	r.nextTimer = until
	if err := r.show(ctx); err != nil {
		return err
	}
	awake := func() bool { return r.poked || r.step != stepWait || r.now.Status.Final() }
	var err error
	if until.IsZero() {
		err = workflow.Await(ctx, awake)
	} else {
		_, err = workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: until.Sub(workflow.Now(ctx)), TimerOptions: workflow.TimerOptions{Summary: why},
		}, awake)
	}
	if err != nil {
		return fmt.Errorf("waiting for people: %w", err)
	}
	// The clock does not overtake an instruction that is being written down.
	if err := workflow.Await(ctx, func() bool { return !r.working }); err != nil {
		return fmt.Errorf("waiting for a resolution: %w", err)
	}
	if r.poked && r.step == stepWait {
		r.step = stepAssess
		if len(r.heard) > 0 {
			r.step = stepPay
		}
	}
	r.poked = false
	return nil
}

// holdStep keeps a hold from being looked at again and again when the clock
// that judges it is behind the clock that ended the wait.
const holdStep = 10 * time.Second

// hold waits until a policy's hold ends, and then decides again.
func (r *run) hold(ctx workflow.Context) error {
	until := r.now.HoldUntil
	if soonest := workflow.Now(ctx).Add(holdStep); until.Before(soonest) {
		until = soonest
	}
	if err := r.waitUntil(ctx, until, "the hold ends"); err != nil {
		return err
	}
	if r.step == stepWait {
		r.step = stepAssess
	}
	return nil
}

// refuse rejects an update with a kind that the API understands.
func refuse(kind fault.Kind, words string) error {
	return temporal.NewNonRetryableApplicationError(words, string(kind), nil)
}
