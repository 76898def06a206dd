package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// PayInput names the reward to pay.
type PayInput struct {
	RewardID reward.ID `json:"reward_id"`
	// Try counts, from 1, how often the workflow asked in a row.
	Try int `json:"try,omitempty"`
	// Assess has the reward verified and decided before anything is paid.
	Assess bool `json:"assess,omitempty"`
	// Heard are the decisions that ended a wait for people.
	Heard []DecideInput `json:"heard,omitempty"`
	// Queue is the task queue that this activity had to wait its turn in; empty
	// where nothing is limited. With Assess, a payout whose provider has another
	// one is not submitted: the caller asks again, there.
	Queue string `json:"queue,omitempty"`
}

// PayResult is where the payout stands afterwards, and what it needs.
type PayResult struct {
	Payout payout.State `json:"payout,omitempty"`
	// Status is empty when nothing was paid or tried: the reward is not to be
	// paid now, or on another queue, and is as Standing says, or it could not be
	// verified, and Standing is nil.
	Status   reward.Status `json:"status,omitempty"`
	Standing *Standing     `json:"standing,omitempty"`
	// Close is where the close stands that followed at once; nil when none did.
	Close  *CloseResult `json:"close,omitempty"`
	Reason string       `json:"reason,omitempty"`
	// Again is when to ask again; zero leaves the pause to the workflow.
	Again time.Duration `json:"again,omitempty"`
	// Person says that only a person leads on.
	Person bool `json:"person,omitempty"`
}

const (
	// deniedPause is how long a payout rests whose provider refuses our
	// credentials; a person's retry cuts it short.
	deniedPause = 10 * time.Minute
	// brakePause is how long a payout rests under the brake; releasing the
	// brake cuts it short.
	brakePause = 5 * time.Minute
	// blindAfter is how many look-ups must fail to tell before the same key is
	// said again without an answer, where the provider allows that at all.
	blindAfter = 3
)

// Pay reserves and claims a payout and submits it once. Where it is asked to, it
// assesses the reward before. What is paid at once is closed at once, as far as
// that goes smoothly; Close does the rest.
//
// It may run any number of times: the claim lets one run through, and a run
// that comes later finds the row where the first one left it. It returns an
// error only when the ledger cannot be read or written; what became of the
// money is then for LookUp to find out.
func (a *Activities) Pay(ctx context.Context, in PayInput) (PayResult, error) {
	var standing *Standing
	if in.Assess {
		standing = a.assessAtOnce(ctx, in)
		if standing == nil || !standing.payable() || standing.Queue != in.Queue {
			return PayResult{Standing: standing}, nil
		}
	}
	res, err := a.submit(ctx, in)
	if err != nil {
		return PayResult{}, err
	}
	res.Standing = standing
	if res.Payout == payout.Paid {
		res.Close = a.closeAtOnce(ctx, in.RewardID)
	}
	return res, nil
}

// assessWithin bounds the look at a reward before it is paid, so that there is
// time left to pay.
const assessWithin = 3 * time.Second

// assessAtOnce takes in what people said, verifies and decides. It returns nil
// when the reward could not be verified: Assess has more time. A decision that
// the ledger does not take in is told to the workflow again.
func (a *Activities) assessAtOnce(ctx context.Context, in PayInput) *Standing {
	ctx, cancel := context.WithTimeout(ctx, assessWithin)
	defer cancel()
	logger := activity.GetLogger(ctx)
	for _, heard := range in.Heard {
		if _, err := a.Decide(ctx, heard); err != nil {
			logger.Warn("decision.not_recorded", "reward_id", in.RewardID, "decision_id", heard.ID, "error", err)
		}
	}
	standing, err := a.Assess(ctx, AssessInput{RewardID: in.RewardID})
	if err != nil {
		logger.Info("reward.not_assessed_at_once", "reward_id", in.RewardID, "error", err)
		return nil
	}
	return &standing
}

// closeAtOnce closes a reward that was just paid if there is time for it, and
// returns nil where Close must do it.
func (a *Activities) closeAtOnce(ctx context.Context, id reward.ID) *CloseResult {
	const spare = 5 * time.Second // For the ledger, before and after the call.
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < a.cfg.SendTimeout+spare {
		return nil
	}
	res, err := a.Close(ctx, CloseInput{RewardID: id})
	if err != nil {
		activity.GetLogger(ctx).Info("reward.not_closed_at_once", "reward_id", id, "error", err)
		return nil
	}
	return &res
}

