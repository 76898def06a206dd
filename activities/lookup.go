package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
)

// LookUp finds out what became of a payout that was sent: one whose outcome
// is unknown, or one that the provider accepted and settles later. It sends
// nothing that could pay.
//
// Its conclusions are the protocol of reference payouts 5.1: what is found is
// adopted; what is surely absent may be sent again with the same key and the
// same bytes, inside the provider's window; everything else waits, and outside
// the window a person decides.
func (a *Activities) LookUp(ctx context.Context, in PayInput) (PayResult, error) {
	now := a.now()
	p, err := a.ledger.Expire(ctx, in.RewardID, now)
	if err != nil {
		return PayResult{}, asTemporal(err)
	}
	switch p.State {
	case payout.Unknown, payout.Settling, payout.Conflicted:
	case payout.Submitting:
		// Its attempt may still be on the wire.
		res, err := a.stands(ctx, p)
		res.Again = a.cfg.SendTimeout
		return res, err
	case payout.Reserved, payout.Paid, payout.Refused, payout.Returned:
		return a.stands(ctx, p)
	}
	provider, ok := a.providers[p.Provider]
	if !ok {
		return a.attention(ctx, p, unconfigured(p.Provider))
	}

	req := p.Request
	req.Reference = p.Reference
	finding := lookup(ctx, provider, req, a.cfg.SendTimeout)
	activity.GetLogger(ctx).Info("payout.looked_up",
		"reward_id", in.RewardID, "provider", p.Provider, "key", p.Request.Key, "answer", finding.Answer, "detail", finding.Detail)
	before := p.State
	p, err = a.ledger.Found(context.WithoutCancel(ctx), in.RewardID, p.Fence, finding, now)
	switch {
	case err != nil:
		return PayResult{}, asTemporal(err)
	case p.State != before, before == payout.Conflicted:
		return a.stands(ctx, p)
	case p.State == payout.Settling:
		return a.poll(ctx, p, provider.Traits(), finding, in.Try)
	}
	return a.resolve(ctx, p, provider.Traits(), finding, in.Try)
}

func lookup(ctx context.Context, provider payout.Provider, req payout.Request, timeout time.Duration) payout.Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return provider.Lookup(ctx, req)
}

// poll says when to look again at a payout that settles later.
func (a *Activities) poll(ctx context.Context, p ledger.Payout, traits payout.Traits, f payout.Finding, try int) (PayResult, error) {
	if f.Answer == payout.Absent {
		return a.attention(ctx, p, p.Provider+" accepted it as "+p.Reference+" and says now that it does not know it: "+f.Detail)
	}
	res, err := a.stands(ctx, p)
	if !res.Person {
		res.Again = max(f.RetryAfter, pollPause(traits.PollEvery, try))
	}
	return res, err
}

// pollPause doubles the provider's own pause up to an hour.
func pollPause(first time.Duration, try int) time.Duration {
	if first <= 0 {
		first = time.Minute
	}
	pause := first
	for n := 1; n < try && pause < time.Hour; n++ {
		pause *= 2
	}
	return min(pause, time.Hour)
}

// resolve judges a look-up that found nothing for an unknown outcome.
func (a *Activities) resolve(ctx context.Context, p ledger.Payout, traits payout.Traits, f payout.Finding, try int) (PayResult, error) {
	now := a.now()
	open := traits.MayResend(p.FirstSentAt, now)
	absent := f.Answer == payout.Absent
	settled := p.UpdatedAt.Add(traits.SettleDelay)
	if absent && now.Before(settled) {
		// The first request may still be running over there.
		res, err := a.stands(ctx, p)
		res.Again = settled.Sub(now)
		return res, err
	}
	blind := traits.ResendBlind && try >= blindAfter && !now.Before(settled)
	switch {
	case open && (absent || blind):
		reason := fmt.Sprintf("look-up: %s; the same key may be sent again", f.Answer)
		p, err := a.ledger.Rearm(ctx, p.RewardID, p.Fence, reason)
		if err != nil {
			return PayResult{}, asTemporal(err)
		}
		return a.stands(ctx, p)
	case !open:
		return a.attention(ctx, p, fmt.Sprintf("%s may have paid it and cannot be asked with certainty (%s), and its idempotency window has closed: "+
			"look there for the key %s, then resolve as paid or abandon", p.Provider, f.Detail, p.Request.Key))
	}
	res, err := a.stands(ctx, p)
	res.Reason = p.Provider + " cannot tell yet whether it paid: " + f.Detail
	res.Again = f.RetryAfter
	return res, err
}
