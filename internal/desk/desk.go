// Package desk is where people's decisions and instructions come in. The order
// is always the same: the ledger first, which judges and keeps them, then the
// workflow; what the workflow could not be told is delivered later.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// record is the part of the ledger that the desk uses.
type record interface {
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error)
	Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error)
	Undelivered(ctx context.Context, before time.Time, n int) ([]ledger.Recorded, error)
	RecordResolution(ctx context.Context, r reward.Resolution) error
}

// messenger is the part of Temporal's client that the desk uses.
type messenger interface {
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// Desk takes decisions and instructions.
type Desk struct {
	ledger           record
	temporal         messenger
	acceptUnverified bool
	budget           time.Duration
	log              *slog.Logger
}

// New returns a Desk. acceptUnverified lets a decision count whose author is
// not proven.
func New(rec record, temporal messenger, acceptUnverified bool, logger *slog.Logger) *Desk {
	return &Desk{ledger: rec, temporal: temporal, acceptUnverified: acceptUnverified, budget: 3 * time.Second, log: logger}
}

// Decide records a decision and tells the workflow. A refused decision is in
// the tally, not an error. That the workflow could not be told is no error
// either: the decision is kept, and delivered later.
func (d *Desk) Decide(ctx context.Context, dec reward.Decision) (ledger.Tally, error) {
	tally, err := d.Record(ctx, dec)
	if err == nil {
		d.Tell(ctx, tally)
	}
	return tally, err
}

// Record is the first half of Decide, for a caller who has no time to wait for
// Temporal: it records the decision, and leaves it to Tell, or to Deliver some
// seconds later, to tell the workflow.
func (d *Desk) Record(ctx context.Context, dec reward.Decision) (ledger.Tally, error) {
	return d.ledger.Decide(ctx, dec, d.acceptUnverified)
}

// Tell is the other half: it tells the workflow of a decision that counts.
func (d *Desk) Tell(ctx context.Context, tally ledger.Tally) {
	dec := tally.Decision
	if !dec.Counted {
		return
	}
	if err := d.tell(ctx, dec); err != nil {
		d.log.WarnContext(ctx, "decision.not_delivered", "reward_id", dec.RewardID, "decision_id", dec.ID, "error", err)
	}
}

// tell delivers a decision by the update, whose answer comes from the
// workflow, or by the signal, which waits for a worker.
func (d *Desk) tell(ctx context.Context, dec ledger.Recorded) error {
	vote := workflows.Vote{ID: dec.ID, Decision: dec.Verdict, By: dec.By, Digest: dec.Digest}
	if dec.Verified {
		// The name is in the ledger; a history is read by more people.
		vote.By = ""
	}
	updating, cancel := context.WithTimeout(ctx, d.budget)
	defer cancel()
	err := d.update(updating, dec.RewardID, workflows.UpdateDecide, dec.ID, vote, nil)
	if err == nil || refused(err) {
		return err
	}
	signal := workflows.SignalApprove
	if dec.Verdict == reward.Reject {
		signal = workflows.SignalReject
	}
	signalling, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.budget)
	defer cancel()
	return d.temporal.SignalWorkflow(signalling, workflows.FulfilmentID(dec.RewardID), "", signal, vote)
}

// Deliver tells the workflows of decisions that they have not heard of for a
// while, and returns how many it told.
func (d *Desk) Deliver(ctx context.Context) (int, error) {
	waiting, err := d.ledger.Undelivered(ctx, time.Now().Add(-2*d.budget), 100)
	if err != nil {
		return 0, err
	}
	told := 0
	for _, dec := range waiting {
		if err := d.tell(ctx, dec); err != nil {
			d.log.WarnContext(ctx, "decision.not_delivered", "reward_id", dec.RewardID, "decision_id", dec.ID, "error", err)
			continue
		}
		told++
	}
	return told, nil
}

