package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func (p *Program) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why ID",
		Short: "Say why a reward is not paid yet, and what to do",
		Args:  oneArgument("the ID of a reward"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.showReward(c.Context(), args[0], p.writeWhy)
		},
	}
}

// writeWhy answers in a sentence, gives the facts behind it, says what happens
// without anybody, and what can be typed next.
func (p *Program) writeWhy(out io.Writer, d detailDocument) error {
	now := p.env.Now()
	// The API names the command for a person; the steps below say more.
	d.WaitingFor = slices.DeleteFunc(d.WaitingFor, func(line string) bool { return strings.HasPrefix(line, "rewardflow ") })
	if _, err := fmt.Fprintf(out, "Reward %s (%s for promoter %d) %s.\n\n",
		d.ID, plain(d.Quantity.String()), d.Promoter.ID, d.answer()); err != nil {
		return err
	}
	t := newTable(out)
	standing(t, d)
	t.field("decided", d.decided())
	t.row("since", ago(d.UpdatedAt, now))
	t.row("by itself", d.byItself(now))
	t.row("last attempt", d.lastAttempt())
	t.row("FirstPromoter", d.lastAnswer())
	t.field("retry budget", d.RetryBudget.words())
	t.row("closing", d.closing())
	t.field("workflow", d.Links.Workflow)
	if err := t.end(); err != nil {
		return err
	}
	return d.writeSteps(out)
}

// answer continues "Reward 1". It has no default, so that every status has
// an answer.
func (d detailDocument) answer() string {
	switch d.Status {
	case reward.Received:
		return "is not paid yet: it was taken in, and its workflow has not begun"
	case reward.Verifying:
		return "is not paid yet: it is being compared with FirstPromoter"
	case reward.Quarantined:
		return "is not paid: FirstPromoter does not confirm it, and a person must look"
	case reward.AwaitingApproval:
		return "is not paid yet: it waits for approval"
	case reward.Held:
		return d.heldBy().answer()
	case reward.Approved:
		return "is not paid yet: it may be paid, and the payout is about to begin"
	case reward.Paying:
		return "is being paid: the payout is on its way, and the provider has not answered yet"
	case reward.Resolving:
		return "may have been paid: the provider's answer is not known, and the payout is being looked up"
	case reward.Settling:
		if d.byHand() {
			return "is not paid yet: a person pays it by hand, and has not recorded it"
		}
		return "is not paid yet: the payout was accepted and is not finished"
	case reward.Paid:
		return "is paid; FirstPromoter does not know it yet"
	case reward.Closing:
		return "is paid, and is being closed at FirstPromoter"
	case reward.Fulfilled:
		return "is paid, and closed at FirstPromoter"
	case reward.FulfilledElsewhere:
		return "was fulfilled outside rewardflow: FirstPromoter had it as completed"
	case reward.Attention:
		if !d.NextTimer.IsZero() {
			return d.paid() + ", and a person should look"
		}
		return d.paid() + ", and does not go on without a person"
	case reward.Rejected:
		return d.paid() + " and will not be: it was rejected"
	case reward.Abandoned:
		return d.paid() + ", and was abandoned: nothing more will happen"
	}
	return "has a status that this version does not know"
}

// hold is what holds a reward.
type hold int

const (
	heldByPolicy hold = iota
	heldByBrake
	heldUnanswered
)

// heldBy tells the holds apart: the brake says so in its reason, and a question
// that nobody answered is still open.
func (d detailDocument) heldBy() hold {
	switch {
	case strings.HasPrefix(d.Reason, "the brake is on"):
		return heldByBrake
	case d.HoldUntil.IsZero() && d.Needed > d.Approvals:
		return heldUnanswered
	}
	return heldByPolicy
}

func (h hold) answer() string {
	switch h {
	case heldByBrake:
		return "is not paid yet: the brake holds it"
	case heldUnanswered:
		return "is not paid yet: it was held because nobody decided, and a decision still counts"
	case heldByPolicy:
	}
	return "is not paid yet: the policy holds it"
}

