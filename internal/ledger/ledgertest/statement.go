package ledgertest

import (
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func statementChecks() []check {
	return []check{
		{"WhatMayHaveLeftIsNeverMissing", whatMayHaveLeftIsNeverMissing},
		{"StatesAreSelectedAsAsked", statesAreSelectedAsAsked},
		{"BlindDoubtMayHaveLeft", blindDoubtMayHaveLeft},
		{"PeriodsJoinUp", periodsJoinUp},
		{"StatementPagesJoinUp", statementPagesJoinUp},
		{"StatementFilters", statementFilters},
		{"StatementReconcilesWithTheSummary", statementReconcilesWithTheSummary},
		{"SumsGoBeyondInt64", sumsGoBeyondInt64},
	}
}

// everything selects every state, so that nothing is hidden.
func everything() ledger.PayoutFilter { return ledger.PayoutFilter{States: payout.States()} }

func (b *bundle) statement(t *testing.T, f ledger.PayoutFilter) []ledger.Entry {
	t.Helper()
	entries, err := b.ListPayouts(b.ctx, f, ledger.PayoutCursor{}, 500)
	require.NoError(t, err)
	return entries
}

func idsOf(entries []ledger.Entry) []reward.ID {
	ids := make([]reward.ID, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.Payout.RewardID)
	}
	return ids
}

// entry returns the one entry of a reward.
func (b *bundle) entry(t *testing.T, id reward.ID) ledger.Entry {
	t.Helper()
	for _, e := range b.statement(t, everything()) {
		if e.Payout.RewardID == id {
			return e
		}
	}
	t.Fatalf("reward %d is not in the statement", id)
	return ledger.Entry{}
}

// assessedAs accepts a reward with a quantity of its own and has the policy pay it.
func (b *bundle) assessedAs(t *testing.T, id reward.ID, q reward.Quantity) {
	t.Helper()
	b.accept(t, pending(id, 1))
	a := assessment(id, reward.Approved)
	a.Reward.Quantity = q
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
}

// paidAs brings a reward with a quantity of its own to a paid payout.
func (b *bundle) paidAs(t *testing.T, id reward.ID, q reward.Quantity) {
	t.Helper()
	b.assessedAs(t, id, q)
	r := reservation(id, 1)
	r.Quantity = q
	_, err := b.Reserve(b.ctx, r)
	require.NoError(t, err)
	_, err = b.Finish(b.ctx, b.claim(t, id).Attempt, settled(fmt.Sprintf("ref-%d", id)))
	require.NoError(t, err)
}

// everyState brings one reward to each state that a payout can have, and
// returns them; reserved ones come as never sent, as not sent, and in doubt.
func (b *bundle) everyState(t *testing.T) map[string]reward.ID {
	t.Helper()
	b.reserved(t, 1)
	b.finished(t, 2, payout.Outcome{Class: payout.ClassNotSent})
	b.inBlindDoubt(t, 3)
	b.claimed(t, 4)
	b.finished(t, 5, payout.Outcome{Class: payout.ClassUnknown})
	b.finished(t, 6, payout.Outcome{Class: payout.ClassAccepted, Reference: "ref-6"})
	b.paid(t, 7)
	b.finished(t, 8, payout.Outcome{Class: payout.ClassRefused})
	b.finished(t, 9, payout.Outcome{Class: payout.ClassConflict})
	b.paid(t, 10)
	_, err := b.Found(b.ctx, 10, 1, payout.Finding{Answer: payout.FoundReturned}, b.clock.Now())
	require.NoError(t, err)
	b.approved(t, 11)
	_, err = b.PayByHand(b.ctx, 11, "alice", "bank-11", b.clock.Now())
	require.NoError(t, err)
	b.approved(t, 12) // No payout at all.
	return map[string]reward.ID{
		"never sent": 1, "not sent": 2, "in doubt": 3, "submitting": 4, "unknown": 5, "settling": 6,
		"paid": 7, "refused": 8, "conflict": 9, "returned": 10, "by hand": 11,
	}
}

// inBlindDoubt brings a reward to a reserved payout whose earlier send nobody
// learned the outcome of.
func (b *bundle) inBlindDoubt(t *testing.T, id reward.ID) {
	t.Helper()
	p := b.finished(t, id, payout.Outcome{Class: payout.ClassUnknown})
	_, err := b.Found(b.ctx, id, p.Fence, payout.Finding{Answer: payout.CannotTell}, b.clock.Now())
	require.NoError(t, err)
	p, err = b.Rearm(b.ctx, id, p.Fence, "the provider knows the key")
	require.NoError(t, err)
	require.Equal(t, ledger.DoubtBlind, p.Doubt)
}

