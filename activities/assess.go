package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// AssessInput names the reward to verify and decide.
type AssessInput struct {
	RewardID reward.ID `json:"reward_id"`
	// Retry is set when a person asked to look again at a reward that waits
	// for one.
	Retry bool `json:"retry,omitempty"`
}

// Standing is where a reward stands, as far as a workflow must know: opaque
// IDs, quantities and words, no personal data.
type Standing struct {
	Status reward.Status `json:"status"`
	Reason string        `json:"reason,omitempty"`
	// Payout is the state of the payout's row; empty when there is none.
	Payout   payout.State    `json:"payout,omitempty"`
	Quantity reward.Quantity `json:"quantity"`
	Provider string          `json:"provider,omitempty"`
	// Queue is the task queue on which the provider's payouts are submitted, where
	// they are limited; empty where they are not.
	Queue     string        `json:"queue,omitempty"`
	Digest    reward.Digest `json:"digest,omitempty"`
	Approvals int           `json:"approvals,omitempty"`
	Needed    int           `json:"needed,omitempty"`
	Role      string        `json:"role,omitempty"`
	// HoldUntil is when a policy's hold ends; zero when it does not by itself.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	Ladder    Ladder    `json:"ladder,omitzero"`
}

// payable says that the next thing to be done is to submit the payout.
func (s Standing) payable() bool {
	switch s.Payout {
	case "":
		return s.Status == reward.Approved
	case payout.Reserved:
		return !s.Status.Final()
	case payout.Submitting, payout.Unknown, payout.Settling, payout.Paid, payout.Refused, payout.Conflicted, payout.Returned:
	}
	return false
}

// Assess verifies a reward against FirstPromoter and decides by policy.
//
// Running it again is safe: it writes one row of the ledger, which refuses
// when a payout exists already, and decisions that were made under the same
// digest keep counting. A reward that the ledger holds beyond this point is
// returned as it stands.
func (a *Activities) Assess(ctx context.Context, in AssessInput) (Standing, error) {
	rec, err := a.ledger.Reward(ctx, in.RewardID)
	if err != nil {
		return Standing{}, asTemporal(err)
	}
	standing, settled, err := a.takeUp(ctx, rec, in.Retry)
	if err != nil || settled {
		return standing, asTemporal(err)
	}

	finding, err := a.verify(ctx, rec)
	if err != nil {
		a.explain(ctx, rec, err)
		return Standing{}, asTemporal(err)
	}
	if finding.Status == "" {
		if finding.Assessment, err = a.decide(ctx, rec, finding); err != nil {
			return Standing{}, asTemporal(err)
		}
	}
	if err := a.ledger.Assess(ctx, finding.Assessment, "policy"); err != nil {
		return Standing{}, asTemporal(err)
	}
	standing, err = a.standing(ctx, rec.With(finding.Assessment))
	return standing, asTemporal(err)
}

// takeUp returns the standing of a reward that must not be assessed: it has
// ended, its payout is under way, or it waits for a person who said nothing.
func (a *Activities) takeUp(ctx context.Context, rec ledger.Record, retry bool) (Standing, bool, error) {
	standing, err := a.standing(ctx, rec)
	if err != nil {
		return Standing{}, false, err
	}
	waits := rec.Status == reward.Quarantined || rec.Status == reward.Attention && rec.Verified
	return standing, rec.Status.Final() || standing.Payout != "" || waits && !retry, nil
}

func (a *Activities) standing(ctx context.Context, rec ledger.Record) (Standing, error) {
	s := Standing{
		Status:    rec.Status,
		Reason:    rec.Reason,
		Quantity:  rec.Reward.Quantity,
		Provider:  rec.Provider,
		Queue:     a.cfg.Queues[rec.Provider],
		Digest:    rec.Digest,
		Needed:    rec.Approvals,
		Role:      rec.Role,
		HoldUntil: rec.HoldUntil,
		Ladder:    a.cfg.Ladder.with(rec.Waits),
	}
	if rec.Payout != "" {
		s.Payout, s.Queue = rec.Payout, a.cfg.Queues[rec.PaidBy]
		return a.unstranded(ctx, rec.Reward.ID, s)
	}
	if s.Needed > 0 {
		tally, err := a.ledger.TallyOf(ctx, rec.Reward.ID)
		if err != nil {
			return Standing{}, err
		}
		s.Approvals = tally.Approvals
	}
	return s, nil
}