// submit is Pay without what comes before and after.
func (a *Activities) submit(ctx context.Context, in PayInput) (PayResult, error) {
	p, waiting, err := a.reserve(ctx, in.RewardID)
	if err != nil || waiting != nil {
		return deref(waiting), asTemporal(err)
	}
	if p.State != payout.Reserved {
		return a.stands(ctx, p)
	}
	provider, ok := a.providers[p.Provider]
	if !ok {
		return a.attention(ctx, p, unconfigured(p.Provider))
	}

	now := a.now()
	if p.Doubt != ledger.DoubtNone && !provider.Traits().MayResend(p.FirstSentAt, now) {
		return a.attention(ctx, p, fmt.Sprintf("it was sent before, nobody learned what became of that, and %s's idempotency window has closed meanwhile: "+
			"look there for the key %s, then resolve as paid or abandon", p.Provider, p.Request.Key))
	}
	claim, err := a.ledger.Claim(ctx, in.RewardID, a.cfg.Caps, now, now.Add(a.cfg.SendTimeout))
	switch {
	case err != nil:
		return PayResult{}, asTemporal(err)
	case claim.Braked:
		return a.braked(ctx, p, claim.Reason)
	case !claim.Taken:
		return a.stands(ctx, claim.Payout)
	}

	out := a.send(ctx, provider, p.Request, claim.Attempt)
	activity.GetLogger(ctx).Info("payout.attempted",
		"reward_id", in.RewardID, "provider", p.Provider, "key", p.Request.Key, "generation", p.Generation,
		"attempt", claim.Attempt.Number, "outcome", out.Class, "settled", out.Settled, "detail", out.Detail)

	// What was learned about money is written even if the worker is stopping.
	p, err = a.ledger.Finish(context.WithoutCancel(ctx), claim.Attempt, out)
	if err != nil {
		return PayResult{}, asTemporal(err)
	}
	return a.after(ctx, p, out)
}

