package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

const selectRecord = `SELECT r.id, r.amount, r.unit, r.currency, r.promoter_id, r.promoter_cust_id, r.promoter_email,
	r.campaign_id, r.campaign_name, r.defect, r.verified, r.status, r.reason, r.provider, r.digest, r.policy_version,
	r.rule, r.facts, r.approvals, r.role, r.excluded, r.waits, r.hold_until, r.next_timer, r.received_at, r.updated_at,
	r.closing_by, r.close_call, r.close_fence, r.close_deadline, r.closed_at, coalesce(p.paid_at, 0),
	coalesce(p.state, ''), coalesce(p.provider, '')
	FROM rewards r LEFT JOIN payouts p ON p.reward_id = r.id`

func scanRecord(row scanner) (ledger.Record, error) {
	var r ledger.Record
	var excluded, waits []byte
	var holdUntil, nextTimer, receivedAt, updatedAt, deadline, closedAt, paidAt int64
	err := row.Scan(&r.Reward.ID, &r.Reward.Quantity.Amount, &r.Reward.Quantity.Unit, &r.Reward.Quantity.Currency,
		&r.Reward.Promoter.ID, &r.Reward.Promoter.CustID, &r.Reward.Promoter.Email,
		&r.Reward.Campaign.ID, &r.Reward.Campaign.Name, &r.Defect, &r.Verified, &r.Status, &r.Reason,
		&r.Provider, &r.Digest, &r.PolicyVersion, &r.Rule, &r.Facts, &r.Approvals, &r.Role, &excluded, &waits,
		&holdUntil, &nextTimer, &receivedAt, &updatedAt,
		&r.Closing.By, &r.Closing.Call, &r.Closing.Fence, &deadline, &closedAt, &paidAt,
		&r.Payout, &r.PaidBy)
	if err != nil {
		return ledger.Record{}, err
	}
	r.HoldUntil, r.NextTimer = fromMillis(holdUntil), fromMillis(nextTimer)
	r.ReceivedAt, r.UpdatedAt = fromMillis(receivedAt), fromMillis(updatedAt)
	r.Closing.Deadline, r.Closing.ClosedAt = fromMillis(deadline), fromMillis(closedAt)
	r.Closing.PaidAt = fromMillis(paidAt)
	if err := json.Unmarshal(excluded, &r.Excluded); err != nil {
		return ledger.Record{}, err
	}
	return r, json.Unmarshal(waits, &r.Waits)
}

// record returns fault.NotFound when there is no such reward.
func record(ctx context.Context, q querier, id reward.ID) (ledger.Record, error) {
	r, err := scanRecord(q.queryRow(ctx, selectRecord+` WHERE r.id = ?`, id))
	return r, orUnknownReward(err, id)
}

// orUnknownReward turns "no row" into fault.NotFound.
func orUnknownReward(err error, id reward.ID) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("ledger.reward", fmt.Sprintf("the ledger has no reward %d", id))
	}
	return err
}

// Reward implements ledger.Rewards.
func (l *Ledger) Reward(ctx context.Context, id reward.ID) (ledger.Record, error) {
	return read(ctx, l, "ledger.reward", func(ctx context.Context, q querier) (ledger.Record, error) {
		return record(ctx, q, id)
	})
}

// LatestClaim implements ledger.Rewards.
func (l *Ledger) LatestClaim(ctx context.Context, id reward.ID) (ledger.Claimed, error) {
	return read(ctx, l, "ledger.latest_claim", func(ctx context.Context, q querier) (ledger.Claimed, error) {
		return latestClaim(ctx, q, id)
	})
}

func latestClaim(ctx context.Context, q querier, id reward.ID) (ledger.Claimed, error) {
	var c ledger.Claimed
	var claim []byte
	err := q.queryRow(ctx, `SELECT claim, defect FROM rewards WHERE id = ?`, id).Scan(&claim, &c.Defect)
	if err != nil {
		return ledger.Claimed{}, orUnknownReward(err, id)
	}
	return c, json.Unmarshal(claim, &c.Reward)
}

