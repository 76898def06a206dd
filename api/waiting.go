package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// waitingFor says in words what has to happen before a reward moves on: one
// line for each thing, none when it is done with. It has no default, so that
// every status has an answer.
func (p presenter) waitingFor(r ledger.Record, tally ledger.Tally, out *ledger.Payout) []string {
	provider := r.Provider
	if out != nil {
		provider = out.Provider
	}
	switch r.Status {
	case reward.Received:
		return []string{"its workflow to start"}
	case reward.Verifying:
		return []string{"FirstPromoter to confirm that the reward is owed"}
	case reward.Quarantined:
		return []string{
			"a person to compare it with FirstPromoter: " + because(r, "they do not agree"),
			resolveWith(r, "retry, reject --comment TEXT or abandon --comment TEXT"),
		}
	case reward.AwaitingApproval:
		return []string{approvals(r, tally)}
	case reward.Held:
		return heldFor(r, tally)
	case reward.Approved:
		return []string{"its payout by " + named(provider) + " to begin"}
	case reward.Paying:
		return []string{named(provider) + " to answer"}
	case reward.Resolving:
		return []string{"a look-up at " + named(provider) + ": it is not known whether the payout was made"}
	case reward.Settling:
		if p.byHand[provider] {
			return []string{fmt.Sprintf(
				"a person to pay it and record the reference: rewardflow resolve %s paid --reference REF", r.Reward.ID)}
		}
		return []string{named(provider) + " to finish the payout"}
	case reward.Paid:
		return []string{"its close at FirstPromoter to begin"}
	case reward.Closing:
		return []string{"FirstPromoter to confirm that the reward is closed"}
	case reward.Attention:
		return []string{
			"a person: " + because(r, "it does not go on by itself"),
			resolveWith(r, "retry, reroute --provider NAME, paid --reference REF, "+
				"reject --comment TEXT or abandon --comment TEXT"),
		}
	case reward.Fulfilled, reward.FulfilledElsewhere, reward.Rejected, reward.Abandoned:
	}
	return []string{}
}

// heldFor tells a hold that ends by itself, or by approval, from the brake's.
func heldFor(r ledger.Record, tally ledger.Tally) []string {
	waiting := []string{because(r, "it is held")}
	if strings.HasPrefix(r.Reason, "the brake is on") {
		waiting[0] = "the brake to let it through: " + r.Reason
	}
	if !r.HoldUntil.IsZero() {
		waiting = append(waiting, "the hold to end at "+r.HoldUntil.UTC().Format(time.RFC3339))
	}
	if approvalsPending(r, tally) {
		waiting = append(waiting, approvals(r, tally))
	}
	return waiting
}

// approvalsPending reports whether people are still asked about a reward.
func approvalsPending(r ledger.Record, tally ledger.Tally) bool {
	return r.Approvals > 0 && !tally.Approved && !tally.Rejected
}

func approvals(r ledger.Record, tally ledger.Tally) string {
	who := "role approver or finance"
	if r.Role != "" {
		who = "role " + r.Role
	}
	if len(r.Excluded) > 0 {
		who += ", and not by " + strings.Join(r.Excluded, " or ")
	}
	return fmt.Sprintf("%d of %d approvals, %s", tally.Approvals, max(tally.Needed, r.Approvals), who)
}

func because(r ledger.Record, otherwise string) string {
	if r.Reason != "" {
		return r.Reason
	}
	return otherwise
}

func named(provider string) string {
	if provider == "" {
		return "the provider"
	}
	return "the provider " + provider
}

func resolveWith(r ledger.Record, actions string) string {
	return fmt.Sprintf("rewardflow resolve %s with %s", r.Reward.ID, actions)
}
