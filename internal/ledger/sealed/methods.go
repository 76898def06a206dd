package sealed

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Accept implements ledger.Inbox.
func (l *Ledger) Accept(ctx context.Context, ev ledger.Event, closeByAnswerAfter time.Duration) (ledger.Receipt, error) {
	ev, err := l.sealEvent(ctx, ev)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return l.Ledger.Accept(ctx, ev, closeByAnswerAfter)
}

// Fold implements ledger.Inbox.
func (l *Ledger) Fold(ctx context.Context, events []ledger.Spooled) error {
	events = slices.Clone(events)
	for i := range events {
		var err error
		if events[i].Event, err = l.sealEvent(ctx, events[i].Event); err != nil {
			return err
		}
	}
	return l.Ledger.Fold(ctx, events)
}

// Announce implements ledger.Inbox.
func (l *Ledger) Announce(ctx context.Context, ev ledger.Event) (bool, error) {
	ev, err := l.sealEvent(ctx, ev)
	if err != nil {
		return false, err
	}
	return l.Ledger.Announce(ctx, ev)
}

// Lease implements ledger.Inbox. A row whose body does not open keeps nobody
// else's back: it is postponed, and says why. The error of a lease in which none
// opens is the first one's.
func (l *Ledger) Lease(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Pending, error) {
	rows, err := l.Ledger.Lease(ctx, owner, n, ttl)
	if err != nil {
		return nil, err
	}
	var first error
	opened := make([]ledger.Pending, 0, len(rows))
	for _, row := range rows {
		body, err := l.openBody(ctx, row.Body)
		if err == nil {
			row.Body = body
			opened = append(opened, row)
			continue
		}
		if err := l.Postpone(ctx, row.Inbox, ledger.LongestPause, "the event cannot be decrypted: "+fault.Message(err)); err != nil {
			return nil, err // The lease ends by itself.
		}
		if first == nil {
			first = err
		}
	}
	if len(opened) == 0 {
		return nil, first
	}
	return opened, nil
}

// LeaseReplays implements ledger.Replays.
func (l *Ledger) LeaseReplays(ctx context.Context, owner string, n int, ttl time.Duration) ([]ledger.Replayable, error) {
	rows, err := l.Ledger.LeaseReplays(ctx, owner, n, ttl)
	for i := range rows {
		if rows[i].Event.Body, err = l.openBody(ctx, rows[i].Event.Body); err != nil {
			return nil, err // The lease ends by itself.
		}
	}
	return rows, err
}

// Event implements ledger.Inbox.
func (l *Ledger) Event(ctx context.Context, inbox int64) (ledger.Pending, error) {
	p, err := l.Ledger.Event(ctx, inbox)
	if err != nil {
		return p, err
	}
	p.Body, err = l.openBody(ctx, p.Body)
	return p, err
}

// EventFile implements ledger.Log.
func (l *Ledger) EventFile(ctx context.Context, inbox int64) (ledger.LoggedFile, error) {
	f, err := l.Ledger.EventFile(ctx, inbox)
	if err != nil {
		return f, err
	}
	f.Body, err = l.openBody(ctx, f.Body)
	return f, err
}

// Notification implements ledger.Notifications.
func (l *Ledger) Notification(ctx context.Context, q ledger.NotificationQuery) (ledger.Notification, error) {
	n, err := l.Ledger.Notification(ctx, q)
	if err != nil {
		return n, err
	}
	n.Event.Body, err = l.openBody(ctx, n.Event.Body)
	return n, err
}

// Reward implements ledger.Rewards.
func (l *Ledger) Reward(ctx context.Context, id reward.ID) (ledger.Record, error) {
	r, err := l.Ledger.Reward(ctx, id)
	if err != nil {
		return r, err
	}
	return r, l.openRecord(ctx, &r)
}

