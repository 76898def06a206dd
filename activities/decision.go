package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// DecideInput is a decision that reached a workflow. Only the ID matters when
// the ledger has recorded the decision already, with a proven identity; what
// else it says is then ignored.
type DecideInput struct {
	RewardID reward.ID      `json:"reward_id"`
	ID       string         `json:"id"`
	By       string         `json:"by,omitempty"`
	Verdict  reward.Verdict `json:"decision"`
	Comment  string         `json:"comment,omitempty"`
	Digest   reward.Digest  `json:"digest,omitempty"`
}

// DecideResult is where the approval stands afterwards.
type DecideResult struct {
	// Noted says that the ledger is asked about the decision as soon as the
	// workflow acts on it; what it came to is there, and nothing else is set.
	Noted     bool   `json:"noted,omitempty"`
	Counted   bool   `json:"counted"`
	Refusal   string `json:"refusal,omitempty"`
	Approvals int    `json:"approvals"`
	Needed    int    `json:"needed"`
	Approved  bool   `json:"approved,omitempty"`
	Rejected  bool   `json:"rejected,omitempty"`
}

// Decide records a decision that came without the API, or takes note of one
// that the API recorded. An identity is never taken from its input.
func (a *Activities) Decide(ctx context.Context, in DecideInput) (DecideResult, error) {
	tally, err := a.ledger.Decide(ctx, reward.Decision{
		ID: in.ID, RewardID: in.RewardID, By: in.By, Lane: reward.LaneTemporal,
		Verdict: in.Verdict, Comment: in.Comment, Digest: in.Digest, At: a.now(),
	}, a.cfg.AcceptUnverified)
	if err != nil {
		return DecideResult{}, asTemporal(err)
	}
	if tally.Decision.RewardID != in.RewardID {
		return DecideResult{Refusal: "the decision belongs to another reward"}, nil
	}
	if err := a.ledger.MarkDelivered(ctx, in.ID); err != nil {
		return DecideResult{}, asTemporal(err)
	}
	return DecideResult{
		Counted: tally.Decision.Counted, Refusal: tally.Decision.Refusal,
		Approvals: tally.Approvals, Needed: tally.Needed, Approved: tally.Approved, Rejected: tally.Rejected,
	}, nil
}

// ResolveInput is a person's instruction. As with a decision, only the ID
// matters when the ledger has recorded it already.
type ResolveInput struct {
	RewardID  reward.ID     `json:"reward_id"`
	ID        string        `json:"id"`
	By        string        `json:"by,omitempty"`
	Action    reward.Action `json:"action"`
	Provider  string        `json:"provider,omitempty"`
	Reference string        `json:"reference,omitempty"`
	Evidence  string        `json:"evidence,omitempty"`
	Comment   string        `json:"comment,omitempty"`
}

// ResolveResult says what a resolution led to.
type ResolveResult struct {
	// Refusal says in words why nothing was done; empty when it was.
	Refusal  string        `json:"refusal,omitempty"`
	Action   reward.Action `json:"action,omitempty"`
	Standing Standing      `json:"standing"`
}

// Resolve carries out what a person decided about a reward that does not go on
// by itself, as far as the ledger is concerned. It may run again: a resolution
// finds its own effect, and then changes nothing.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (ResolveResult, error) {
	res, refusal, err := a.resolution(ctx, in)
	if err != nil || refusal != "" {
		return ResolveResult{Refusal: refusal}, asTemporal(err)
	}
	rec, err := a.ledger.Reward(ctx, in.RewardID)
	if err != nil {
		return ResolveResult{}, asTemporal(err)
	}
	p, err := a.ledger.Payout(ctx, in.RewardID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return ResolveResult{}, asTemporal(err)
	}
	refusal, err = a.apply(ctx, res, rec, p)
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Invalid) || fault.Is(err, fault.Declined) {
		refusal, err = fault.Message(err), nil
	}
	if err != nil {
		return ResolveResult{}, asTemporal(err)
	}
	if rec, err = a.ledger.Reward(ctx, in.RewardID); err != nil {
		return ResolveResult{}, asTemporal(err)
	}
	standing, err := a.standing(ctx, rec)
	return ResolveResult{Refusal: refusal, Action: res.Action, Standing: standing}, asTemporal(err)
}

// resolution returns the instruction as the ledger holds it, which is the only
// place where an identity is proven.
func (a *Activities) resolution(ctx context.Context, in ResolveInput) (reward.Resolution, string, error) {
	res, err := a.ledger.Resolution(ctx, in.ID)
	if err == nil {
		if res.RewardID != in.RewardID {
			return res, "the resolution belongs to another reward", nil
		}
		return res, "", nil
	}
	if !fault.Is(err, fault.NotFound) {
		return res, "", err
	}
	if !a.cfg.AcceptUnverified {
		return res, "a resolution that was sent without the operator API proves no identity, and approvals.unverified is ignore", nil
	}
	res = reward.Resolution{
		ID: in.ID, RewardID: in.RewardID, Action: in.Action, Provider: in.Provider,
		Reference: in.Reference, Evidence: in.Evidence, Comment: in.Comment, By: in.By, At: a.now(),
	}
	return res, "", a.ledger.RecordResolution(ctx, res)
}

