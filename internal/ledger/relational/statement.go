package relational

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// leftAt is ledger.Entry's At. The index payouts_statement is on this very
// expression.
const leftAt = `CASE WHEN p.paid_at <> 0 THEN p.paid_at ELSE p.spent_at END`

// fromPayouts joins what is summed. CROSS JOIN keeps the order of the tables
// (https://www.sqlite.org/optoverview.html, "Manual Control Of Query Plans
// Using CROSS JOIN"): the index of the first is the order of the list.
const fromPayouts = ` FROM payouts p
	CROSS JOIN payout_generations g ON g.reward_id = p.reward_id AND g.generation = p.generation`

// Promoter and campaign are those of reserve. The request's body stays where
// it is: it is the provider's business.
const selectEntry = `SELECT ` + leftAt + `, p.reward_id, p.generation, p.provider, g.amount, g.unit, g.currency, g.key,
	g.destination, p.state, p.fence, p.reference, p.detail, g.reserved_at, p.first_sent_at, p.spent_at, p.updated_at,
	p.paid_at, p.look_at, p.doubt, r.status, p.promoter_id, r.promoter_cust_id, r.promoter_email, p.campaign_id, r.campaign_name,
	r.policy_version, r.rule, r.closed_at` + fromPayouts + ` CROSS JOIN rewards r ON r.id = p.reward_id`

func scanEntry(row scanner) (ledger.Entry, error) {
	var e ledger.Entry
	var at, reservedAt, firstSentAt, lastSentAt, updatedAt, paidAt, lookAt, closedAt int64
	p := &e.Payout
	err := row.Scan(&at, &p.RewardID, &p.Generation, &p.Provider, &p.Quantity.Amount, &p.Quantity.Unit, &p.Quantity.Currency,
		&p.Request.Key, &p.Request.Destination, &p.State, &p.Fence, &p.Reference, &p.Detail, &reservedAt, &firstSentAt,
		&lastSentAt, &updatedAt, &paidAt, &lookAt, &p.Doubt, &e.Status, &e.Promoter.ID, &e.Promoter.CustID, &e.Promoter.Email,
		&e.Campaign.ID, &e.Campaign.Name, &e.PolicyVersion, &e.Rule, &closedAt)
	p.ReservedAt, p.FirstSentAt = fromMillis(reservedAt), fromMillis(firstSentAt)
	p.UpdatedAt, p.PaidAt, p.NextLook = fromMillis(updatedAt), fromMillis(paidAt), fromMillis(lookAt)
	e.At, e.LastSentAt, e.ClosedAt = fromMillis(at), fromMillis(lastSentAt), fromMillis(closedAt)
	e.Money = ledger.MoneyOf(p.State, p.Doubt)
	return e, err
}

// ListPayouts implements ledger.Statement.
func (l *Ledger) ListPayouts(
	ctx context.Context, f ledger.PayoutFilter, after ledger.PayoutCursor, limit int,
) ([]ledger.Entry, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	query, args := statementPage(f, after, min(limit, maxLimit))
	return snapshot(ctx, l, "ledger.list_payouts", func(ctx context.Context, q querier) ([]ledger.Entry, error) {
		rows, err := q.query(ctx, query, args...)
		entries, err := collect(rows, err, scanEntry)
		if err != nil || len(entries) == 0 {
			return nil, err
		}
		return entries, fillEntries(ctx, q, entries)
	})
}

func statementPage(f ledger.PayoutFilter, after ledger.PayoutCursor, limit int) (string, []any) {
	if f.From.Before(after.At) {
		f.From = after.At // The one lower bound of the index: of two, SQLite takes any.
	}
	where, args := statementConditions(f)
	if after != (ledger.PayoutCursor{}) {
		where += ` AND (` + leftAt + ` > ? OR ` + leftAt + ` = ? AND p.reward_id > ?)`
		args = append(args, millis(after.At), millis(after.At), after.RewardID)
	}
	return selectEntry + where + ` ORDER BY ` + leftAt + `, p.reward_id LIMIT ?`, append(args, limit)
}

