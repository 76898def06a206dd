package relational

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rewardflow/rewardflow/internal/reward"
)

const selectResolution = `SELECT id, reward_id, action, provider, reference, evidence, comment, person, verified, at FROM resolutions`

func scanResolution(row scanner) (reward.Resolution, error) {
	var r reward.Resolution
	var at int64
	err := row.Scan(&r.ID, &r.RewardID, &r.Action, &r.Provider, &r.Reference, &r.Evidence, &r.Comment, &r.By, &r.Verified, &at)
	r.At = fromMillis(at)
	return r, err
}

// RecordResolution implements ledger.Decisions. A reward that is not there is
// fault.NotFound; an ID that was used for another reward is fault.Conflict.
func (l *Ledger) RecordResolution(ctx context.Context, r reward.Resolution) error {
	const op = "ledger.record_resolution"
	if r.ID == "" || r.Action == "" {
		return invalid(op, "the resolution has no ID or no action")
	}
	return l.writer.do(ctx, op, func(ctx context.Context, t *tx) error {
		if _, err := statusOfReward(ctx, t, r.RewardID); err != nil {
			return err
		}
		if r.At.IsZero() {
			r.At = t.now
		}
		n, err := t.exec(ctx, `INSERT INTO resolutions
			(id, reward_id, action, provider, reference, evidence, comment, person, verified, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			r.ID, r.RewardID, r.Action, r.Provider, r.Reference, r.Evidence, r.Comment, r.By, r.Verified, millis(r.At))
		if err != nil || n == 1 {
			return err
		}
		earlier, err := resolution(ctx, t, op, r.ID)
		if err == nil && earlier.RewardID != r.RewardID {
			err = conflict(op, "the resolution's ID was used for another reward")
		}
		return err
	})
}

func resolution(ctx context.Context, q querier, op, id string) (reward.Resolution, error) {
	r, err := scanResolution(q.queryRow(ctx, selectResolution+` WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = notFound(op, "the ledger has no such resolution")
	}
	return r, err
}

// Resolution implements ledger.Decisions.
func (l *Ledger) Resolution(ctx context.Context, id string) (reward.Resolution, error) {
	const op = "ledger.resolution"
	return read(ctx, l, op, func(ctx context.Context, q querier) (reward.Resolution, error) {
		return resolution(ctx, q, op, id)
	})
}

// ResolutionsOf implements ledger.Decisions.
func (l *Ledger) ResolutionsOf(ctx context.Context, id reward.ID) ([]reward.Resolution, error) {
	return listOf(ctx, l, "ledger.resolutions", id, selectResolution+` WHERE reward_id = ? ORDER BY seq`, scanResolution)
}
