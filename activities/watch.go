package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// WatchInput says what to look at.
type WatchInput struct {
	// RewardID picks one payout, due or not; zero takes those that are due.
	RewardID reward.ID `json:"reward_id,omitempty"`
}

// WatchResult is what one round of looks came to.
type WatchResult struct {
	Looked   int `json:"looked"`
	Returned int `json:"returned,omitempty"`
	// More says that other payouts are due already.
	More bool `json:"more,omitempty"`
}

const (
	// watchBatch is how many payouts one round looks at.
	watchBatch = 20
	// watchRest is when a payout is looked at again whose provider could not be
	// asked.
	watchRest = time.Hour
	// watchUnknown is how long a payout is watched whose provider is not
	// configured any more.
	watchUnknown = 30 * 24 * time.Hour
)

// Watch looks again at payouts that were delivered, because what was delivered
// can come back: an email account that nobody claims, a payment that is
// reversed. What came back brings its reward to attention, in the provider's
// words. Nothing is paid again by itself, and FirstPromoter is not touched.
func (a *Activities) Watch(ctx context.Context, in WatchInput) (WatchResult, error) {
	payouts, err := a.watched(ctx, in.RewardID)
	if err != nil {
		return WatchResult{}, asTemporal(err)
	}
	asked := in.RewardID != 0
	res := WatchResult{More: !asked && len(payouts) == watchBatch}
	for _, p := range payouts {
		came, err := a.look(ctx, p, asked)
		if err != nil {
			return WatchResult{}, asTemporal(err)
		}
		res.Looked++
		if came {
			res.Returned++
		}
		activity.RecordHeartbeat(ctx, res.Looked)
	}
	return res, nil
}

func (a *Activities) watched(ctx context.Context, id reward.ID) ([]ledger.Payout, error) {
	if id == 0 {
		return a.ledger.DueLooks(ctx, a.now(), watchBatch)
	}
	p, err := a.ledger.Payout(ctx, id)
	if err != nil || p.State != payout.Paid {
		return nil, err
	}
	return []ledger.Payout{p}, nil
}

// look asks the provider once and reports whether the payout came back. A
// provider whose payouts do not come back is asked only when somebody asked
// for this look.
func (a *Activities) look(ctx context.Context, p ledger.Payout, asked bool) (bool, error) {
	now := a.now()
	provider, ok := a.providers[p.Provider]
	if !ok {
		// It may be configured again.
		return false, a.ledger.NextLook(ctx, p.RewardID, payout.Traits{WatchFor: watchUnknown}.NextLook(p.PaidAt, now))
	}
	if provider.Traits().WatchFor <= 0 && !asked {
		return false, a.ledger.NextLook(ctx, p.RewardID, time.Time{})
	}
	req := p.Request
	req.Reference = p.Reference
	finding := lookup(ctx, provider, req, a.cfg.SendTimeout)
	if finding.Answer == payout.FoundFailed {
		// It was delivered before: what failed since has come back.
		finding.Answer = payout.FoundReturned
	}
	activity.GetLogger(ctx).Info("payout.looked_at_again",
		"reward_id", p.RewardID, "provider", p.Provider, "key", p.Request.Key, "answer", finding.Answer, "detail", finding.Detail)

	// What was learned about money is written even if the worker is stopping.
	ctx = context.WithoutCancel(ctx)
	after, err := a.ledger.Found(ctx, p.RewardID, p.Fence, finding, now)
	if err != nil || after.State == payout.Returned {
		return err == nil, err
	}
	next := provider.Traits().NextLook(p.PaidAt, now)
	if finding.Answer == payout.CannotTell {
		next = now.Add(max(finding.RetryAfter, watchRest))
	}
	return false, a.ledger.NextLook(ctx, p.RewardID, next)
}