func whatMayHaveLeftIsNeverMissing(t *testing.T, b *bundle) {
	id := b.everyState(t)
	want := map[reward.ID]ledger.Money{
		id["in doubt"]: ledger.MoneyMayHaveLeft, id["submitting"]: ledger.MoneyMayHaveLeft, id["unknown"]: ledger.MoneyMayHaveLeft,
		id["settling"]: ledger.MoneyMayHaveLeft, id["conflict"]: ledger.MoneyMayHaveLeft,
		id["paid"]: ledger.MoneyLeft, id["by hand"]: ledger.MoneyLeft, id["returned"]: ledger.MoneyCameBack,
	}
	got := map[reward.ID]ledger.Money{}
	for _, e := range b.statement(t, ledger.PayoutFilter{}) {
		got[e.Payout.RewardID] = e.Money
		require.Equal(t, ledger.MoneyOf(e.Payout.State, e.Payout.Doubt), e.Money)
		require.Equal(t, start(), e.At)
		require.Nil(t, e.Payout.Request.Body)
	}
	require.Equal(t, want, got)
}

func statesAreSelectedAsAsked(t *testing.T, b *bundle) {
	id := b.everyState(t)
	require.Len(t, b.statement(t, everything()), len(id)-1, "what was never sent is in no statement")
	for _, state := range payout.States() {
		for _, e := range b.statement(t, ledger.PayoutFilter{States: []payout.State{state}}) {
			require.Equal(t, state, e.Payout.State)
		}
	}
	stayed := b.statement(t, ledger.PayoutFilter{States: []payout.State{payout.Refused, payout.Reserved}})
	require.Equal(t, []reward.ID{id["not sent"], id["in doubt"], id["refused"]}, idsOf(stayed))
	require.Equal(t, ledger.MoneyStayed, stayed[0].Money)
	require.Equal(t, ledger.MoneyStayed, stayed[2].Money)

	totals, err := b.PayoutTotals(b.ctx, everything())
	require.NoError(t, err)
	var reserved []ledger.Money
	for _, total := range totals {
		if total.State == payout.Reserved {
			reserved = append(reserved, total.Money)
		}
	}
	require.Equal(t, []ledger.Money{ledger.MoneyMayHaveLeft, ledger.MoneyStayed}, reserved)

	b.claim(t, id["in doubt"]) // It is submitting now, as another is that is in no doubt.
	totals, err = b.PayoutTotals(b.ctx, everything())
	require.NoError(t, err)
	requireSums(t, b.statement(t, everything()), totals)
}

func blindDoubtMayHaveLeft(t *testing.T, b *bundle) {
	b.inBlindDoubt(t, 3)
	require.Equal(t, []reward.ID{3}, idsOf(b.statement(t, ledger.PayoutFilter{})))

	p := b.finished(t, 4, payout.Outcome{Class: payout.ClassUnknown})
	_, err := b.Found(b.ctx, 4, p.Fence, payout.Finding{Answer: payout.Absent}, b.clock.Now())
	require.NoError(t, err)
	_, err = b.Rearm(b.ctx, 4, p.Fence, "surely absent")
	require.NoError(t, err)
	require.Equal(t, []reward.ID{3}, idsOf(b.statement(t, ledger.PayoutFilter{})), "surely absent is no doubt")
}

func periodsJoinUp(t *testing.T, b *bundle) {
	b.clock.advance(12*time.Hour + time.Minute - time.Millisecond) // The last moment of the day.
	b.paid(t, 1)
	b.clock.advance(time.Millisecond)
	b.paid(t, 2)
	b.claimed(t, 3) // Sent on the second day, paid on the third.
	b.clock.advance(24 * time.Hour)
	_, err := b.Expire(b.ctx, 3, b.clock.Now())
	require.NoError(t, err)

	day := start().Truncate(24 * time.Hour)
	on := func(n int) []reward.ID {
		f := ledger.PayoutFilter{From: day.AddDate(0, 0, n), To: day.AddDate(0, 0, n+1)}
		totals, err := b.PayoutTotals(b.ctx, f)
		require.NoError(t, err)
		entries := b.statement(t, f)
		requireSums(t, entries, totals)
		return idsOf(entries)
	}
	require.Equal(t, []reward.ID{1}, on(0))
	require.Equal(t, []reward.ID{2, 3}, on(1), "while unknown, it stands where it was sent")
	require.Empty(t, on(2))

	_, err = b.Found(b.ctx, 3, 1, payout.Finding{Answer: payout.FoundSettled, Reference: "ref-3"}, b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, []reward.ID{2}, on(1))
	require.Equal(t, []reward.ID{3}, on(2), "it is paid where it was learned to be")

	within := day.AddDate(0, 0, 1).Add(time.Nanosecond)
	require.Equal(t, []reward.ID{3}, idsOf(b.statement(t, ledger.PayoutFilter{From: within})))
	require.Equal(t, []reward.ID{1, 2}, idsOf(b.statement(t, ledger.PayoutFilter{To: within})))
}

