package cli_test

import (
	"context"
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	tomorrow    = "2026-11-24T12:00:00Z (in 1d0h)"
	noPerson    = "nothing: it waits for a person"
	hasEnded    = "nothing: it has ended"
	byAnyone    = "0 of 1 approvals, role approver or finance, and not by bob"
	byOperators = "(resolve takes the role operator)"
)

// states are the places where a reward can stand, some statuses being several.
func states() map[string]state {
	asked := func(a *ledger.Assessment) { a.Approvals, a.Excluded = 1, []string{"bob"} }
	unverified := func(a *ledger.Assessment) { a.Verified = false }
	at := noon().Add(24 * time.Hour)
	awaits := assessedAs(reward.AwaitingApproval, "rule 1 (line 9): ask 1 person", asked)
	allowed := assessedAs(reward.Approved, "rule 1 (line 9): pay")
	unknown := sent("team", payout.Outcome{Class: payout.ClassUnknown, Detail: "timed out"})
	onItsWay := []string{"rewardflow doctor it goes on by itself; if it does not, this says what is down"}

	return map[string]state{
		"received": {
			reward.Received, func(context.Context, *world, reward.ID) error { return nil },
			"is not paid yet: it was taken in, and its workflow has not begun", "its workflow to start",
			"its workflow starts; a start that fails is tried again", onItsWay,
		},
		"verifying": {
			reward.Verifying, moved(nothing, ledger.Transition{To: reward.Verifying, Reason: "FirstPromoter could not be asked, and will be asked again: HTTP 503", NextTimer: at}),
			"is not paid yet: it is being compared with FirstPromoter", "FirstPromoter to confirm that the reward is owed",
			"FirstPromoter is asked again, at the latest " + tomorrow, onItsWay,
		},
		"quarantined": {
			reward.Quarantined, assessedAs(reward.Quarantined, "amount: the event says 5, FirstPromoter says 3", unverified),
			"is not paid: FirstPromoter does not confirm it, and a person must look", "a person to compare it with FirstPromoter", noPerson,
			[]string{byOperators, "rewardflow show ID compare it with FirstPromoter", "resolve ID retry compare again", "resolve ID reject --comment TEXT end it unpaid"},
		},
		"awaiting approval": {
			reward.AwaitingApproval, moved(awaits, ledger.Transition{To: reward.AwaitingApproval, Reason: "rule 1 (line 9): ask 1 person", NextTimer: at}),
			"is not paid yet: it waits for approval", byAnyone,
			tomorrow + ": people are reminded, or more people are told, or it is held; silence never pays",
			[]string{"approvals approve ID approve it, with role approver or finance", "approvals reject ID --comment TEXT end it unpaid"},
		},
		"held by the policy": {
			reward.Held, assessedAs(reward.Held, "rule 3 (line 11): the refund period: hold 24h", func(a *ledger.Assessment) { a.HoldUntil = at }),
			"is not paid yet: the policy holds it", "the hold to end at 2026-11-24T12:00:00Z",
			tomorrow + ": the hold ends, and the policy decides again",
			[]string{"rewardflow policy explain ID see the rule that holds it"},
		},
		"held by the brake": {
			reward.Held, moved(allowed, ledger.Transition{To: reward.Held, Reason: "the brake is on: all payouts are paused: wrong amounts", NextTimer: at}),
			"is not paid yet: the brake holds it", "the brake to let it through", "it is paid once the brake lets it; it looks again " + tomorrow,
			[]string{"rewardflow brake show see what is paused", "rewardflow brake resume let payouts go on, with role operator"},
		},
		"held by one provider's brake": {
			reward.Held, moved(allowed, ledger.Transition{To: reward.Held, Reason: "the brake is on: payouts by team are paused: wrong invoices"}),
			"is not paid yet: the brake holds it", "the brake to let it through", "it is paid once the brake lets it",
			[]string{"rewardflow brake resume --provider team let payouts go on, with role operator"},
		},
		"held by a cap": {
			reward.Held, moved(allowed, ledger.Transition{To: reward.Held, Reason: "the brake is on: 5 points are more than a single payout may be"}),
			"is not paid yet: the brake holds it", "the brake to let it through", "it is paid once the brake lets it",
			[]string{"rewardflow brake show see what is paused, and the caps, which stand in the configuration"},
		},
		"held, and nobody answered": {
			reward.Held, moved(awaits, ledger.Transition{To: reward.Held, Reason: "nobody decided for 168h0m0s, and a decision still counts: rule 1 (line 9): ask 1 person"}),
			"is not paid yet: it was held because nobody decided, and a decision still counts", byAnyone, noPerson,
			[]string{"approvals approve ID approve it, with role approver or finance", "approvals reject ID --comment TEXT end it unpaid"},
		},
		"approved": {
			reward.Approved, allowed, "is not paid yet: it may be paid, and the payout is about to begin",
			"its payout by the provider team to begin", "its payout begins", onItsWay,
		},
		"paying": {
			reward.Paying, paying, "is being paid: the payout is on its way, and the provider has not answered yet", "the provider team to answer",
			"it goes on when the provider has answered; an answer that is lost is looked up, and nothing is sent blindly", onItsWay,
		},
		"resolving": {
			reward.Resolving, unknown, "may have been paid: the provider's answer is not known, and the payout is being looked up",
			"a look-up at the provider team: it is not known whether the payout was made",
			"it is looked up again and again; it is sent again only when it surely was not made", onItsWay,
		},
		"settling": {
			reward.Settling, sent("team", payout.Outcome{Class: payout.ClassAccepted, Reference: "batch"}),
			"is not paid yet: the payout was accepted and is not finished", "the provider team to finish the payout",
			"the provider is asked again until it has finished",
			[]string{"rewardflow why ID ask again later: the provider finishes it"},
		},
		"settling by hand": {
			reward.Settling, sent("people", payout.Outcome{Class: payout.ClassAccepted, Reference: "hand"}),
			"is not paid yet: a person pays it by hand, and has not recorded it", "a person to pay it and record the reference: rewardflow resolve ID paid --reference REF", noPerson,
			[]string{byOperators, "resolve ID paid --reference REF once a person has paid it"},
		},
		"paid": {
			reward.Paid, sent("team", delivered()), "is paid; FirstPromoter does not know it yet", "its close at FirstPromoter to begin",
			"FirstPromoter is told", onItsWay,
		},
		"closing": {
			reward.Closing, func(ctx context.Context, w *world, id reward.ID) error {
				_, err := closing(ctx, w, id)
				return err
			},
			"is paid, and is being closed at FirstPromoter", "FirstPromoter to confirm that the reward is closed",
			"FirstPromoter is read, and called again when it does not have it as completed", onItsWay,
		},
		"fulfilled": {
			reward.Fulfilled, func(ctx context.Context, w *world, id reward.ID) error {
				c, err := closing(ctx, w, id)
				if err == nil {
					_, err = w.ledger.FinishClose(ctx, id, c.Fence, ledger.CallDone, "")
				}
				return err
			},
			"is paid, and closed at FirstPromoter", "", hasEnded, nil,
		},
		"fulfilled elsewhere": {
			reward.FulfilledElsewhere, assessedAs(reward.FulfilledElsewhere, "FirstPromoter already holds it as completed, and nothing was paid from here"),
			"was fulfilled outside rewardflow: FirstPromoter had it as completed", "", hasEnded, nil,
		},
		"attention, refused": {
			reward.Attention, moved(sent("team", payout.Outcome{Class: payout.ClassRefused, Detail: "no such customer"}),
				ledger.Transition{To: reward.Attention, Reason: "the provider team refused: no such customer"}),
			"is not paid, and does not go on without a person", "a person", noPerson,
			[]string{byOperators, "resolve ID retry pay it again by team, by a new payout", "resolve ID reroute --provider NAME pay it by another provider"},
		},
		"attention, tried again by itself": {
			reward.Attention, moved(allowed, ledger.Transition{To: reward.Attention, Reason: "the provider team refuses our credentials", NextTimer: at}),
			"is not paid, and a person should look", "a person", tomorrow + ": it is tried again; a person can do it sooner",
			[]string{byOperators, "resolve ID retry take it up again where it stands"},
		},
		"attention, perhaps paid": {
			reward.Attention, moved(unknown, ledger.Transition{To: reward.Attention, Reason: "the provider team cannot say whether it was paid"}),
			"may have been paid, and does not go on without a person", "a person", noPerson,
			[]string{byOperators, "resolve ID retry look it up at team again", "resolve ID abandon --comment TEXT leave it as it is"},
		},
		"rejected": {
			reward.Rejected, moved(awaits, ledger.Transition{To: reward.Rejected, Reason: "rejected by a person"}),
			"is not paid and will not be: it was rejected", "", hasEnded, nil,
		},
		"abandoned": {
			reward.Abandoned, moved(unknown, ledger.Transition{To: reward.Abandoned, Reason: "abandoned by a person's resolution"}),
			"may have been paid, and was abandoned: nothing more will happen", "", hasEnded, nil,
		},
	}
}

func nothing(context.Context, *world, reward.ID) error { return nil }

// paying is a reward whose payout is on the wire.
func paying(ctx context.Context, w *world, id reward.ID) error {
	if err := w.allow(ctx, id, "team", 5, reward.Points); err != nil {
		return err
	}
	_, err := w.ledger.Reserve(ctx, ledger.Reservation{
		RewardID: id, Provider: "team", Quantity: reward.Quantity{Amount: 5, Unit: reward.Points}, At: w.now(),
		Request: payout.Request{Key: payout.Key(id, 1), Destination: "customer cus_ann", Body: []byte("{}")},
	})
	if err != nil {
		return err
	}
	claim, err := w.ledger.Claim(ctx, id, ledger.Caps{}, w.now(), w.now().Add(time.Minute))
	if err == nil && !claim.Taken {
		err = errors.New("the payout was not claimed")
	}
	return err
}