// Changes implements ledger.Rewards.
func (l *Ledger) Changes(ctx context.Context, id reward.ID) ([]ledger.Change, error) {
	return listOf(ctx, l, "ledger.changes", id, `SELECT at, from_status, to_status, reason, actor
		FROM changes WHERE reward_id = ? ORDER BY id`, func(row scanner) (ledger.Change, error) {
		var c ledger.Change
		var at int64
		err := row.Scan(&at, &c.From, &c.To, &c.Reason, &c.Actor)
		c.At = fromMillis(at)
		return c, err
	})
}

// Deliveries implements ledger.Rewards.
func (l *Ledger) Deliveries(ctx context.Context, id reward.ID) ([]ledger.Delivery, error) {
	return listOf(ctx, l, "ledger.deliveries", id, `SELECT d.at, i.type, i.event_id, d.answer, d.duplicate, i.workflow_id, i.dispatched_at
		FROM deliveries d JOIN inbox i ON i.id = d.inbox_id
		WHERE d.reward_id = ? AND d.reward_id <> 0 ORDER BY d.id`, func(row scanner) (ledger.Delivery, error) {
		var d ledger.Delivery
		var at, dispatchedAt int64
		err := row.Scan(&at, &d.Type, &d.EventID, &d.Answer, &d.Duplicate, &d.WorkflowID, &dispatchedAt)
		d.At, d.DispatchedAt = fromMillis(at), fromMillis(dispatchedAt)
		return d, err
	})
}

// listOf reads rows that belong to a reward, which must exist.
func listOf[T any](
	ctx context.Context, l *Ledger, op string, id reward.ID, query string, scan func(scanner) (T, error),
) ([]T, error) {
	return read(ctx, l, op, func(ctx context.Context, q querier) ([]T, error) {
		if _, err := statusOfReward(ctx, q, id); err != nil {
			return nil, err
		}
		rows, err := q.query(ctx, query, id)
		return collect(rows, err, scan)
	})
}

// Summary implements ledger.Rewards.
func (l *Ledger) Summary(ctx context.Context) ([]ledger.Total, []ledger.PaidTotal, error) {
	totals, err := read(ctx, l, "ledger.summary", totalsByStatus)
	if err != nil {
		return nil, nil, err
	}
	paid, err := read(ctx, l, "ledger.summary", paidTotals)
	return totals, paid, err
}

func totalsByStatus(ctx context.Context, q querier) ([]ledger.Total, error) {
	rows, err := q.query(ctx, `SELECT status, count(*), min(status_since) FROM rewards GROUP BY status`)
	totals, err := collect(rows, err, func(row scanner) (ledger.Total, error) {
		var t ledger.Total
		var oldest int64
		err := row.Scan(&t.Status, &t.Count, &oldest)
		t.Oldest = fromMillis(oldest)
		return t, err
	})
	order := reward.Statuses()
	slices.SortFunc(totals, func(a, b ledger.Total) int {
		return slices.Index(order, a.Status) - slices.Index(order, b.Status)
	})
	return totals, err
}

// PaidBetween implements ledger.Rewards.
func (l *Ledger) PaidBetween(ctx context.Context, from, to time.Time) ([]ledger.PaidTotal, error) {
	return read(ctx, l, "ledger.paid_between", func(ctx context.Context, q querier) ([]ledger.PaidTotal, error) {
		return sumPaid(ctx, q, ` AND p.paid_at >= ? AND p.paid_at < ?`, millis(from), millis(to))
	})
}

func paidTotals(ctx context.Context, q querier) ([]ledger.PaidTotal, error) {
	return sumPaid(ctx, q, ``)
}

// sumPaid sums what is paid under a further condition, which is made of
// constant words.
func sumPaid(ctx context.Context, q querier, condition string, args ...any) ([]ledger.PaidTotal, error) {
	rows, err := q.query(ctx, `SELECT g.unit, g.currency, count(*), sum(g.amount)
		FROM payouts p JOIN payout_generations g ON g.reward_id = p.reward_id AND g.generation = p.generation
		WHERE p.state = ?`+condition+` GROUP BY g.unit, g.currency ORDER BY g.unit, g.currency`,
		append([]any{payout.Paid}, args...)...)
	return collect(rows, err, func(row scanner) (ledger.PaidTotal, error) {
		var t ledger.PaidTotal
		err := row.Scan(&t.Unit, &t.Currency, &t.Count, &t.Amount)
		return t, err
	})
}