// statementConditions returns the WHERE clause of a filter. It is built of
// constant words only; every value is an argument.
func statementConditions(f ledger.PayoutFilter) (string, []any) {
	where := ` WHERE p.spent_at <> 0`
	var args []any
	add := func(term string, values ...any) {
		where += ` AND ` + term
		args = append(args, values...)
	}
	if !f.From.IsZero() {
		add(leftAt+` >= ?`, millisUp(f.From))
	}
	if !f.To.IsZero() {
		add(leftAt+` < ?`, millisUp(f.To))
	}
	if len(f.States) > 0 {
		add(`p.state IN (` + marks(len(f.States)) + `)`)
		for _, state := range f.States {
			args = append(args, state)
		}
	} else {
		// Everything but ledger.MoneyStayed.
		add(`p.state <> ? AND (p.state <> ? OR p.doubt = ?)`, payout.Refused, payout.Reserved, ledger.DoubtBlind)
	}
	if f.Unit != "" {
		add(`g.unit = ?`, f.Unit)
	}
	if f.Provider != "" {
		add(`p.provider = ?`, f.Provider)
	}
	return where, args
}

// millisUp rounds up to the ledger's precision: a bound between two
// milliseconds excludes the one before it.
func millisUp(t time.Time) int64 {
	at := millis(t)
	if fromMillis(at).Before(t) {
		at++
	}
	return at
}

// marks returns n placeholders; n is above zero.
func marks(n int) string { return `?` + strings.Repeat(`, ?`, n-1) }

// fillEntries adds what stands in other tables, for all entries at once.
func fillEntries(ctx context.Context, q querier, entries []ledger.Entry) error {
	of := make(map[reward.ID]*ledger.Entry, len(entries))
	ids := make([]any, 0, len(entries))
	for i := range entries {
		of[entries[i].Payout.RewardID] = &entries[i]
		ids = append(ids, entries[i].Payout.RewardID)
	}
	for _, fill := range []func(context.Context, querier, map[reward.ID]*ledger.Entry, []any) error{
		fillApprovals, fillReferences, fillReturns, fillResolutions,
	} {
		if err := fill(ctx, q, of, ids); err != nil {
			return err
		}
	}
	return nil
}

// fillApprovals adds the approvals that tallyOf counts.
func fillApprovals(ctx context.Context, q querier, of map[reward.ID]*ledger.Entry, ids []any) error {
	type approval struct {
		id reward.ID
		ledger.Approval
	}
	rows, err := q.query(ctx, `SELECT d.reward_id, d.person, d.verified, d.at
		FROM decisions d JOIN rewards r ON r.id = d.reward_id
		WHERE d.reward_id IN (`+marks(len(ids))+`) AND d.counted = 1 AND d.verdict = ? AND d.digest = r.digest
		ORDER BY d.seq`, append(slices.Clone(ids), reward.Approve)...)
	approvals, err := collect(rows, err, func(row scanner) (approval, error) {
		var a approval
		var at int64
		err := row.Scan(&a.id, &a.By, &a.Verified, &at)
		a.At = fromMillis(at)
		return a, err
	})
	for _, a := range approvals {
		of[a.id].Approvals = append(of[a.id].Approvals, a.Approval)
	}
	return err
}

// fillReferences adds the references of other attempts, and whose word the
// payout's own rests on.
func fillReferences(ctx context.Context, q querier, of map[reward.ID]*ledger.Entry, ids []any) error {
	type found struct {
		id        reward.ID
		kind      ledger.AttemptKind
		reference string
	}
	rows, err := q.query(ctx, `SELECT reward_id, kind, reference FROM attempts
		WHERE reward_id IN (`+marks(len(ids))+`) AND reference <> '' ORDER BY reward_id, number`, ids...)
	all, err := collect(rows, err, func(row scanner) (found, error) {
		var f found
		err := row.Scan(&f.id, &f.kind, &f.reference)
		return f, err
	})
	for _, f := range all {
		e := of[f.id]
		switch {
		case f.reference != e.Payout.Reference:
			if !slices.Contains(e.OtherReferences, f.reference) {
				e.OtherReferences = append(e.OtherReferences, f.reference)
			}
		case f.kind == ledger.AttemptByHand:
			e.ByHand = true
		}
	}
	return err
}