// unstranded asks for a person where only one leads on from the payout and nobody
// was asked: the process that learned it ended before it had written so.
func (a *Activities) unstranded(ctx context.Context, id reward.ID, s Standing) (Standing, error) {
	leadsOn := deadEnd(ledger.Payout{State: s.Payout}) == "" // Most do, and need no look at the row.
	if leadsOn || s.Status == reward.Attention || s.Status.Final() {
		return s, nil
	}
	p, err := a.ledger.Payout(ctx, id)
	if err != nil {
		return s, err
	}
	s.Payout, s.Queue = p.State, a.cfg.Queues[p.Provider]
	reason := deadEnd(p)
	if reason == "" {
		return s, nil // It has moved on meanwhile.
	}
	res, err := a.needsPerson(ctx, p.RewardID, p.State, reason)
	s.Status, s.Reason = res.Status, res.Reason
	return s, err
}

// finding is what verify found, and what decide may look at.
type finding struct {
	ledger.Assessment
	promoter PromoterFacts
}

// verify compares what the newest event claims with what FirstPromoter says.
// It returns an assessment with a status when that settles the matter, and
// one without when the reward is genuine and may be decided.
func (a *Activities) verify(ctx context.Context, rec ledger.Record) (finding, error) {
	claim, err := a.ledger.LatestClaim(ctx, rec.Reward.ID)
	if err != nil {
		return finding{}, err
	}
	quarantined := func(reason string) (finding, error) {
		return finding{Assessment: ledger.Assessment{Reward: claim.Reward, Status: reward.Quarantined, Reason: reason}}, nil
	}
	if claim.Reward.Promoter.ID == 0 {
		return quarantined("the event names no promoter, so FirstPromoter cannot be asked about it")
	}

	owed, err := a.fp.Owed(ctx, claim.Reward.Promoter.ID, rec.Reward.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		return quarantined(fmt.Sprintf("FirstPromoter has no reward %s for promoter %d", rec.Reward.ID, claim.Reward.Promoter.ID))
	case err != nil:
		return finding{}, err
	}
	if differences := compare(claim, owed); differences != "" {
		return quarantined(differences)
	}
	genuine := finding{Assessment: ledger.Assessment{Reward: owed.Reward, Verified: true}, promoter: owed.Promoter}
	switch {
	case owed.Completed():
		genuine.Status = reward.FulfilledElsewhere
		genuine.Reason = "FirstPromoter already holds it as completed, and nothing was paid from here"
	case owed.Status != "pending":
		return quarantined(fmt.Sprintf("FirstPromoter says that it is %.20q, and only a pending reward is paid", owed.Status))
	case owed.Defect != "":
		return quarantined("FirstPromoter's own record cannot be paid: " + owed.Defect)
	case owed.Reward.Quantity.Amount <= 0 || owed.Reward.Quantity.Unit == "":
		return quarantined(fmt.Sprintf("%s cannot be paid: the amount must be above zero", owed.Reward.Quantity))
	}
	return genuine, nil
}

// compare says in words where an event differs from FirstPromoter's record;
// empty when it does not.
func compare(claim ledger.Claimed, owed Owed) string {
	var differences []string
	differ := func(what string, event, api any) {
		differences = append(differences, fmt.Sprintf("%s: the event says %v, FirstPromoter says %v", what, event, api))
	}
	c, o := claim.Reward, owed.Reward
	if claim.Defect != "" {
		differences = append(differences, claim.Defect)
	}
	if c.Quantity.Unit != o.Quantity.Unit {
		differ("unit", c.Quantity.Unit, o.Quantity.Unit)
	}
	if c.Quantity.Amount != o.Quantity.Amount {
		differ("amount", c.Quantity.Amount, o.Quantity.Amount)
	}
	if c.Promoter.ID != o.Promoter.ID {
		differ("promoter", c.Promoter.ID, o.Promoter.ID)
	}
	// FirstPromoter's answer may leave the campaign out; the event may not
	// name another one.
	if o.Campaign.ID != 0 && c.Campaign.ID != o.Campaign.ID {
		differ("campaign", c.Campaign.ID, o.Campaign.ID)
	}
	return strings.Join(differences, "; ")
}

