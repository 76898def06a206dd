package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The test is in package demo: a report whose promises are broken cannot be
// made from outside, which is the point of the program.
func TestBrokenPromisesHaveNames(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		status  reward.Status
		byHand  bool
		effects int
		there   string
		want    string
	}{
		"all is well":                {status: reward.Fulfilled, effects: 1, there: "completed"},
		"paid by hand":               {status: reward.Fulfilled, byHand: true, there: "completed"},
		"refused, and unpaid":        {status: reward.Rejected, there: "pending"},
		"nobody paid":                {status: reward.Fulfilled, there: "completed", want: "fulfilled_without_effect"},
		"paid twice":                 {status: reward.Fulfilled, effects: 2, there: "completed", want: "fulfilled_without_effect"},
		"FirstPromoter was not told": {status: reward.Fulfilled, effects: 1, there: "pending", want: "fulfilled_without_completion"},
		"paid although rejected":     {status: reward.Rejected, effects: 1, there: "pending", want: "paid_without_approval"},
		"a forgery was paid":         {status: reward.Quarantined, effects: 1, want: "forged_event_paid"},
		"closed without a payment":   {status: reward.Attention, there: "completed", want: "completed_without_payment"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var r Report
			r.hold(ledger.Record{Reward: reward.Reward{ID: 7}, Status: tt.status}, tt.byHand, tt.effects, tt.there)
			if tt.want == "" {
				require.NoError(t, r.check())
				return
			}
			require.ErrorContains(t, r.check(), tt.want)
			require.ErrorContains(t, r.check(), "7")
		})
	}
}

func TestRewardThatMovesIsNotCountedAsResting(t *testing.T) {
	t.Parallel()

	var r Report
	r.count(ledger.Record{Reward: reward.Reward{ID: 7}, Status: reward.Paying}, false)
	require.ErrorContains(t, r.check(), "not_at_rest")

	closing := ledger.Record{Status: reward.Attention, Closing: ledger.CloseState{PaidAt: time.Now()}}
	require.False(t, rests(closing), "a close goes on by itself")
	require.True(t, rests(ledger.Record{Status: reward.Attention}))
}
