package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func pastChecks() []check {
	return []check{
		{"NothingWasPaidBefore", nothingWasPaidBefore},
		{"PastCountsWhatMayBePaid", pastCountsWhatMayBePaid},
		{"PastIsOfOneRecipient", pastIsOfOneRecipient},
		{"PastHasADayAndAMonth", pastHasADayAndAMonth},
		{"FactsAreKept", factsAreKept},
		{"ExcludedPeopleDoNotDecide", excludedPeopleDoNotDecide},
	}
}

// toOne is a reward for the one promoter of these checks.
func toOne(id reward.ID) reward.Reward {
	r := owed(id)
	r.Promoter.ID = 700
	return r
}

// paying brings a reward for one promoter to a payout whose attempt came to out.
func (b *bundle) paying(t *testing.T, r reward.Reward, provider string, out payout.Outcome) {
	t.Helper()
	ev := pending(r.ID, 1)
	ev.Reward.Reward = r
	b.accept(t, ev)
	a := assessment(r.ID, reward.Approved)
	a.Reward, a.Provider = r, provider
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	reserved := reservation(r.ID, 1)
	reserved.Provider, reserved.Quantity = provider, r.Quantity
	_, err := b.Reserve(b.ctx, reserved)
	require.NoError(t, err)
	c := b.claim(t, r.ID)
	require.True(t, c.Taken)
	_, err = b.Finish(b.ctx, c.Attempt, out)
	require.NoError(t, err)
}

func (b *bundle) past(t *testing.T, r reward.Reward) ledger.Past {
	t.Helper()
	past, err := b.Past(b.ctx, ledger.PastQuery{Reward: r, Now: b.clock.Now()})
	require.NoError(t, err)
	return past
}

func nothingWasPaidBefore(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	past := b.past(t, owed(7))
	require.Zero(t, past.Payouts)
	require.Empty(t, past.Providers)
	require.Empty(t, past.Today)
	require.Empty(t, past.Month)
	b.claim(t, 7)
	require.Zero(t, b.past(t, owed(7)).Payouts, "a reward is not its own past")
}

func pastCountsWhatMayBePaid(t *testing.T, b *bundle) {
	b.paying(t, toOne(1), "billing", settled("r1"))
	b.paying(t, toOne(2), "billing", payout.Outcome{})
	b.paying(t, toOne(3), "team", payout.Outcome{Class: payout.ClassAccepted, Reference: "r3"})
	b.paying(t, toOne(4), "nobody", payout.Outcome{Class: payout.ClassRefused})
	cash := toOne(5)
	cash.Quantity = reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"}
	b.paying(t, cash, "payouts", settled("r5"))
	past := b.past(t, toOne(9))
	require.Equal(t, 4, past.Payouts)
	require.Equal(t, []string{"billing", "payouts", "team"}, past.Providers)
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 3, Amount: 9}, "USD": {Payouts: 1, Amount: 1250}}, past.Today)
	require.Equal(t, past.Today, past.Month)
}

func pastIsOfOneRecipient(t *testing.T, b *bundle) {
	b.paid(t, 1)
	require.Zero(t, b.past(t, owed(2)).Payouts, "another promoter")

	b.paying(t, toOne(3), "billing", settled("r3"))
	require.Equal(t, []string{"billing"}, b.past(t, toOne(4)).Providers)
	for name, change := range map[string]func(*reward.Reward){
		"another cust_id": func(r *reward.Reward) { r.Promoter.CustID = "cust-8" },
		"another email":   func(r *reward.Reward) { r.Promoter.Email = "other@example.com" },
	} {
		r := toOne(4)
		change(&r)
		past := b.past(t, r)
		require.Equal(t, 1, past.Payouts, name)
		require.Empty(t, past.Providers, name)
	}
}

func pastHasADayAndAMonth(t *testing.T, b *bundle) {
	b.paying(t, toOne(1), "billing", settled("r1"))
	b.clock.advance(12*time.Hour + time.Minute) // Midnight.
	past := b.past(t, toOne(9))
	require.Empty(t, past.Today)
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 1, Amount: 3}}, past.Month)
	b.paying(t, toOne(2), "billing", settled("r2"))
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 1, Amount: 3}}, b.past(t, toOne(9)).Today)
	b.clock.advance(29*24*time.Hour + 12*time.Hour)
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 2, Amount: 6}}, b.past(t, toOne(9)).Month, "whole days")
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 1, Amount: 3}}, b.past(t, toOne(1)).Month, "the first is not its own past")
	b.clock.advance(12 * time.Hour) // The 31st day.
	require.Equal(t, map[string]ledger.Spent{"free_months": {Payouts: 1, Amount: 3}}, b.past(t, toOne(9)).Month)
	b.clock.advance(24 * time.Hour)
	past = b.past(t, toOne(9))
	require.Empty(t, past.Month)
	require.Equal(t, 2, past.Payouts)
	require.Equal(t, 1, b.past(t, toOne(1)).Payouts)
}

func factsAreKept(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	require.Empty(t, b.record(t, 7).Facts)
	a := assessment(7, reward.AwaitingApproval)
	a.Facts = `{"amount":3}`
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, a.Facts, b.record(t, 7).Facts)
	a.Facts = `{"amount":3,"paid_today":6}`
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, a.Facts, b.record(t, 7).Facts, "the newest decision's")

	require.Zero(t, b.record(t, 7).Waits)
	a.Waits = ledger.Waits{RemindAfter: time.Hour, HoldAfter: 48 * time.Hour}
	a.Excluded = []string{"bob", "dora"}
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, a.Waits, b.record(t, 7).Waits)
	require.Equal(t, a.Excluded, b.record(t, 7).Excluded)
}

func excludedPeopleDoNotDecide(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	a := assessment(7, reward.AwaitingApproval)
	a.Approvals, a.Excluded = 1, []string{"Bob"}
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	for i, name := range []string{"bob", " BOB "} {
		tally, err := b.Decide(b.ctx, reward.Decision{
			ID: name, RewardID: 7, By: name, Verified: i == 0, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: a.Digest, At: start(),
		}, true)
		require.NoError(t, err)
		require.False(t, tally.Decision.Counted)
		require.Contains(t, tally.Decision.Refusal, "may not decide about this reward")
		require.False(t, tally.Approved)
	}
	tally, err := b.Decide(b.ctx, reward.Decision{
		ID: "d3", RewardID: 7, By: "bobby", Verified: true, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: a.Digest, At: start(),
	}, false)
	require.NoError(t, err)
	require.True(t, tally.Approved)
}
