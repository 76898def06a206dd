package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func brakeChecks() []check {
	return []check{
		{"SwitchStopsClaims", switchStopsClaims},
		{"OneProvidersSwitch", oneProvidersSwitch},
		{"BrakesAreListed", brakesAreListed},
		{"LargestSinglePayout", largestSinglePayout},
		{"CapPerDay", capPerDay},
		{"CapCountsWhatMayBePaid", capCountsWhatMayBePaid},
		{"CapPerPromoter", capPerPromoter},
		{"CapPerCampaign", capPerCampaign},
		{"CashIsCappedByCurrency", cashIsCappedByCurrency},
		{"DayIsUTC", dayIsUTC},
		{"CapsNeverOverflow", capsNeverOverflow},
	}
}

func switchStopsClaims(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	pause := ledger.BrakeState{Scope: ledger.AllProviders, Paused: true, Reason: "fraud wave", By: "alice", At: start()}
	require.NoError(t, b.SetBrake(b.ctx, pause))
	before := snapshotOf(t, b.Ledger, 7)
	c := b.claim(t, 7)
	require.False(t, c.Taken)
	require.True(t, c.Braked)
	require.Contains(t, c.Reason, "fraud wave")
	require.Equal(t, before.Payout, c.Payout)
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))

	pause.Paused = false
	require.NoError(t, b.SetBrake(b.ctx, pause))
	require.True(t, b.claim(t, 7).Taken)
}

func oneProvidersSwitch(t *testing.T, b *bundle) {
	b.reserved(t, 7)
	require.NoError(t, b.SetBrake(b.ctx, ledger.BrakeState{Scope: "payouts", Paused: true}))
	require.True(t, b.claim(t, 7).Taken, "another provider's switch")
	b.reserved(t, 8)
	require.NoError(t, b.SetBrake(b.ctx, ledger.BrakeState{Scope: "billing", Paused: true, Reason: "its bank is down"}))
	c := b.claim(t, 8)
	require.True(t, c.Braked)
	require.Contains(t, c.Reason, "billing")
	require.Contains(t, c.Reason, "its bank is down")
}

func brakesAreListed(t *testing.T, b *bundle) {
	list, err := b.Brakes(b.ctx)
	require.NoError(t, err)
	require.Empty(t, list)
	states := []ledger.BrakeState{
		{Scope: "aaa", Paused: true, Reason: "r1", By: "alice", At: start()},
		{Scope: ledger.AllProviders, Paused: false, Reason: "r2", By: "bob", At: start().Add(time.Second)},
		{Scope: "aaa", Paused: false, Reason: "r3", By: "carol", At: start().Add(time.Minute)},
	}
	for _, s := range states {
		require.NoError(t, b.SetBrake(b.ctx, s))
	}
	require.NoError(t, b.SetBrake(b.ctx, ledger.BrakeState{Scope: "zzz"}))
	list, err = b.Brakes(b.ctx)
	require.NoError(t, err)
	require.Equal(t, []ledger.BrakeState{states[1], states[2], {Scope: "zzz", At: start()}}, list)
	require.Equal(t, fault.Invalid, fault.KindOf(b.SetBrake(b.ctx, ledger.BrakeState{Paused: true})))
}

// owe reserves a payout of the amount, for the promoter, in the campaign.
func (b *bundle) owe(t *testing.T, id reward.ID, q reward.Quantity, promoter, campaign int64) {
	t.Helper()
	b.accept(t, pending(id, 1))
	a := assessment(id, reward.Approved)
	a.Reward.Quantity, a.Reward.Promoter.ID, a.Reward.Campaign.ID = q, promoter, campaign
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	r := reservation(id, 1)
	r.Quantity = q
	_, err := b.Reserve(b.ctx, r)
	require.NoError(t, err)
}

func credits(n int64) reward.Quantity { return reward.Quantity{Amount: n, Unit: reward.Credits} }

// claimUnder claims at the clock's time.
func (b *bundle) claimUnder(t *testing.T, id reward.ID, caps ledger.Caps) ledger.Claim {
	t.Helper()
	c, err := b.Claim(b.ctx, id, caps, b.clock.Now(), b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	require.NotEqual(t, c.Taken, c.Braked)
	return c
}

func limit(n int64) map[string]int64 { return map[string]int64{"credits": n} }

func largestSinglePayout(t *testing.T, b *bundle) {
	b.owe(t, 1, credits(100), 1, 1)
	b.owe(t, 2, credits(101), 1, 1)
	b.owe(t, 3, reward.Quantity{Amount: 5000, Unit: reward.Points}, 1, 1)
	caps := ledger.Caps{MaxSingle: limit(100)}
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Braked)
	require.True(t, b.claimUnder(t, 3, caps).Taken, "a unit without an entry has no cap")
	b.owe(t, 4, credits(1), 1, 1)
	require.True(t, b.claimUnder(t, 4, ledger.Caps{MaxSingle: limit(0)}).Braked, "a cap of nothing lets nothing leave")
}

func capPerDay(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerDay: limit(100)}
	for id := range reward.ID(4) {
		b.owe(t, id+1, credits(40), int64(id), int64(id))
	}
	b.owe(t, 5, credits(20), 9, 9)
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Taken)
	require.True(t, b.claimUnder(t, 3, caps).Braked)
	require.True(t, b.claimUnder(t, 5, caps).Taken, "up to the cap itself")
	b.clock.advance(24 * time.Hour)
	require.True(t, b.claimUnder(t, 3, caps).Taken, "tomorrow is another day")
}

