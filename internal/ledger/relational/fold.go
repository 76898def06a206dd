package relational

import (
	"context"
	"net/http"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Fold implements ledger.Inbox.
func (l *Ledger) Fold(ctx context.Context, events []ledger.Spooled) error {
	const op = "ledger.fold"
	for _, s := range events {
		if err := usable(op, s.Event); err != nil {
			return err
		}
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		for _, s := range events {
			if err := t.fold(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// fold is accept for an event that was answered already.
func (t *tx) fold(ctx context.Context, s ledger.Spooled) error {
	then := *t
	// A clock that was stepped back since must not date an event in the future.
	if at := s.At.UTC(); at.Before(t.now) {
		then.now = at
	}
	var id reward.ID
	if s.Event.Reward != nil {
		id = s.Event.Reward.Reward.ID
	}
	receipt, err := then.store(ctx, s.Event, id)
	if err != nil {
		return err
	}
	if s.Event.Reward != nil {
		old, err := then.supersededClaim(ctx, id)
		if err != nil {
			return err
		}
		if _, err := then.claimed(ctx, *s.Event.Reward, receipt.Duplicate || old); err != nil {
			return err
		}
	}
	return then.delivered(ctx, s.Event, id, receipt, http.StatusAccepted)
}

// supersededClaim reports whether the reward was delivered after this event.
func (t *tx) supersededClaim(ctx context.Context, id reward.ID) (bool, error) {
	var newer bool
	err := t.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM deliveries WHERE reward_id = ? AND reward_id <> 0 AND at > ?)`, id, millis(t.now)).Scan(&newer)
	return newer, err
}
