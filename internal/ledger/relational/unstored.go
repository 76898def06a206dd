package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// AddUnstored implements ledger.UnstoredLog.
func (l *Ledger) AddUnstored(ctx context.Context, counts []ledger.Unstored) error {
	if len(counts) == 0 {
		return nil
	}
	return l.writer.do(ctx, "ledger.add_unstored", func(ctx context.Context, t *tx) error {
		var failed []any
		for _, c := range counts {
			_, err := t.exec(ctx, `INSERT INTO unstored (hour, answer, reason, type, reward_id, count, first_at, last_at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (hour, answer, reason, type, reward_id) DO UPDATE SET count = unstored.count + excluded.count,
					first_at = CASE WHEN excluded.first_at < unstored.first_at THEN excluded.first_at ELSE unstored.first_at END,
					last_at = CASE WHEN excluded.last_at > unstored.last_at THEN excluded.last_at ELSE unstored.last_at END`,
				millis(c.Hour), c.Answer, c.Reason, c.Type, c.RewardID, c.Count, millis(c.FirstAt), millis(c.LastAt))
			if err != nil {
				return err
			}
			if c.RewardID != 0 && c.Failed() {
				failed = append(failed, c.RewardID)
			}
		}
		if err := t.noticeBudgets(ctx, failed); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM unstored WHERE hour < ?`, millis(t.now.Add(-ledger.UnstoredKept)))
		return err
	})
}

// noticeBudgets tells people once a day of the budgets, of these rewards, that
// are running out. A reward's own row may be missing: its event was never stored.
func (t *tx) noticeBudgets(ctx context.Context, rewards []any) error {
	if len(rewards) == 0 {
		return nil
	}
	rows, err := t.query(ctx, selectBudget+` AND reward_id IN (?`+strings.Repeat(`, ?`, len(rewards)-1)+`)`+eachReward+`
		WHERE b.spent >= ? AND `+stillOpen,
		slices.Concat([]any{millis(t.now.Add(-ledger.RetryDay))}, rewards, []any{ledger.RetryBudgetLow})...)
	low, err := collect(rows, err, scanBudget)
	if err != nil {
		return err
	}
	for _, b := range low {
		body, err := json.Marshal(noticeBody{RewardID: b.RewardID, Reason: fmt.Sprintf(
			"%d of the %d errors that FirstPromoter forgives in a day are spent: its event could not be stored", b.Spent, ledger.RetryBudget)})
		if err != nil {
			return err
		}
		once := fmt.Sprintf("%d-%s", b.RewardID, t.now.Format(time.DateOnly))
		_, err = t.exec(ctx, insertInbox+` ON CONFLICT (type, dedupe) DO NOTHING`,
			ledger.RetryBudgetNotice, once, once, 0, body, "", true, millis(t.now), ledger.RewardSubject(b.RewardID))
		if err != nil {
			return err
		}
	}
	return nil
}

// selectBudget counts the errors of a day by reward. A budget is open while
// nothing was stored since the last error. More conditions of the inner query
// go between it and eachReward.
const (
	stillOpen    = `NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.reward_id = b.reward_id AND d.reward_id <> 0 AND d.at >= b.last_at)`
	selectBudget = `SELECT b.reward_id, b.spent, b.last_at, ` + stillOpen + `
		FROM (SELECT reward_id, sum(count) AS spent, max(last_at) AS last_at FROM unstored
			WHERE reward_id <> 0 AND last_at > ? AND answer NOT BETWEEN 200 AND 299`
	eachReward = ` GROUP BY reward_id) b`
)

func scanBudget(row scanner) (ledger.Budget, error) {
	var b ledger.Budget
	var last int64
	err := row.Scan(&b.RewardID, &b.Spent, &last, &b.Open)
	b.LastError = fromMillis(last)
	return b, err
}

func budget(ctx context.Context, q querier, id reward.ID, now time.Time) (ledger.Budget, error) {
	rows, err := q.query(ctx, selectBudget+` AND reward_id = ?`+eachReward, millis(now.Add(-ledger.RetryDay)), id)
	found, err := collect(rows, err, scanBudget)
	if err != nil || len(found) == 0 {
		return ledger.Budget{RewardID: id}, err
	}
	return found[0], nil
}

// RetryBudget implements ledger.UnstoredLog.
func (l *Ledger) RetryBudget(ctx context.Context, id reward.ID) (ledger.Budget, error) {
	return read(ctx, l, "ledger.retry_budget", func(ctx context.Context, q querier) (ledger.Budget, error) {
		return budget(ctx, q, id, l.writer.now())
	})
}

// OpenBudgets implements ledger.UnstoredLog.
func (l *Ledger) OpenBudgets(ctx context.Context, n int) ([]ledger.Budget, error) {
	return read(ctx, l, "ledger.open_budgets", func(ctx context.Context, q querier) ([]ledger.Budget, error) {
		rows, err := q.query(ctx, selectBudget+eachReward+`
			WHERE `+stillOpen+` ORDER BY b.spent DESC, b.last_at DESC LIMIT ?`, millis(l.writer.now().Add(-ledger.RetryDay)), n)
		return collect(rows, err, scanBudget)
	})
}

// ListUnstored implements ledger.UnstoredLog.
func (l *Ledger) ListUnstored(ctx context.Context, f ledger.LogFilter) ([]ledger.Unstored, error) {
	terms := []string{"1 = 1"}
	var args []any
	add := func(term string, value any) {
		terms = append(terms, term)
		args = append(args, value)
	}
	if f.Type != "" {
		add(`type = ?`, f.Type)
	}
	if f.Answer != 0 {
		add(`answer = ?`, f.Answer)
	}
	if !f.From.IsZero() {
		add(`last_at >= ?`, millis(f.From))
	}
	if !f.To.IsZero() {
		add(`first_at < ?`, millis(f.To))
	}
	query := `SELECT hour, answer, reason, type, reward_id, count, first_at, last_at FROM unstored
		WHERE ` + strings.Join(terms, ` AND `) + ` ORDER BY hour DESC, last_at DESC, answer, reason, type, reward_id LIMIT ?`
	args = append(args, pageLimit(f.Limit))
	return read(ctx, l, "ledger.list_unstored", func(ctx context.Context, q querier) ([]ledger.Unstored, error) {
		rows, err := q.query(ctx, query, args...)
		return collect(rows, err, scanUnstored)
	})
}

func scanUnstored(row scanner) (ledger.Unstored, error) {
	var u ledger.Unstored
	var hour, first, last int64
	err := row.Scan(&hour, &u.Answer, &u.Reason, &u.Type, &u.RewardID, &u.Count, &first, &last)
	u.Hour, u.FirstAt, u.LastAt = fromMillis(hour), fromMillis(first), fromMillis(last)
	return u, err
}