// fillReturns adds when the ledger learned that the value came back.
func fillReturns(ctx context.Context, q querier, of map[reward.ID]*ledger.Entry, ids []any) error {
	type back struct {
		id reward.ID
		at int64
	}
	rows, err := q.query(ctx, `SELECT reward_id, max(at) FROM payout_moves
		WHERE reward_id IN (`+marks(len(ids))+`) AND to_state = ? GROUP BY reward_id`, append(slices.Clone(ids), payout.Returned)...)
	all, err := collect(rows, err, func(row scanner) (back, error) {
		var b back
		err := row.Scan(&b.id, &b.at)
		return b, err
	})
	for _, b := range all {
		of[b.id].ReturnedAt = fromMillis(b.at)
	}
	return err
}

// fillResolutions adds the instruction that an entry shows.
func fillResolutions(ctx context.Context, q querier, of map[reward.ID]*ledger.Entry, ids []any) error {
	rows, err := q.query(ctx, selectResolution+` WHERE reward_id IN (`+marks(len(ids))+`) ORDER BY seq`, ids...)
	all, err := collect(rows, err, scanResolution)
	for _, r := range all {
		e := of[r.RewardID]
		// A repetition that came after the payment made nothing paid.
		if !saysPaid(e.Resolution, e) || saysPaid(r, e) && !r.At.After(e.Payout.PaidAt) {
			e.Resolution = r
		}
	}
	return err
}

// saysPaid reports whether an instruction says what made the payout paid.
func saysPaid(r reward.Resolution, e *ledger.Entry) bool {
	return e.ByHand && r.Action == reward.ActionPaid && r.Reference == e.Payout.Reference
}

// PayoutTotals implements ledger.Statement.
func (l *Ledger) PayoutTotals(ctx context.Context, f ledger.PayoutFilter) ([]ledger.PayoutTotal, error) {
	where, args := statementConditions(f)
	totals, err := read(ctx, l, "ledger.payout_totals", func(ctx context.Context, q querier) ([]ledger.PayoutTotal, error) {
		// Summed in two parts: SQLite's sum() fails beyond int64.
		rows, err := q.query(ctx, `SELECT p.state, p.doubt, g.unit, g.currency, count(*), sum(g.amount / 1000000000), sum(g.amount % 1000000000)
			`+fromPayouts+where+` GROUP BY p.state, p.doubt, g.unit, g.currency`, args...)
		return collect(rows, err, scanTotal)
	})
	return foldTotals(totals), err
}

func scanTotal(row scanner) (ledger.PayoutTotal, error) {
	var t ledger.PayoutTotal
	var doubt ledger.Doubt
	var billions, rest int64
	err := row.Scan(&t.State, &doubt, &t.Unit, &t.Currency, &t.Count, &billions, &rest)
	t.Money = ledger.MoneyOf(t.State, doubt)
	t.Amount = new(big.Int).Mul(big.NewInt(billions), big.NewInt(1_000_000_000))
	t.Amount.Add(t.Amount, big.NewInt(rest))
	return t, err
}

// foldTotals puts together what differs in its doubt only, and sorts.
func foldTotals(totals []ledger.PayoutTotal) []ledger.PayoutTotal {
	order := payout.States()
	slices.SortFunc(totals, func(a, b ledger.PayoutTotal) int {
		if n := strings.Compare(string(a.Unit)+"\x00"+a.Currency, string(b.Unit)+"\x00"+b.Currency); n != 0 {
			return n
		}
		if n := slices.Index(order, a.State) - slices.Index(order, b.State); n != 0 {
			return n
		}
		return strings.Compare(string(a.Money), string(b.Money))
	})
	var out []ledger.PayoutTotal
	for _, t := range totals {
		if n := len(out) - 1; n >= 0 && sameSum(out[n], t) {
			out[n].Count += t.Count
			out[n].Amount.Add(out[n].Amount, t.Amount)
			continue
		}
		out = append(out, t)
	}
	return out
}

func sameSum(a, b ledger.PayoutTotal) bool {
	return a.State == b.State && a.Money == b.Money && a.Unit == b.Unit && a.Currency == b.Currency
}
