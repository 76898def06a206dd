package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func overviewChecks() []check {
	return []check{
		{"CountsFollowEveryMove", countsFollowEveryMove},
		{"PaidDaysFollowReturns", paidDaysFollowReturns},
		{"VitalsSayHowOldThingsAre", vitalsSayHowOld},
		{"SearchFindsByNumberAndCustID", searchFinds},
		{"SeveralStatusesArePagedInOrder", severalStatusesArePaged},
	}
}

// alice may decide for approvers and where any role will do.
func alice() ledger.Caller { return ledger.Caller{Person: "alice", Roles: []string{"", "approver"}} }

// countsFollowEveryMove makes rewards move at random, and compares the counts
// and the lists with what looking at every reward gives.
func countsFollowEveryMove(t *testing.T, b *bundle) {
	serial, ids := 0, []reward.ID(nil)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			serial++
			b.clock.advance(17 * time.Minute)
			randomMove(t, rt, b, serial, &ids)
		}
		requireCounts(t, b, alice())
		requireCounts(t, b, ledger.Caller{Person: "bob", Roles: []string{"finance", ""}})
		requireCounts(t, b, ledger.Caller{Person: "viewer"})
	})
}

func randomMove(t *testing.T, rt *rapid.T, b *bundle, serial int, ids *[]reward.ID) {
	t.Helper()
	if len(*ids) == 0 || len(*ids) < 12 && rapid.IntRange(0, 3).Draw(rt, "new") == 0 {
		id := reward.ID(len(*ids) + 1)
		b.accept(t, pending(id, 1))
		*ids = append(*ids, id)
		return
	}
	id := rapid.SampledFrom(*ids).Draw(rt, "reward")
	switch rapid.SampledFrom([]string{"assess", "decide", "decide", "move"}).Draw(rt, "what") {
	case "assess":
		a := assessment(id, rapid.SampledFrom([]reward.Status{reward.AwaitingApproval, reward.Held, reward.Attention}).Draw(rt, "status"))
		a.Approvals = rapid.IntRange(0, 2).Draw(rt, "approvals")
		a.Role = rapid.SampledFrom([]string{"", "approver", "finance"}).Draw(rt, "role")
		a.Digest = reward.Digest(rapid.SampledFrom([]string{"digest-1", "digest-2"}).Draw(rt, "digest"))
		a.Excluded = rapid.SampledFrom([][]string{nil, nil, {"Alice"}, {" bob", "carol"}}).Draw(rt, "excluded")
		_ = b.Assess(b.ctx, a, "policy") // An ended reward refuses.
	case "decide":
		d := decision(fmt.Sprint("d", serial), id)
		d.By = rapid.SampledFrom([]string{"alice", "Alice", "bob"}).Draw(rt, "by")
		d.Roles = []string{"approver", "finance"}
		d.Digest = b.record(t, id).Digest
		d.Verdict = rapid.SampledFrom([]reward.Verdict{reward.Approve, reward.Approve, reward.Reject}).Draw(rt, "verdict")
		b.decide(t, d)
	case "move":
		to := rapid.SampledFrom([]reward.Status{reward.Held, reward.Attention, reward.Approved, reward.Rejected}).Draw(rt, "to")
		_ = b.Move(b.ctx, ledger.Transition{ID: id, To: to, Reason: "why", Actor: "alice"})
	}
}