// Resolve records an instruction and has the workflow carry it out. It returns
// the status afterwards; fault.Conflict with the words of a refusal; and
// fault.Unavailable when the instruction is recorded and not carried out.
func (d *Desk) Resolve(ctx context.Context, r reward.Resolution) (reward.Status, error) {
	const op = "desk.resolve"
	rec, err := d.ledger.Reward(ctx, r.RewardID)
	if err != nil {
		return "", err
	}
	if rec.Status.Final() {
		return rec.Status, fault.New(fault.Conflict, op, fmt.Sprintf("the reward has ended: it is %s", rec.Status))
	}
	if err := d.ledger.RecordResolution(ctx, r); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*d.budget)
	defer cancel()
	var out activities.ResolveResult
	err = d.update(ctx, r.RewardID, workflows.UpdateResolve, r.ID, workflows.Instruction{ID: r.ID, Action: r.Action}, &out)
	switch {
	case refused(err):
		app, _ := errors.AsType[*temporal.ApplicationError](err)
		return rec.Status, fault.Wrap(fault.Conflict, op, app.Message(), err)
	case err != nil:
		return rec.Status, fault.Wrap(fault.Unavailable, op, "the workflow could not be asked, and nothing was done: "+
			"is Temporal reachable and a worker up? Send the same again", err)
	case out.Refusal != "":
		return rec.Status, fault.New(fault.Conflict, op, out.Refusal)
	}
	return out.Standing.Status, nil
}

// PolicyChanged has every reward that waits for people, or is held by the
// policy, decided anew that was decided under another version. What was approved
// under the old one does not count any more. One that is not reached is decided
// anew when somebody decides about it.
func (d *Desk) PolicyChanged(ctx context.Context, version string) error {
	filter := ledger.Filter{Statuses: []reward.Status{reward.AwaitingApproval, reward.Held}, Limit: 500}
	for {
		records, err := d.ledger.ListRewards(ctx, filter)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if rec.PolicyVersion == version || rec.PolicyVersion == "" {
				continue
			}
			if err := d.Nudge(ctx, rec.Reward.ID); err != nil {
				return fmt.Errorf("reward %s: %w", rec.Reward.ID, err)
			}
		}
		if len(records) < filter.Limit {
			return nil
		}
		last := records[len(records)-1]
		filter.Before = ledger.Cursor{ReceivedAt: last.ReceivedAt, ID: last.Reward.ID}
	}
}

// BrakeChanged wakes the rewards that the brake holds. One that is not reached
// looks again by itself within minutes.
func (d *Desk) BrakeChanged(ctx context.Context) {
	filter := ledger.Filter{Statuses: []reward.Status{reward.Held}, Limit: 500}
	records, err := d.ledger.ListRewards(ctx, filter)
	if err != nil {
		d.log.WarnContext(ctx, "brake.held_not_listed", "error", err)
		return
	}
	for _, rec := range records {
		if !strings.HasPrefix(rec.Reason, "the brake is on") {
			continue
		}
		if err := d.Nudge(ctx, rec.Reward.ID); err != nil {
			d.log.WarnContext(ctx, "brake.not_nudged", "reward_id", rec.Reward.ID, "error", err)
			return
		}
	}
}

// Nudge makes a fulfilment look again now at what it waits for.
func (d *Desk) Nudge(ctx context.Context, id reward.ID) error {
	ctx, cancel := context.WithTimeout(ctx, d.budget)
	defer cancel()
	return d.temporal.SignalWorkflow(ctx, workflows.FulfilmentID(id), "", workflows.SignalNudge, nil)
}

func (d *Desk) update(ctx context.Context, id reward.ID, name, updateID string, arg, out any) error {
	handle, err := d.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   workflows.FulfilmentID(id),
		UpdateID:     updateID,
		UpdateName:   name,
		Args:         []any{arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(ctx, out)
}

// refused reports whether the workflow itself said no. A workflow that is not
// there, or has ended, said nothing.
func refused(err error) bool {
	if errors.As(err, new(*serviceerror.NotFound)) {
		return false
	}
	return errors.As(err, new(*temporal.ApplicationError))
}
