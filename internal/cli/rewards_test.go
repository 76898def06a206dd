package cli_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// The rewards of every world, one for each question that people ask.
const (
	awaiting    reward.ID = 1001 // Two of finance must approve.
	refused     reward.ID = 1002 // The provider said no.
	byHand      reward.ID = 1003 // A person pays.
	fulfilled   reward.ID = 1004
	braked      reward.ID = 1005
	fresh       reward.ID = 1006
	lost        reward.ID = 1007 // The provider's answer was lost.
	quarantined reward.ID = 1008
	decided     reward.ID = 1009 // Approved by frank, and waits for one more.
	neverStored reward.ID = 1010 // Its event came five times, and the disk was full.
)

// fill brings the rewards to where the scripts find them.
func (w *world) fill(ctx context.Context) error {
	for _, story := range []func(context.Context) error{
		w.awaitsApproval, w.wasRefused, w.isPaidByHand, w.wasFulfilled, w.isBraked, w.isFresh, w.wasLost, w.isQuarantined, w.isHalfApproved,
		w.gotOtherEvents, w.couldNotStore,
	} {
		w.minutes.Add(1)
		if err := story(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) awaitsApproval(ctx context.Context) error {
	return errors.Join(w.owe(ctx, awaiting, 12000, reward.Credits), w.ask(ctx, awaiting, "billing", 12000))
}

func (w *world) wasRefused(ctx context.Context) error {
	return errors.Join(
		w.owe(ctx, refused, 300, reward.Credits),
		w.allow(ctx, refused, "team", 300, reward.Credits),
		w.attempt(ctx, refused, "team", payout.Outcome{Class: payout.ClassRefused, Detail: "no such customer"}),
		w.move(ctx, refused, reward.Attention, "the provider team refused: no such customer"),
	)
}

func (w *world) isPaidByHand(ctx context.Context) error {
	return errors.Join(
		w.owe(ctx, byHand, 2, reward.FreeMonths),
		w.allow(ctx, byHand, "people", 2, reward.FreeMonths),
		w.attempt(ctx, byHand, "people", payout.Outcome{Class: payout.ClassAccepted, Reference: "hand-1003"}),
	)
}

func (w *world) wasFulfilled(ctx context.Context) error {
	if err := errors.Join(
		w.owe(ctx, fulfilled, 50, reward.Points),
		w.allow(ctx, fulfilled, "team", 50, reward.Points),
		w.attempt(ctx, fulfilled, "team", payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "inv_77"}),
	); err != nil {
		return err
	}
	state, taken, err := w.ledger.ClaimClose(ctx, fulfilled, w.now().Add(time.Minute))
	if err != nil || !taken {
		return errors.Join(err, fmt.Errorf("the close of %d was taken: %t", fulfilled, taken))
	}
	_, err = w.ledger.FinishClose(ctx, fulfilled, state.Fence, ledger.CallDone, "")
	return err
}

func (w *world) isBraked(ctx context.Context) error {
	return errors.Join(
		w.owe(ctx, braked, 60000, reward.Credits),
		w.allow(ctx, braked, "billing", 60000, reward.Credits),
		w.move(ctx, braked, reward.Held, "the brake is on: 60000 credits are more than a single payout may be"),
	)
}

func (w *world) isFresh(ctx context.Context) error { return w.owe(ctx, fresh, 5, reward.Points) }

func (w *world) wasLost(ctx context.Context) error {
	return errors.Join(
		w.owe(ctx, lost, 70, reward.Points),
		w.allow(ctx, lost, "team", 70, reward.Points),
		w.attempt(ctx, lost, "team", payout.Outcome{Class: payout.ClassUnknown, Detail: "timed out"}),
		w.move(ctx, lost, reward.Attention, "the provider team cannot say whether it was paid"),
	)
}

// isQuarantined is a reward whose event was written by a stranger.
func (w *world) isQuarantined(ctx context.Context) error {
	if err := w.owe(ctx, quarantined, 9, reward.Points); err != nil {
		return err
	}
	return w.ledger.Assess(ctx, ledger.Assessment{
		Reward: owed(quarantined, 9, reward.Points),
		Status: reward.Quarantined,
		Reason: "FirstPromoter has another amount\x1b[2J",
	}, "verify")
}

func (w *world) isHalfApproved(ctx context.Context) error {
	if err := errors.Join(w.owe(ctx, decided, 15000, reward.Credits), w.ask(ctx, decided, "billing", 15000)); err != nil {
		return err
	}
	rec, err := w.ledger.Reward(ctx, decided)
	if err != nil {
		return err
	}
	_, err = w.ledger.Decide(ctx, reward.Decision{
		ID: "seed-decision", RewardID: decided, By: "frank", Verified: true, Roles: []string{"finance"},
		Lane: reward.LaneAPI, Verdict: reward.Approve, Digest: rec.Digest, Comment: "seen the invoice", At: w.now(),
	}, false)
	return err
}

// gotOtherEvents is an event that a channel was told of, and one of an unknown type.
func (w *world) gotOtherEvents(ctx context.Context) error {
	receipt, err := w.ledger.Accept(ctx, ledger.Event{
		Type: "lead_signup", Dedupe: "501", EventID: "501", Dispatch: true,
		Body: []byte(`{"event":{"id":"501","type":"lead_signup"},"promoter":{"id":5272969},` +
			`"lead":{"id":9,"state":"signup","email":"j\u00fcrgen\ud83d\ude80@example.com"},"campaign":{"id":6,"name":"F\u00fcr alle\u202e"}}`),
	}, time.Hour)
	if err != nil {
		return err
	}
	_, err = w.ledger.Accept(ctx, ledger.Event{
		Type: "galaxy_visited", Dedupe: "9007199254740993", EventID: "9007199254740993",
		Body: []byte(`{"event":{"id":"9007199254740993","type":"galaxy_visited"}}`),
	}, time.Hour)
	return errors.Join(err, w.ledger.MarkDispatched(ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "notification-lead_signup-501"}}))
}