// decided names those whose decisions count.
func (d detailDocument) decided() string {
	var made []string
	for _, one := range d.Decisions {
		if one.Counted && one.Digest == d.Digest {
			made = append(made, fmt.Sprintf("%s by %s", pastTense(one.Decision), one.By))
		}
	}
	return strings.Join(made, ", ")
}

func pastTense(v reward.Verdict) string {
	if v == reward.Reject {
		return "rejected"
	}
	return "approved"
}

// paid says what is known of the money itself.
func (d detailDocument) paid() string {
	if d.Payout == nil {
		if !d.Closing.PaidAt.IsZero() {
			return "is paid"
		}
		return "is not paid"
	}
	switch d.Payout.State {
	case payout.Paid:
		return "is paid"
	case payout.Returned:
		return "was paid, and the payout came back"
	case payout.Submitting, payout.Unknown, payout.Conflicted:
		return "may have been paid"
	case payout.Settling:
		return "is not paid yet, though the payout was accepted"
	case payout.Reserved, payout.Refused:
	}
	return "is not paid"
}

func (d detailDocument) lastAttempt() string {
	if len(d.Attempts) == 0 {
		return "none: nothing was sent to a provider"
	}
	a := d.Attempts[len(d.Attempts)-1]
	outcome := a.Outcome
	if outcome == "" {
		outcome = "no outcome yet"
	}
	words := fmt.Sprintf("%d (%s, %s) at %s: %s", a.Number, a.Kind, a.Provider, stamp(a.StartedAt), outcome)
	if a.Detail != "" {
		words += ", " + a.Detail
	}
	return words
}

// lastAnswer says what FirstPromoter was answered last.
func (d detailDocument) lastAnswer() string {
	if len(d.Deliveries) == 0 {
		return "sent no event about it"
	}
	last := d.Deliveries[len(d.Deliveries)-1]
	meaning := ""
	switch last.Answer {
	case 200:
		meaning = " (fulfilled)"
	case 202:
		meaning = " (accepted, not fulfilled yet)"
	}
	words := fmt.Sprintf("was answered %d%s at %s", last.Answer, meaning, stamp(last.At))
	if n := len(d.Deliveries); n > 1 {
		words += fmt.Sprintf(", the last of %d deliveries", n)
	}
	return words
}

// words says how many errors FirstPromoter was answered; empty for none.
func (b budgetDocument) words() string {
	if b.Spent == 0 {
		return ""
	}
	means := "its event was stored since, so no more are spent"
	if b.Open {
		means = "after the last one it is marked with has_issues"
	}
	return fmt.Sprintf("%d of the day's %d errors are spent, the last at %s: %s", b.Spent, b.Of, stamp(b.LastError), means)
}

// closing says where the close stands. Most rewards that end unpaid have none.
func (d detailDocument) closing() string {
	if d.Status.Final() && d.Closing.PaidAt.IsZero() && d.Closing.ClosedAt.IsZero() {
		return "none: it has ended without one"
	}
	return d.Closing.words()
}

func (c closingDocument) words() string {
	switch {
	case !c.ClosedAt.IsZero() && c.By == ledger.ClosedByAnswer:
		return "closed by the answer to a webhook at " + stamp(c.ClosedAt)
	case !c.ClosedAt.IsZero():
		return "closed by the API at " + stamp(c.ClosedAt)
	case c.By == ledger.ClosedByAnswer:
		return "left to the answer to FirstPromoter's next webhook"
	case c.PaidAt.IsZero():
		return "not begun: it follows the payout"
	}
	switch c.Call {
	case ledger.CallOut:
		return "FirstPromoter is being called"
	case ledger.CallUnknown:
		return "FirstPromoter's answer is not known; it is read back before it is called again"
	case ledger.CallNotDone:
		return "FirstPromoter was called, and does not have it as completed; it is called again"
	case ledger.CallDone:
		return "FirstPromoter has it as completed"
	case ledger.CallNone:
	}
	return "FirstPromoter was not called yet"
}
