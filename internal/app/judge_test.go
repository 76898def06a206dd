package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestJudge(t *testing.T) {
	t.Parallel()

	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	compiled, err := policy.Compile([]policy.Rule{
		{When: `unit == "points"`, Then: policy.Hold, For: 24 * time.Hour, Approvals: 2, Role: "finance"},
		{When: `unit == "cash" && currency == "USD" && amount > 100`, Then: policy.Ask, Approvals: 2},
		{When: `unit == "discount_per"`, Then: policy.Refuse},
		{When: `provider == "team"`, Then: policy.Pay},
	})
	require.NoError(t, err)
	j := judge{policy: compiled, routes: []config.Route{
		{Unit: reward.Cash, Provider: "payouts", Currency: "USD"},
		{Campaign: 9, Provider: "nine"},
		{Unit: reward.DiscountMon, Campaign: 8, Provider: "eight"},
		{Unit: reward.Points, Provider: "team"},
		{Unit: reward.Credits, Provider: "team"},
		{Unit: reward.DiscountPer, Provider: "team"},
	}}
	tests := map[string]struct {
		unit     reward.Unit
		campaign int64
		amount   int64
		later    time.Duration
		want     activities.Ruling
	}{
		"the first route that matches":    {unit: reward.Credits, campaign: 9, amount: 1, want: activities.Ruling{Provider: "nine", Verdict: activities.VerdictAsk, Approvals: 1}},
		"no route":                        {unit: reward.FreeMonths, amount: 1, want: activities.Ruling{Verdict: activities.VerdictAsk, Approvals: 1}},
		"the route names the currency":    {unit: reward.Cash, amount: 500, want: activities.Ruling{Provider: "payouts", Currency: "USD", Verdict: activities.VerdictAsk, Approvals: 2}},
		"the policy sees the provider":    {unit: reward.Credits, amount: 1, want: activities.Ruling{Provider: "team", Verdict: activities.VerdictPay}},
		"the policy refuses":              {unit: reward.DiscountPer, amount: 1, want: activities.Ruling{Provider: "team", Verdict: activities.VerdictRefuse}},
		"a hold counts from the event":    {unit: reward.Points, amount: 1, later: 23 * time.Hour, want: activities.Ruling{Provider: "team", Verdict: activities.VerdictHold}},
		"a hold that is over asks people": {unit: reward.Points, amount: 1, later: 24 * time.Hour, want: activities.Ruling{Provider: "team", Verdict: activities.VerdictAsk, Approvals: 2, Role: "finance"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := j.Rule(activities.Case{
				Reward: reward.Reward{
					ID: 1, Quantity: reward.Quantity{Amount: tt.amount, Unit: tt.unit}, Campaign: reward.Campaign{ID: tt.campaign},
				},
				ReceivedAt: received, Now: received.Add(tt.later),
			})
			require.Equal(t, tt.want.Provider, got.Provider)
			require.Equal(t, tt.want.Currency, got.Currency)
			require.Equal(t, tt.want.Verdict, got.Verdict)
			require.Equal(t, tt.want.Approvals, got.Approvals)
			require.Equal(t, tt.want.Role, got.Role)
			require.Equal(t, compiled.Version(), got.PolicyVersion)
			require.NotEmpty(t, got.Reason)
			if got.Verdict == activities.VerdictHold {
				require.Equal(t, received.Add(24*time.Hour), got.HoldUntil)
			}
		})
	}
}

func TestFactsOfACase(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cash := reward.Reward{
		ID: 1, Quantity: reward.Quantity{Amount: 500, Unit: reward.Cash, Currency: "USD"},
		Promoter: reward.Promoter{ID: 7, CustID: "u1", Email: "jo@example.com"}, Campaign: reward.Campaign{ID: 6},
	}
	c := activities.Case{
		Reward: cash, Now: now,
		Promoter: activities.PromoterFacts{
			Status: "active", JoinedAt: now.Add(-31*24*time.Hour + time.Second),
			Earned: map[reward.Unit]int64{reward.Cash: 900}, Balance: map[reward.Unit]int64{reward.Cash: -20, reward.Credits: 3},
			PaidOut: map[reward.Unit]int64{reward.Credits: 1},
		},
		Past: ledger.Past{
			Payouts: 4, Providers: []string{"payouts"},
			Today: map[string]ledger.Spent{"USD": {Payouts: 1, Amount: 100}, "credits": {Payouts: 9, Amount: 9}},
			Month: map[string]ledger.Spent{"USD": {Payouts: 2, Amount: 300}},
		},
	}
	want := policy.Facts{
		Unit: "cash", Amount: 500, Currency: "USD", CampaignID: 6, PromoterID: 7, CustID: "u1", EmailDomain: "example.com", Provider: "payouts",
		PromoterStatus: "active", PromoterAge: policy.Known(30), Earned: policy.Known(900), Balance: policy.Known(-20),
		Payouts: 4, PaidToday: 100, PayoutsToday: 1, Paid30Days: 300, Payouts30Days: 2,
	}
	require.Equal(t, want, factsOf(c, cash, "payouts"))

	want.Provider, want.NewDestination = "another", true
	require.Equal(t, want, factsOf(c, cash, "another"))
	require.True(t, factsOf(activities.Case{Reward: cash, Now: now}, cash, "payouts").NewDestination)
	require.False(t, factsOf(activities.Case{Reward: cash, Now: now}, cash, "payouts").PromoterAge.Known)
}