// couldNotStore is a morning on which the disk was full, and somebody guessed.
func (w *world) couldNotStore(ctx context.Context) error {
	count := func(answer, n int, reason ledger.UnstoredReason, kind string, id reward.ID) ledger.Unstored {
		return ledger.Unstored{
			Hour: noon().Add(-5 * time.Hour), Answer: answer, Reason: reason, Type: kind, RewardID: id, Count: n,
			FirstAt: noon().Add(-5 * time.Hour), LastAt: noon().Add(-5*time.Hour + 40*time.Minute),
		}
	}
	return w.ledger.AddUnstored(ctx, []ledger.Unstored{
		count(401, 900, ledger.ReasonUnauthenticated, ledger.UnreadType, 0),
		count(503, 2, ledger.ReasonNotStored, "fulfilment_pending", fresh),
		count(503, 5, ledger.ReasonNotStored, "fulfilment_pending", neverStored),
	})
}

func owed(id reward.ID, amount int64, unit reward.Unit) reward.Reward {
	return reward.Reward{
		ID:       id,
		Quantity: reward.Quantity{Amount: amount, Unit: unit},
		Promoter: reward.Promoter{ID: 5272969, CustID: "cus_ann", Email: "ann@example.com"},
		Campaign: reward.Campaign{ID: 17476, Name: "Partners"},
	}
}