func statementPagesJoinUp(t *testing.T, b *bundle) {
	for id := reward.ID(9); id >= 1; id-- {
		if id%3 == 0 {
			b.clock.advance(time.Second)
		}
		b.paid(t, id) // Three share a time.
	}
	want := []reward.ID{7, 8, 9, 4, 5, 6, 1, 2, 3}
	require.Equal(t, want, idsOf(b.statement(t, ledger.PayoutFilter{})))
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []reward.ID
		var after ledger.PayoutCursor
		for range len(want) + 1 {
			page, err := b.ListPayouts(b.ctx, ledger.PayoutFilter{}, after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), limit)
			if len(page) == 0 {
				break
			}
			got = append(got, idsOf(page)...)
			last := page[len(page)-1]
			after = ledger.PayoutCursor{At: last.At, RewardID: last.Payout.RewardID}
		}
		require.Equal(t, want, got, "limit %d", limit)
	}
}

func statementFilters(t *testing.T, b *bundle) {
	b.paid(t, 1)
	b.paidAs(t, 2, reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"})
	b.approved(t, 3)
	_, err := b.PayByHand(b.ctx, 3, "alice", "bank-3", b.clock.Now())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		filter ledger.PayoutFilter
		want   []reward.ID
	}{
		"unit":     {ledger.PayoutFilter{Unit: reward.Cash}, []reward.ID{2}},
		"provider": {ledger.PayoutFilter{Provider: "billing"}, []reward.ID{1, 2}},
		"both":     {ledger.PayoutFilter{Provider: "billing", Unit: reward.FreeMonths}, []reward.ID{1}},
		"nothing":  {ledger.PayoutFilter{Provider: "billing", Unit: reward.Points}, []reward.ID{}},
	} {
		entries := b.statement(t, c.filter)
		require.Equal(t, c.want, idsOf(entries), name)
		totals, err := b.PayoutTotals(b.ctx, c.filter)
		require.NoError(t, err)
		requireSums(t, entries, totals)
	}
}

// requireSums adds the entries up by itself.
func requireSums(t *testing.T, entries []ledger.Entry, totals []ledger.PayoutTotal) {
	t.Helper()
	type sum struct {
		count  int
		amount string
	}
	amounts := map[string]*big.Int{}
	want, got := map[string]sum{}, map[string]sum{}
	for _, e := range entries {
		key := fmt.Sprint(e.Payout.State, e.Money, e.Payout.Quantity.Unit, e.Payout.Quantity.Currency)
		if amounts[key] == nil {
			amounts[key] = new(big.Int)
		}
		amounts[key].Add(amounts[key], big.NewInt(e.Payout.Quantity.Amount))
		want[key] = sum{want[key].count + 1, amounts[key].String()}
	}
	for _, total := range totals {
		key := fmt.Sprint(total.State, total.Money, total.Unit, total.Currency)
		require.NotContains(t, got, key, "one line for each")
		got[key] = sum{total.Count, total.Amount.String()}
	}
	require.Equal(t, want, got)
}

func statementReconcilesWithTheSummary(t *testing.T, b *bundle) {
	b.everyState(t)
	for id := reward.ID(20); id < 30; id++ {
		b.paidAs(t, id, reward.Quantity{Amount: int64(id) * 7, Unit: reward.Cash, Currency: []string{"USD", "EUR", "JPY"}[id%3]})
	}
	// What was paid, came back, and was paid again by hand counts once.
	_, err := b.Found(b.ctx, 20, 1, payout.Finding{Answer: payout.FoundReturned}, b.clock.Now())
	require.NoError(t, err)
	_, err = b.PayByHand(b.ctx, 20, "alice", "bank-20", b.clock.Now())
	require.NoError(t, err)

	entries := b.statement(t, everything())
	totals, err := b.PayoutTotals(b.ctx, everything())
	require.NoError(t, err)
	requireSums(t, entries, totals)

	var paid []ledger.PaidTotal
	for _, total := range totals {
		if total.State == payout.Paid {
			require.True(t, total.Amount.IsInt64())
			paid = append(paid, ledger.PaidTotal{Unit: total.Unit, Currency: total.Currency, Count: total.Count, Amount: total.Amount.Int64()})
		}
	}
	_, summary, err := b.Summary(b.ctx)
	require.NoError(t, err)
	require.Equal(t, summary, paid)
}

func sumsGoBeyondInt64(t *testing.T, b *bundle) {
	for id := range reward.ID(3) {
		b.paidAs(t, id+1, reward.Quantity{Amount: math.MaxInt64, Unit: reward.Points})
	}
	totals, err := b.PayoutTotals(b.ctx, ledger.PayoutFilter{})
	require.NoError(t, err)
	require.Len(t, totals, 1)
	require.Equal(t, "27670116110564327421", totals[0].Amount.String())
}