func capCountsWhatMayBePaid(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerDay: limit(100)}
	counts := []struct {
		out  payout.Outcome
		want bool
	}{
		{settled("r1"), true},
		{payout.Outcome{Class: payout.ClassAccepted, Reference: "r2"}, true},
		{payout.Outcome{Class: payout.ClassUnknown}, true},
		{payout.Outcome{Class: payout.ClassConflict}, true},
		{payout.Outcome{Class: payout.ClassNotSent}, true},
		{payout.Outcome{Class: payout.ClassRefused}, false},
	}
	for i, c := range counts {
		id := reward.ID(10 * (i + 1))
		b.clock.advance(24 * time.Hour)
		b.owe(t, id, credits(100), 1, 1)
		b.owe(t, id+1, credits(1), 1, 1)
		b.owe(t, id+2, credits(1000), 1, 1) // Reserved and never claimed: does not count.
		first := b.claimUnder(t, id, caps)
		require.True(t, first.Taken)
		require.True(t, b.claimUnder(t, id+1, caps).Braked, "on the wire counts")
		_, err := b.Finish(b.ctx, first.Attempt, c.out)
		require.NoError(t, err)
		require.Equal(t, c.want, b.claimUnder(t, id+1, caps).Braked, c.out.Class)
	}

	b.clock.advance(24 * time.Hour)
	b.owe(t, 100, credits(100), 1, 1)
	c := b.claimUnder(t, 100, caps)
	_, err := b.Finish(b.ctx, c.Attempt, payout.Outcome{Class: payout.ClassNotSent})
	require.NoError(t, err)
	require.True(t, b.claimUnder(t, 100, caps).Taken, "a payout does not count against itself")

	b.clock.advance(24 * time.Hour)
	b.owe(t, 110, credits(100), 1, 1)
	b.owe(t, 111, credits(1), 1, 1)
	_, err = b.PayByHand(b.ctx, 110, "alice", "bank-1", b.clock.Now())
	require.NoError(t, err)
	require.True(t, b.claimUnder(t, 111, caps).Braked, "by hand is paid, too")
}

func capPerPromoter(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerPromoterPerDay: limit(50)}
	b.owe(t, 1, credits(50), 7, 1)
	b.owe(t, 2, credits(1), 7, 2)
	b.owe(t, 3, credits(50), 8, 1)
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Braked)
	require.True(t, b.claimUnder(t, 3, caps).Taken)
}

func capPerCampaign(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerCampaignPerDay: limit(50)}
	b.owe(t, 1, credits(50), 7, 1)
	b.owe(t, 2, credits(1), 8, 1)
	b.owe(t, 3, credits(50), 7, 2)
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Braked)
	require.True(t, b.claimUnder(t, 3, caps).Taken)
}

func cashIsCappedByCurrency(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerDay: map[string]int64{"USD": 1000, "cash": 1}}
	b.owe(t, 1, reward.Quantity{Amount: 1000, Unit: reward.Cash, Currency: "USD"}, 1, 1)
	b.owe(t, 2, reward.Quantity{Amount: 1, Unit: reward.Cash, Currency: "USD"}, 1, 1)
	b.owe(t, 3, reward.Quantity{Amount: 9000, Unit: reward.Cash, Currency: "EUR"}, 1, 1)
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Braked)
	require.True(t, b.claimUnder(t, 3, caps).Taken)
}

func dayIsUTC(t *testing.T, b *bundle) {
	caps := ledger.Caps{MaxPerDay: limit(10)}
	for id := range reward.ID(3) {
		b.owe(t, id+1, credits(10), 1, 1)
	}
	// One UTC day, seen from a zone where midnight lies between.
	zone := time.FixedZone("east", 11*3600)
	at := func(id reward.ID, now time.Time) ledger.Claim {
		c, err := b.Claim(b.ctx, id, caps, now.In(zone), now.Add(time.Minute).In(zone))
		require.NoError(t, err)
		return c
	}
	morning := time.Date(2026, time.March, 11, 0, 0, 0, 0, time.UTC)
	require.True(t, at(1, morning.Add(-time.Millisecond)).Taken)
	require.True(t, at(2, morning).Taken)
	require.True(t, at(3, morning.Add(24*time.Hour-time.Millisecond)).Braked)
	require.True(t, at(3, morning.Add(24*time.Hour)).Taken)
}

func capsNeverOverflow(t *testing.T, b *bundle) {
	const most = int64(1<<63 - 1)
	caps := ledger.Caps{MaxPerDay: limit(most)}
	b.owe(t, 1, credits(most-1), 1, 1)
	b.owe(t, 2, credits(2), 1, 1)
	b.owe(t, 3, credits(1), 1, 1)
	require.True(t, b.claimUnder(t, 1, caps).Taken)
	require.True(t, b.claimUnder(t, 2, caps).Braked)
	require.True(t, b.claimUnder(t, 3, caps).Taken)
	b.owe(t, 4, credits(most), 1, 1)
	b.owe(t, 5, credits(1), 1, 1)
	require.True(t, b.claimUnder(t, 4, ledger.Caps{}).Taken, "without a cap nothing is summed up that could overflow")
	require.True(t, b.claimUnder(t, 5, caps).Braked)
}