// ListRewards implements ledger.Rewards.
func (l *Ledger) ListRewards(ctx context.Context, f ledger.Filter) ([]ledger.Record, error) {
	if text := strings.TrimSpace(f.Search); text != "" {
		// Not sealerFor: a search makes no key.
		switch k, err := l.WritingKey(ctx, subjectMarks); {
		case err == nil:
			s, err := l.openKey(k)
			if err != nil {
				return nil, err
			}
			f.SearchAlso = s.Mark(useCustID, text)
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	rows, err := l.Ledger.ListRewards(ctx, f)
	for i := range rows {
		if err := l.openRecord(ctx, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, err
}

// LatestClaim implements ledger.Rewards.
func (l *Ledger) LatestClaim(ctx context.Context, id reward.ID) (ledger.Claimed, error) {
	c, err := l.Ledger.LatestClaim(ctx, id)
	if err != nil {
		return c, err
	}
	return c, l.openPromoter(ctx, &c.Reward.Promoter)
}

// Assess implements ledger.Rewards.
func (l *Ledger) Assess(ctx context.Context, a ledger.Assessment, actor string) error {
	if l.writes {
		promoter := a.Reward.Promoter
		var err error
		if a.Reward.Promoter, err = l.sealPromoter(ctx, promoter); err != nil {
			return err
		}
		if a.Facts, err = l.seal(ctx, ledger.PromoterSubject(promoter.ID), useFacts, a.Facts); err != nil {
			return err
		}
	}
	return l.Ledger.Assess(ctx, a, actor)
}

// Past implements ledger.History. The promoter may have been paid before there
// were keys, so both forms are looked for.
func (l *Ledger) Past(ctx context.Context, q ledger.PastQuery) (ledger.Past, error) {
	_, err := l.WritingKey(ctx, ledger.PromoterSubject(q.Reward.Promoter.ID))
	if fault.Is(err, fault.NotFound) {
		return l.Ledger.Past(ctx, q) // Nothing of the promoter's is sealed.
	}
	if err != nil {
		return ledger.Past{}, err
	}
	inSeals, err := l.sealPromoter(ctx, q.Reward.Promoter)
	if err != nil {
		return ledger.Past{}, err
	}
	q.Also = &inSeals
	return l.Ledger.Past(ctx, q)
}

// Reserve implements ledger.Payouts.
func (l *Ledger) Reserve(ctx context.Context, r ledger.Reservation) (ledger.Payout, error) {
	r, err := l.sealRequest(ctx, r)
	if err != nil {
		return ledger.Payout{}, err
	}
	p, err := l.Ledger.Reserve(ctx, r)
	return l.openPayout(ctx, p, err)
}

// NewGeneration implements ledger.Payouts.
func (l *Ledger) NewGeneration(ctx context.Context, r ledger.Reservation, actor string) (ledger.Payout, error) {
	r, err := l.sealRequest(ctx, r)
	if err != nil {
		return ledger.Payout{}, err
	}
	p, err := l.Ledger.NewGeneration(ctx, r, actor)
	return l.openPayout(ctx, p, err)
}

// Payout implements ledger.Payouts.
func (l *Ledger) Payout(ctx context.Context, id reward.ID) (ledger.Payout, error) {
	p, err := l.Ledger.Payout(ctx, id)
	return l.openPayout(ctx, p, err)
}

// Claim implements ledger.Payouts. The key is looked at before the fence is taken,
// so that a missing one takes nothing.
func (l *Ledger) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	if _, err := l.Payout(ctx, id); err != nil {
		return ledger.Claim{}, err
	}
	c, err := l.Ledger.Claim(ctx, id, caps, now, deadline)
	if err != nil {
		return c, err
	}
	c.Payout, err = l.openPayout(ctx, c.Payout, nil)
	return c, err
}

// Finish implements ledger.Payouts.
func (l *Ledger) Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (ledger.Payout, error) {
	p, err := l.Ledger.Finish(ctx, a, out)
	return l.openPayout(ctx, p, err)
}

// Expire implements ledger.Payouts.
func (l *Ledger) Expire(ctx context.Context, id reward.ID, now time.Time) (ledger.Payout, error) {
	p, err := l.Ledger.Expire(ctx, id, now)
	return l.openPayout(ctx, p, err)
}

// Found implements ledger.Payouts.
func (l *Ledger) Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (ledger.Payout, error) {
	p, err := l.Ledger.Found(ctx, id, fence, f, at)
	return l.openPayout(ctx, p, err)
}

// Rearm implements ledger.Payouts.
func (l *Ledger) Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (ledger.Payout, error) {
	p, err := l.Ledger.Rearm(ctx, id, fence, reason)
	return l.openPayout(ctx, p, err)
}

// PayByHand implements ledger.Payouts.
func (l *Ledger) PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (ledger.Payout, error) {
	p, err := l.Ledger.PayByHand(ctx, id, actor, reference, at)
	return l.openPayout(ctx, p, err)
}

// DueLooks implements ledger.Watch.
func (l *Ledger) DueLooks(ctx context.Context, now time.Time, n int) ([]ledger.Payout, error) {
	rows, err := l.Ledger.DueLooks(ctx, now, n)
	for i := range rows {
		if err := l.openRequest(ctx, rows[i].RewardID, &rows[i].Request); err != nil {
			return nil, err
		}
	}
	return rows, err
}

// PayoutByKey implements ledger.Watch.
func (l *Ledger) PayoutByKey(ctx context.Context, key string) (ledger.Payout, error) {
	p, err := l.Ledger.PayoutByKey(ctx, key)
	return l.openPayout(ctx, p, err)
}

// ListPayouts implements ledger.Statement.
func (l *Ledger) ListPayouts(ctx context.Context, f ledger.PayoutFilter, after ledger.PayoutCursor, limit int) ([]ledger.Entry, error) {
	rows, err := l.Ledger.ListPayouts(ctx, f, after, limit)
	for i := range rows {
		if err := l.openRequest(ctx, rows[i].Payout.RewardID, &rows[i].Payout.Request); err != nil {
			return nil, err
		}
		if err := l.openPromoter(ctx, &rows[i].Promoter); err != nil {
			return nil, err
		}
		if err := l.openResolution(ctx, &rows[i].Resolution); err != nil {
			return nil, err
		}
	}
	return rows, err
}

// Decide implements ledger.Decisions.
func (l *Ledger) Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error) {
	if l.writes {
		var err error
		if d.Comment, err = l.seal(ctx, subjectRecord, useComment, d.Comment); err != nil {
			return ledger.Tally{}, err
		}
	}
	t, err := l.Ledger.Decide(ctx, d, acceptUnverified)
	if err != nil {
		return t, err
	}
	return t, l.openComment(ctx, &t.Decision.Comment)
}

// TallyOf implements ledger.Decisions.
func (l *Ledger) TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error) {
	t, err := l.Ledger.TallyOf(ctx, id)
	if err != nil {
		return t, err
	}
	return t, l.openComment(ctx, &t.Decision.Comment)
}

// DecisionsOf implements ledger.Decisions.
func (l *Ledger) DecisionsOf(ctx context.Context, id reward.ID) ([]ledger.Recorded, error) {
	rows, err := l.Ledger.DecisionsOf(ctx, id)
	return l.openDecisions(ctx, rows, err)
}

// Undelivered implements ledger.Decisions.
func (l *Ledger) Undelivered(ctx context.Context, before time.Time, n int) ([]ledger.Recorded, error) {
	rows, err := l.Ledger.Undelivered(ctx, before, n)
	return l.openDecisions(ctx, rows, err)
}

func (l *Ledger) openDecisions(ctx context.Context, rows []ledger.Recorded, err error) ([]ledger.Recorded, error) {
	for i := range rows {
		if err := l.openComment(ctx, &rows[i].Comment); err != nil {
			return nil, err
		}
	}
	return rows, err
}

// RecordResolution implements ledger.Decisions.
func (l *Ledger) RecordResolution(ctx context.Context, r reward.Resolution) error {
	if l.writes {
		var err error
		if r.Comment, err = l.seal(ctx, subjectRecord, useComment, r.Comment); err != nil {
			return err
		}
		if r.Evidence, err = l.seal(ctx, subjectRecord, useComment, r.Evidence); err != nil {
			return err
		}
	}
	return l.Ledger.RecordResolution(ctx, r)
}

// Resolution implements ledger.Decisions.
func (l *Ledger) Resolution(ctx context.Context, id string) (reward.Resolution, error) {
	r, err := l.Ledger.Resolution(ctx, id)
	if err != nil {
		return r, err
	}
	return r, l.openResolution(ctx, &r)
}

// ResolutionsOf implements ledger.Decisions.
func (l *Ledger) ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error) {
	rows, err := l.Ledger.ResolutionsOf(ctx, id)
	for i := range rows {
		if err := l.openResolution(ctx, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, err
}

func (l *Ledger) openResolution(ctx context.Context, r *reward.Resolution) error {
	if err := l.openComment(ctx, &r.Comment); err != nil {
		return err
	}
	return l.openComment(ctx, &r.Evidence)
}