// send submits once and gives up at the attempt's deadline. A process that was
// suspended for so long that its attempt has run out sends nothing: others
// count it as dead by then, may have sent the same key, and may have seen it
// refused or its window closed.
func (a *Activities) send(ctx context.Context, provider payout.Provider, req payout.Request, attempt ledger.Attempt) payout.Outcome {
	left := attempt.Deadline.Sub(a.now())
	if left <= 0 {
		return payout.Outcome{
			Class: payout.ClassNotSent, Kind: fault.Unavailable, Detail: "the attempt's time was over before anything could be sent",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(left, a.cfg.SendTimeout))
	defer cancel()
	return provider.Send(ctx, req)
}

// reserve returns the payout's row, which it freezes if there is none. Instead
// of a row it may return a result: the provider cannot be asked yet, or it
// refuses the order before anything was sent.
func (a *Activities) reserve(ctx context.Context, id reward.ID) (ledger.Payout, *PayResult, error) {
	rec, err := a.ledger.Reward(ctx, id)
	if err != nil {
		return ledger.Payout{}, nil, err
	}
	if rec.Payout != "" {
		p, err := a.ledger.Payout(ctx, id)
		return p, nil, err
	}
	if !rec.Verified || rec.Status != reward.Approved {
		// Whatever a workflow believes: nothing is frozen, and so nothing is
		// sent, that the policy or people have not approved.
		return ledger.Payout{}, nil, fault.New(fault.Conflict, "activities.reserve",
			fmt.Sprintf("reward %s is %s and not approved", id, rec.Status))
	}
	r, err := a.reservation(ctx, rec, rec.Provider, 1)
	if err != nil {
		res, err := a.unprepared(ctx, rec, err)
		return ledger.Payout{}, &res, err
	}
	p, err := a.ledger.Reserve(ctx, r)
	return p, nil, err
}

// reservation freezes what will go on the wire.
func (a *Activities) reservation(ctx context.Context, rec ledger.Record, name string, generation int) (ledger.Reservation, error) {
	provider, ok := a.providers[name]
	if !ok {
		return ledger.Reservation{}, fault.New(fault.Invalid, "activities.reserve", unconfigured(name))
	}
	at := a.now().UTC().Truncate(time.Millisecond)
	req, err := provider.Prepare(ctx, payout.Order{Key: payout.AccountKey(a.cfg.Account, rec.Reward.ID, generation), Reward: rec.Reward, At: at})
	if err != nil {
		return ledger.Reservation{}, err
	}
	return ledger.Reservation{RewardID: rec.Reward.ID, Provider: name, Quantity: rec.Reward.Quantity, Request: req, At: at}, nil
}

// unprepared says what follows when a provider could not prepare an order.
func (a *Activities) unprepared(ctx context.Context, rec ledger.Record, cause error) (PayResult, error) {
	switch fault.KindOf(cause) {
	case fault.Throttled, fault.Unavailable, fault.Ambiguous, fault.Denied:
		res := PayResult{
			Status: reward.Approved, Again: fault.RetryAfter(cause),
			Reason: "the provider could not be asked, and will be asked again: " + fault.Message(cause),
		}
		return res, a.ledger.Move(ctx, ledger.Transition{ID: rec.Reward.ID, To: res.Status, Reason: res.Reason, Actor: "pay"})
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Declined, fault.Internal:
	}
	return a.needsPerson(ctx, rec.Reward.ID, "", "it cannot be paid as it stands: "+fault.Message(cause))
}

// after says what a finished attempt leads to.
func (a *Activities) after(ctx context.Context, p ledger.Payout, out payout.Outcome) (PayResult, error) {
	if p.State != payout.Reserved {
		return a.stands(ctx, p)
	}
	if out.Kind == fault.Denied {
		res := PayResult{
			Payout: p.State, Status: reward.Attention, Again: deniedPause,
			Reason: p.Provider + " refuses our credentials or permission, and nothing was sent: " + out.Detail,
		}
		return res, asTemporal(a.ledger.Move(ctx, ledger.Transition{
			ID: p.RewardID, To: res.Status, Reason: res.Reason, Actor: "pay",
			NextTimer: a.now().Add(deniedPause), Notify: NotifyAttention,
		}))
	}
	res := PayResult{
		Payout: p.State, Status: reward.Paying, Again: out.RetryAfter,
		Reason: p.Provider + " did not take it, nothing was done, and it will be sent again: " + out.Detail,
	}
	return res, asTemporal(a.ledger.Move(ctx, ledger.Transition{ID: p.RewardID, To: res.Status, Reason: res.Reason, Actor: "pay"}))
}

// stands translates the row of a payout that is not ready to be sent.
func (a *Activities) stands(ctx context.Context, p ledger.Payout) (PayResult, error) {
	res := PayResult{Payout: p.State, Reason: p.Detail}
	switch p.State {
	case payout.Reserved, payout.Submitting:
		res.Status = reward.Paying
	case payout.Unknown:
		res.Status = reward.Resolving
	case payout.Settling:
		res.Status = reward.Settling
		provider, ok := a.providers[p.Provider]
		res.Person = ok && provider.Traits().ByHand
	case payout.Paid:
		res.Status = reward.Paid
	case payout.Refused, payout.Conflicted, payout.Returned:
		return a.attention(ctx, p, deadEnd(p))
	}
	return res, nil
}

// deadEnd says why only a person leads on from a payout; empty when the payout's
// state says nothing of the kind.
func deadEnd(p ledger.Payout) string {
	switch p.State {
	case payout.Refused:
		return p.Provider + " refused it: " + p.Detail
	case payout.Conflicted:
		return p.Provider + " knows the key " + p.Request.Key + " with another body; look there before anything else: " + p.Detail
	case payout.Returned:
		return p.Provider + " says that it came back after it was paid: " + p.Detail
	case payout.Reserved, payout.Submitting, payout.Unknown, payout.Settling, payout.Paid:
	}
	return ""
}

// braked holds a payout that the brake stopped.
func (a *Activities) braked(ctx context.Context, p ledger.Payout, reason string) (PayResult, error) {
	res := PayResult{Payout: p.State, Status: reward.Held, Reason: "the brake is on: " + reason, Again: brakePause}
	return res, asTemporal(a.ledger.Move(ctx, ledger.Transition{
		ID: p.RewardID, To: res.Status, Reason: res.Reason, Actor: "brake",
		NextTimer: a.now().Add(brakePause), Notify: NotifyHeld,
	}))
}

func (a *Activities) attention(ctx context.Context, p ledger.Payout, reason string) (PayResult, error) {
	res, err := a.needsPerson(ctx, p.RewardID, p.State, reason)
	return res, asTemporal(err)
}

func (a *Activities) needsPerson(ctx context.Context, id reward.ID, state payout.State, reason string) (PayResult, error) {
	res := PayResult{Payout: state, Status: reward.Attention, Reason: reason, Person: true}
	return res, a.ledger.Move(ctx, ledger.Transition{
		ID: id, To: res.Status, Reason: reason, Actor: "pay", Notify: NotifyAttention,
	})
}

func unconfigured(provider string) string {
	return fmt.Sprintf("the provider %q is not configured: add it under providers, or resolve by hand", provider)
}

func deref(res *PayResult) PayResult {
	if res == nil {
		return PayResult{}
	}
	return *res
}