// requireCounts looks at every reward.
func requireCounts(t *testing.T, b *bundle, who ledger.Caller) {
	t.Helper()
	var mine, others []reward.ID
	statuses, hours := map[reward.Status]int{}, map[time.Time]int{}
	all, err := b.ListRewards(b.ctx, ledger.Filter{Limit: 500})
	require.NoError(t, err)
	for _, r := range all {
		statuses[r.Status]++
		tally, err := b.TallyOf(b.ctx, r.Reward.ID)
		require.NoError(t, err)
		waits := r.Status == reward.AwaitingApproval || r.Status == reward.Held && r.Approvals > 0
		if !waits || tally.Approved || tally.Rejected {
			continue
		}
		hours[r.ReceivedAt.Truncate(time.Hour)]++
		made, err := b.DecisionsOf(b.ctx, r.Reward.ID)
		require.NoError(t, err)
		decided := slices.ContainsFunc(made, func(d ledger.Recorded) bool {
			return d.Counted && d.Digest == r.Digest && strings.EqualFold(d.By, who.Person)
		})
		kept := slices.ContainsFunc(r.Excluded, func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), who.Person) })
		if slices.Contains(who.Roles, r.Role) && !decided && !kept {
			mine = append(mine, r.Reward.ID)
		} else {
			others = append(others, r.Reward.ID)
		}
	}
	o, err := b.Overview(b.ctx, who, start())
	require.NoError(t, err)
	require.Equal(t, statuses, o.Statuses)
	require.Equal(t, len(mine), o.ForCaller)
	require.Equal(t, len(others), o.ForOthers)
	counted := map[time.Time]int{}
	for _, h := range o.Asking {
		counted[h.Hour] = h.Count
	}
	require.Equal(t, hours, counted)
	require.Equal(t, append([]reward.ID{}, mine...), listed(t, b, ledger.Filter{Asked: &ledger.Asked{Caller: who}, Limit: 500}))
	require.Equal(t, append([]reward.ID{}, others...),
		listed(t, b, ledger.Filter{Asked: &ledger.Asked{Caller: who, Others: true}, Limit: 500}))
}

func paidDaysFollowReturns(t *testing.T, b *bundle) {
	b.paid(t, 1)
	b.paid(t, 2)
	today := start().Truncate(24 * time.Hour)
	paid := func() []ledger.DayTotal {
		o, err := b.Overview(b.ctx, alice(), start())
		require.NoError(t, err)
		return o.Paid
	}
	require.Equal(t, []ledger.DayTotal{{Day: today, Unit: "free_months", Count: 2, Amount: 6}}, paid())

	b.clock.advance(24 * time.Hour)
	b.accept(t, pending(3, 1))
	cash := assessment(3, reward.Approved)
	cash.Reward.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	require.NoError(t, b.Assess(b.ctx, cash, "policy"))
	_, err := b.PayByHand(b.ctx, 3, "alice", "bank-1", b.clock.Now())
	require.NoError(t, err)
	_, err = b.Found(b.ctx, 2, b.payoutOf(t, 2).Fence, payout.Finding{Answer: payout.FoundReturned, Reference: "ref-2"}, b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, payout.Returned, b.payoutOf(t, 2).State)
	require.Equal(t, []ledger.DayTotal{
		{Day: today, Unit: "free_months", Count: 1, Amount: 3},
		{Day: today.Add(24 * time.Hour), Unit: "USD", Count: 1, Amount: 1250},
	}, paid())

	o, err := b.Overview(b.ctx, alice(), start().Add(24*time.Hour))
	require.NoError(t, err)
	require.Len(t, o.Paid, 1, "the days before are left out")
}

func (b *bundle) payoutOf(t *testing.T, id reward.ID) ledger.Payout {
	t.Helper()
	p, err := b.Payout(b.ctx, id)
	require.NoError(t, err)
	return p
}