// decide applies routes and policy to a genuine reward.
func (a *Activities) decide(ctx context.Context, rec ledger.Record, found finding) (ledger.Assessment, error) {
	as, now := found.Assessment, a.now()
	past, err := a.ledger.Past(ctx, ledger.PastQuery{Reward: as.Reward, Now: now})
	if err != nil {
		return as, err
	}
	ruling := a.judge.Rule(Case{Reward: as.Reward, Promoter: found.promoter, Past: past, ReceivedAt: rec.ReceivedAt, Now: now})
	as.Provider, as.Rule, as.PolicyVersion, as.Facts = ruling.Provider, ruling.Rule, ruling.PolicyVersion, ruling.Facts
	as.Reward.Quantity.Currency = ruling.Currency
	as.Reason = ruling.Reason
	if as.Provider == "" {
		as.Status = reward.Attention
		as.Reason = fmt.Sprintf("no route matches %s of campaign %d: add one under routes", as.Reward.Quantity.Unit, as.Reward.Campaign.ID)
		return as, nil
	}
	if err := as.Reward.Quantity.Payable(); err != nil {
		as.Status, as.Reason = reward.Attention, "it cannot be paid: "+err.Error()
		return as, nil
	}
	as.Digest = reward.Shown{Reward: as.Reward, Provider: as.Provider, PolicyVersion: as.PolicyVersion, Rule: as.Rule}.Digest()

	switch ruling.Verdict {
	case VerdictPay:
		as.Status = reward.Approved
	case VerdictRefuse:
		as.Status = reward.Rejected
	case VerdictHold:
		as.Status, as.HoldUntil = reward.Held, ruling.HoldUntil
	case VerdictAsk:
		return a.ask(ctx, rec, as, ruling)
	}
	return as, nil
}

// ask waits for people, or finds that they have decided already: decisions
// made under the same digest keep counting.
func (a *Activities) ask(ctx context.Context, rec ledger.Record, as ledger.Assessment, ruling Ruling) (ledger.Assessment, error) {
	as.Status, as.Approvals, as.Role, as.Excluded, as.Waits = reward.AwaitingApproval, ruling.Approvals, ruling.Role, ruling.Excluded, ruling.Waits
	if rec.Digest == as.Digest {
		tally, err := a.ledger.TallyOf(ctx, rec.Reward.ID)
		switch {
		case err != nil:
			return as, err
		case tally.Rejected:
			as.Status, as.Reason = reward.Rejected, "rejected by a person"
			return as, nil
		case tally.Approved:
			as.Status, as.Reason = reward.Approved, fmt.Sprintf("%d of %d approvals", tally.Approvals, tally.Needed)
			return as, nil
		}
	}
	if first := a.cfg.Ladder.with(as.Waits).first(); first > 0 {
		as.NextTimer = a.now().Add(first)
	}
	return as, nil
}

// troubleRest is how long a workflow rests at most before it takes a step
// again that went wrong.
const troubleRest = 5 * time.Minute

// explain keeps the answer to "why is this one not paid yet" in the ledger
// while FirstPromoter cannot be asked. Its own failure changes nothing.
func (a *Activities) explain(ctx context.Context, rec ledger.Record, cause error) {
	t := ledger.Transition{
		ID: rec.Reward.ID, To: reward.Verifying, Actor: "verify", NextTimer: a.now().Add(troubleRest),
		Reason: "FirstPromoter could not be asked, and will be asked again: " + fault.Message(cause),
	}
	switch fault.KindOf(cause) {
	case fault.Denied, fault.Invalid, fault.Internal, fault.Declined, fault.Conflict, fault.NotFound:
		t.To, t.Notify = reward.Attention, NotifyAttention
	case fault.Throttled, fault.Unavailable, fault.Ambiguous:
	}
	if rec.Verified {
		// It was genuine when it was asked about; it keeps its place while the
		// second look fails.
		t.To = rec.Status
	}
	_ = a.ledger.Move(ctx, t)
}
