package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	nothingWithoutAPerson = "nothing: it waits for a person"
	nothingAnyMore        = "nothing: it has ended"
)

// byItself says what happens next without anybody, and when, as far as a time
// is known. It has no default, so that every status has an answer.
func (d detailDocument) byItself(now time.Time) string {
	switch d.Status {
	case reward.Received:
		return "its workflow starts; a start that fails is tried again"
	case reward.Verifying:
		return "FirstPromoter is asked again" + by(d.NextTimer, now)
	case reward.Quarantined:
		return nothingWithoutAPerson
	case reward.AwaitingApproval:
		if d.NextTimer.IsZero() {
			return nothingWithoutAPerson
		}
		return ago(d.NextTimer, now) + ": people are reminded, or more people are told, or it is held; silence never pays"
	case reward.Held:
		return d.holdEnds(now)
	case reward.Approved:
		return "its payout begins"
	case reward.Paying:
		return "it goes on when the provider has answered; an answer that is lost is looked up, and nothing is sent blindly"
	case reward.Resolving:
		return "it is looked up again and again; it is sent again only when it surely was not made"
	case reward.Settling:
		if d.byHand() {
			return nothingWithoutAPerson
		}
		return "the provider is asked again until it has finished"
	case reward.Paid:
		return "FirstPromoter is told"
	case reward.Closing:
		if d.Closing.By == ledger.ClosedByAnswer {
			return "FirstPromoter's next event about it is answered 200, which closes it"
		}
		return "FirstPromoter is read, and called again when it does not have it as completed" + by(d.NextTimer, now)
	case reward.Attention:
		if d.NextTimer.IsZero() {
			return nothingWithoutAPerson
		}
		return ago(d.NextTimer, now) + ": it is tried again; a person can do it sooner"
	case reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned:
	}
	return nothingAnyMore
}

func (d detailDocument) holdEnds(now time.Time) string {
	switch d.heldBy() {
	case heldByBrake:
		return "it is paid once the brake lets it" + looks(d.NextTimer, now)
	case heldUnanswered:
		return nothingWithoutAPerson
	case heldByPolicy:
	}
	if d.HoldUntil.IsZero() {
		return nothingWithoutAPerson
	}
	return ago(d.HoldUntil, now) + ": the hold ends, and the policy decides again"
}

// by names the latest time of something; nothing for none.
func by(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", at the latest " + ago(t, now)
}

// looks says when something is looked at again; nothing for none.
func looks(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "; it looks again " + ago(t, now)
}

// step is something to type, and what it does.
type step struct{ command, effect string }

// writeSteps writes what a person can do, and the role that it takes.
func (d detailDocument) writeSteps(out io.Writer) error {
	steps := d.steps()
	if len(steps) == 0 {
		return nil
	}
	title := "\nnext"
	if slices.ContainsFunc(steps, func(s step) bool { return strings.HasPrefix(s.command, "rewardflow resolve ") }) {
		title += " (resolve takes the role operator)"
	}
	if _, err := fmt.Fprintln(out, title); err != nil {
		return err
	}
	t := newTable(out)
	for _, s := range steps {
		t.row("  "+s.command, s.effect)
	}
	return t.end()
}

// steps returns what a person can do. It has no default, so that every status
// has an answer.
func (d detailDocument) steps() []step {
	id := d.ID.String()
	resolve := "rewardflow resolve " + id + " "
	switch d.Status {
	case reward.Received, reward.Verifying, reward.Approved, reward.Paying, reward.Resolving, reward.Paid, reward.Closing:
		return []step{{"rewardflow doctor", "it goes on by itself; if it does not, this says what is down"}}
	case reward.Quarantined:
		return []step{
			{"rewardflow show " + id, "compare it with FirstPromoter"},
			{resolve + "retry", "compare again"},
			{resolve + "reject --comment TEXT", "end it unpaid"},
		}
	case reward.AwaitingApproval:
		return d.decide()
	case reward.Held:
		return d.release()
	case reward.Settling:
		return d.settle()
	case reward.Attention:
		return d.attend()
	case reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned:
	}
	return nil
}

// release offers what ends a hold.
func (d detailDocument) release() []step {
	switch d.heldBy() {
	case heldByBrake:
		return d.releaseBrake()
	case heldUnanswered:
		return d.decide()
	case heldByPolicy:
	}
	return append([]step{{"rewardflow policy explain " + d.ID.String(), "see the rule that holds it"}}, d.decide()...)
}

// releaseBrake offers to resume what is paused, as the ledger names it. A cap
// is no switch.
func (d detailDocument) releaseBrake() []step {
	const effect = "let payouts go on, with role operator"
	steps := []step{{"rewardflow brake show", "see what is paused, and the caps, which stand in the configuration"}}
	_, why, _ := strings.Cut(d.Reason, "the brake is on: ")
	rest, ofOne := strings.CutPrefix(why, "payouts by ")
	provider, _, paused := strings.Cut(rest, " are paused: ")
	switch {
	case strings.HasPrefix(why, "all payouts are paused: "):
		steps = append(steps, step{"rewardflow brake resume", effect})
	case ofOne && paused:
		steps = append(steps, step{"rewardflow brake resume --provider " + provider, effect})
	}
	return steps
}

func (d detailDocument) decide() []step {
	if d.Needed <= d.Approvals {
		return nil
	}
	command := "rewardflow approvals "
	return []step{
		{command + "approve " + d.ID.String(), "approve it, with " + roleOf(d.Role)},
		{command + "reject " + d.ID.String() + " --comment TEXT", "end it unpaid"},
	}
}

// settle tells a payout by hand, for which the API names the command, from one
// that a provider finishes.
func (d detailDocument) settle() []step {
	if d.byHand() {
		return []step{{"rewardflow resolve " + d.ID.String() + " paid --reference REF", "once a person has paid it"}}
	}
	return []step{{"rewardflow why " + d.ID.String(), "ask again later: the provider finishes it"}}
}

func (d detailDocument) byHand() bool {
	return slices.ContainsFunc(d.WaitingFor, func(line string) bool { return strings.Contains(line, "rewardflow resolve") })
}

// attend offers what can help, by what is known of the payout.
func (d detailDocument) attend() []step {
	resolve := "rewardflow resolve " + d.ID.String() + " "
	retry := step{resolve + "retry", "take it up again where it stands"}
	reroute := step{resolve + "reroute --provider NAME", "pay it by another provider"}
	byHand := step{resolve + "paid --reference REF", "if it was paid by hand: record the proof"}
	abandon := step{resolve + "abandon --comment TEXT", "leave it as it is"}
	if d.Payout == nil {
		return []step{retry, byHand, {resolve + "reject --comment TEXT", "end it unpaid"}}
	}
	switch d.Payout.State {
	case payout.Refused:
		retry.effect = "pay it again by " + d.Payout.Provider + ", by a new payout"
		return []step{retry, reroute, byHand, {resolve + "reject --comment TEXT", "end it unpaid"}}
	case payout.Submitting, payout.Unknown, payout.Conflicted, payout.Settling:
		retry.effect = "look it up at " + d.Payout.Provider + " again"
		byHand.effect = "if " + d.Payout.Provider + " shows it as paid, or it was paid by hand: record the proof"
		return []step{retry, byHand, abandon}
	case payout.Paid:
		retry.effect = "try to close it again"
		return []step{retry, abandon}
	case payout.Returned:
		return []step{byHand, abandon}
	case payout.Reserved:
	}
	return []step{retry, byHand, abandon}
}