// vitalsSayHowOld moves rewards through what a monitor watches, an hour between
// two steps.
func vitalsSayHowOld(t *testing.T, b *bundle) {
	vitals := func() ledger.Vitals {
		v, err := b.Vitals(b.ctx, b.clock.Now())
		require.NoError(t, err)
		return v
	}
	hour := func(n int) time.Time { return start().Add(time.Duration(n) * time.Hour) }
	none := ledger.Age{}
	require.Equal(t, ledger.Vitals{Statuses: map[reward.Status]ledger.Age{}, Paid: vitals().Paid}, vitals())
	require.Empty(t, vitals().Paid)

	b.accept(t, pending(1, 1))
	b.clock.advance(time.Hour)
	b.accept(t, pending(2, 1))
	require.Equal(t, ledger.Age{Count: 2, Oldest: hour(0)}, vitals().Statuses[reward.Received])

	b.clock.advance(time.Hour)
	b.approved(t, 1)
	b.reserved(t, 1)
	b.claim(t, 1)
	require.Equal(t, ledger.Age{Count: 1, Oldest: hour(1)}, vitals().Statuses[reward.Received])
	require.Equal(t, none, vitals().Unknown, "it is on the wire")
	b.clock.advance(time.Hour)
	p, err := b.Expire(b.ctx, 1, b.clock.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, payout.Unknown, p.State)
	require.Equal(t, ledger.Age{Count: 1, Oldest: hour(2)}, vitals().Unknown, "since its first send")
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 1, To: reward.Attention, Reason: "the window has closed"}))
	require.Equal(t, 1, vitals().Unknown.Count, "attention does not hide it")
	require.Equal(t, none, vitals().Unclosed)

	b.clock.advance(time.Hour)
	_, err = b.Found(b.ctx, 1, p.Fence, payout.Finding{Answer: payout.FoundSettled, Reference: "ref-1"}, b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, none, vitals().Unknown)
	require.Equal(t, ledger.Age{Count: 1, Oldest: hour(4)}, vitals().Unclosed)
	require.Equal(t, []ledger.DayTotal{{Day: start().Truncate(24 * time.Hour), Unit: "free_months", Count: 1, Amount: 3}}, vitals().Paid)
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 1, To: reward.Attention, Reason: "FirstPromoter refuses our key"}))
	require.Equal(t, ledger.Age{Count: 1, Oldest: hour(4)}, vitals().Unclosed, "attention does not hide it")

	state, taken := b.claimClose(t, 1)
	require.True(t, taken)
	require.Equal(t, 1, vitals().Unclosed.Count, "the call is out")
	b.finishClose(t, 1, state.Fence, ledger.CallDone)
	require.Equal(t, none, vitals().Unclosed)
	require.Equal(t, ledger.Age{Count: 1}, vitals().Statuses[reward.Fulfilled], "what has ended has no age")

	b.clock.advance(24 * time.Hour)
	require.Empty(t, vitals().Paid, "that was yesterday")
}

func searchFinds(t *testing.T, b *bundle) {
	for id := range reward.ID(4) {
		ev := pending(id+1, 1)
		switch id + 1 {
		case 3:
			ev.Reward.Reward.Promoter.CustID = "cus_Nb3"
		case 4:
			ev.Reward.Reward.Promoter.CustID = "702" // Another promoter's ID.
		}
		b.accept(t, ev)
	}
	for search, want := range map[string][]reward.ID{
		"2":         {2},
		"702":       {4, 2},
		" cus_Nb3 ": {3},
		"cus_nb3":   {},
		"cust-7":    {2, 1},
		"-2":        {},
		"%":         {},
		"99":        {},
	} {
		require.Equal(t, want, listed(t, b, ledger.Filter{Search: search}), search)
	}
	require.Equal(t, []reward.ID{1}, listed(t, b, ledger.Filter{Search: "cust-7", Promoter: 701}))
	require.Empty(t, listed(t, b, ledger.Filter{Search: "cust-7", Statuses: []reward.Status{reward.Held}}))
}

func severalStatusesArePaged(t *testing.T, b *bundle) {
	var want []reward.ID
	for id := reward.ID(1); id <= 12; id++ {
		b.clock.advance(time.Second)
		b.accept(t, pending(id, 1))
		if to := []reward.Status{reward.Held, reward.Attention, ""}[id%3]; to != "" {
			require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: id, To: to, Reason: "why"}))
			want = append([]reward.ID{id}, want...)
		}
	}
	var paged []reward.ID
	f := ledger.Filter{Statuses: []reward.Status{reward.Attention, reward.Held, reward.Held}, Limit: 3}
	for {
		page, err := b.ListRewards(b.ctx, f)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			paged = append(paged, r.Reward.ID)
		}
		last := page[len(page)-1]
		f.Before = ledger.Cursor{ReceivedAt: last.ReceivedAt, ID: last.Reward.ID}
	}
	require.Equal(t, want, paged)
}