// owe takes the event in and dispatches it.
func (w *world) owe(ctx context.Context, id reward.ID, amount int64, unit reward.Unit) error {
	_, err := w.ledger.Accept(ctx, ledger.Event{
		Type: "fulfilment_pending", Dedupe: "event-" + id.String(), EventID: id.String(),
		Reward: &ledger.Claimed{Reward: owed(id, amount, unit)}, Body: []byte("{}"), Dispatch: true,
	}, time.Hour)
	if err != nil {
		return err
	}
	rows, err := w.ledger.Lease(ctx, "world", 100, time.Minute)
	if err != nil {
		return err
	}
	var sent []ledger.Dispatched
	for _, row := range rows {
		d := ledger.Dispatched{Inbox: row.Inbox}
		if row.RewardID == id {
			d.WorkflowID = workflows.FulfilmentID(id)
		}
		sent = append(sent, d)
	}
	return w.ledger.MarkDispatched(ctx, sent)
}

// ask makes two of finance decide.
func (w *world) ask(ctx context.Context, id reward.ID, provider string, amount int64) error {
	a := assessed(owed(id, amount, reward.Credits), provider)
	a.Status, a.Reason, a.Rule = reward.AwaitingApproval, "more than 10000 credits", "amount > 10000"
	a.Approvals, a.Role = 2, "finance"
	return errors.Join(w.ledger.Assess(ctx, a, "policy"), w.ledger.Move(ctx, ledger.Transition{
		ID: id, To: reward.AwaitingApproval, Reason: a.Reason, Actor: "policy", NextTimer: noon().Add(21 * time.Hour),
	}))
}

// await makes one person decide.
func (w *world) await(ctx context.Context, r reward.Reward) error {
	return errors.Join(w.owe(ctx, r.ID, r.Quantity.Amount, r.Quantity.Unit), w.ledger.Assess(ctx, asked(r), "policy"))
}

// asked is what the policy says of a reward that one person decides about.
func asked(r reward.Reward) ledger.Assessment {
	a := assessed(r, "team")
	a.Status, a.Reason, a.Rule, a.Approvals = reward.AwaitingApproval, "the promoter is new", "promoter_age < 30", 1
	return a
}

func (w *world) allow(ctx context.Context, id reward.ID, provider string, amount int64, unit reward.Unit) error {
	a := assessed(owed(id, amount, unit), provider)
	a.Status, a.Reason, a.Rule = reward.Approved, "the policy pays it", "amount <= 10000"
	return w.ledger.Assess(ctx, a, "policy")
}

func assessed(r reward.Reward, provider string) ledger.Assessment {
	return ledger.Assessment{
		Reward: r, Verified: true, Provider: provider, PolicyVersion: "7f3a",
		Facts:  fmt.Sprintf(`{"unit":%q,"amount":%d,"promoter":5272969,"new_destination":true}`, r.Quantity.Unit, r.Quantity.Amount),
		Digest: reward.Shown{Reward: r, Provider: provider, PolicyVersion: "7f3a"}.Digest(),
	}
}

// attempt sends the reward's payout once, with the given outcome.
func (w *world) attempt(ctx context.Context, id reward.ID, provider string, out payout.Outcome) error {
	rec, err := w.ledger.Reward(ctx, id)
	if err != nil {
		return err
	}
	if _, err := w.ledger.Reserve(ctx, ledger.Reservation{
		RewardID: id, Provider: provider, Quantity: rec.Reward.Quantity, At: w.now(),
		Request: payout.Request{Key: payout.Key(id, 1), Destination: "customer cus_ann", Body: []byte("{}")},
	}); err != nil {
		return err
	}
	claim, err := w.ledger.Claim(ctx, id, ledger.Caps{}, w.now(), w.now().Add(time.Minute))
	if err != nil || !claim.Taken {
		return errors.Join(err, fmt.Errorf("the payout of %d was claimed: %t", id, claim.Taken))
	}
	claim.Attempt.FinishedAt = w.now()
	_, err = w.ledger.Finish(ctx, claim.Attempt, out)
	return err
}

func (w *world) move(ctx context.Context, id reward.ID, to reward.Status, reason string) error {
	return w.ledger.Move(ctx, ledger.Transition{ID: id, To: to, Reason: reason, Actor: "workflow"})
}