// apply does what the resolution says; it returns a refusal in words when that
// must not be done as the reward stands.
func (a *Activities) apply(ctx context.Context, res reward.Resolution, rec ledger.Record, p ledger.Payout) (string, error) {
	if done(res, rec, p) {
		return "", nil
	}
	if rec.Status.Final() {
		return fmt.Sprintf("the reward has ended: it is %s", rec.Status), nil
	}
	actor := res.By
	if !res.Verified {
		actor += " (unverified)"
	}
	switch res.Action {
	case reward.ActionRetry:
		return a.retry(ctx, rec, p, actor)
	case reward.ActionReroute:
		return a.reroute(ctx, rec, p, res.Provider, actor)
	case reward.ActionPaid:
		if res.Reference == "" {
			return "a payment by hand needs its reference", nil
		}
		_, err := a.ledger.PayByHand(ctx, rec.Reward.ID, actor, res.Reference, a.now())
		return "", err
	case reward.ActionReject:
		return a.end(ctx, rec, p, reward.Rejected, actor)
	case reward.ActionAbandon:
		return a.end(ctx, rec, p, reward.Abandoned, actor)
	}
	return fmt.Sprintf("%.20q is no action: use retry, reroute, paid, reject or abandon", res.Action), nil
}

// done reports whether an earlier run of the same resolution had its effect.
func done(res reward.Resolution, rec ledger.Record, p ledger.Payout) bool {
	switch res.Action {
	case reward.ActionPaid:
		return p.State == payout.Paid && p.Reference == res.Reference
	case reward.ActionReject:
		return rec.Status == reward.Rejected
	case reward.ActionAbandon:
		return rec.Status == reward.Abandoned
	case reward.ActionReroute:
		return p.State == payout.Reserved && p.Generation > 1 && p.Provider == res.Provider
	case reward.ActionRetry:
	}
	return false
}

func (a *Activities) retry(ctx context.Context, rec ledger.Record, p ledger.Payout, actor string) (string, error) {
	switch p.State {
	case payout.Refused:
		return a.reroute(ctx, rec, p, p.Provider, actor)
	case payout.Returned:
		return "it came back after it was paid, and is never paid again by itself: resolve as paid with a new reference, or abandon", nil
	case payout.Reserved, payout.Submitting, payout.Unknown, payout.Settling, payout.Paid, payout.Conflicted:
	}
	// Everything else is looked at again by the workflow, from where it stands.
	return "", nil
}

func (a *Activities) reroute(ctx context.Context, rec ledger.Record, p ledger.Payout, provider, actor string) (string, error) {
	if p.State != payout.Refused {
		return "another payout is made only after a proven refusal; this one is not refused", nil
	}
	r, err := a.reservation(ctx, rec, provider, p.Generation+1)
	if err != nil {
		return "", err
	}
	_, err = a.ledger.NewGeneration(ctx, r, actor)
	return "", err
}

// end closes a reward's life by a person's word. A reward that may have been
// paid cannot be rejected: that would say that nothing was paid. The person's
// comment stays with the resolution: a reason travels into histories.
func (a *Activities) end(ctx context.Context, rec ledger.Record, p ledger.Payout, to reward.Status, actor string) (string, error) {
	unpaid := p.State == "" || p.State == payout.Reserved && p.Doubt == ledger.DoubtNone || p.State == payout.Refused
	if p.State == payout.Submitting || to == reward.Rejected && !unpaid {
		return fmt.Sprintf("its payout is %s, and it may be paid: look it up, or resolve as paid or abandon", p.State), nil
	}
	return "", a.ledger.Move(ctx, ledger.Transition{
		ID: rec.Reward.ID, To: to, Reason: string(to) + " by a person's resolution", Actor: actor, Notify: "reward_" + string(to),
	})
}

// RecordInput is a status that a workflow decided by the clock.
type RecordInput struct {
	RewardID  reward.ID     `json:"reward_id"`
	Status    reward.Status `json:"status"`
	Reason    string        `json:"reason"`
	NextTimer time.Time     `json:"next_timer,omitzero"`
	Notify    string        `json:"notify,omitempty"`
}

// Record writes a status that a workflow decided by the clock: a reminder is
// due, a wait is over. Writing it twice writes it once.
func (a *Activities) Record(ctx context.Context, in RecordInput) error {
	err := a.ledger.Move(ctx, ledger.Transition{
		ID: in.RewardID, To: in.Status, Reason: in.Reason, Actor: "workflow", NextTimer: in.NextTimer, Notify: in.Notify,
	})
	return asTemporal(err)
}
