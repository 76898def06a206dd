package stripe_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/stripe"
)

// protocol drives one payout as the activities do: what is unknown is looked
// up, and sent again only when it is surely absent and inside the window.
type protocol struct {
	provider  *stripe.Provider
	req       payout.Request
	state     payout.State
	firstSent time.Time
}

func (p *protocol) step(t *rapid.T, now time.Time) {
	switch p.state {
	case payout.Reserved:
		if !p.provider.Traits().MayResend(p.firstSent, now) {
			return
		}
		if p.firstSent.IsZero() {
			p.firstSent = now
		}
		out := p.provider.Send(t.Context(), p.req)
		p.state, _ = payout.Next(payout.Submitting, out.Move())
	case payout.Unknown:
		finding := p.provider.Lookup(t.Context(), p.req)
		if move, ok := finding.Move(); ok {
			p.state, _ = payout.Next(p.state, move)
		} else if finding.Answer == payout.Absent {
			p.state = payout.Reserved
		}
	}
}

// For any schedule of faults, dead workers, zombies and clock jumps there is
// at most one effect, and exactly one where the ledger says paid.
func TestNoScheduleOfFaultsPaysTwice(t *testing.T) {
	t.Parallel()

	names := []string{"Credits", "FreeMonths", "DiscountPer", "DiscountMon", "Cash"}
	rapid.Check(t, func(rt *rapid.T) {
		fake := newFake()
		next := healthy
		fake.fault = func(*http.Request) failing { return next }
		server := httptest.NewServer(fake)
		defer server.Close()
		provider, err := stripe.New(config(server.URL))
		require.NoError(rt, err)
		req, err := provider.Prepare(rt.Context(), order(kinds()[rapid.SampledFrom(names).Draw(rt, "kind")].quantity))
		require.NoError(rt, err)

		p := &protocol{provider: provider, req: req, state: payout.Reserved}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			wrong := rapid.SampledFrom([]failing{healthy, failsBefore, failsAfter, losesAnswer}).Draw(rt, "fault")
			jump := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 19 * time.Hour, 25 * time.Hour}).Draw(rt, "jump")
			dies := rapid.Bool().Draw(rt, "worker dies")
			fake.do(func() { next, fake.now = wrong, fake.now.Add(jump) })
			before := p.state
			p.step(rt, fake.now)
			if dies && before == payout.Reserved && !p.firstSent.IsZero() {
				p.state = payout.Unknown // Whatever it learned is lost.
			}
			effects := fake.Effects(key)
			require.LessOrEqual(rt, effects, 1)
			if p.state == payout.Paid {
				require.Equal(rt, 1, effects)
			}
			require.NotContains(rt, []payout.State{payout.Refused, payout.Conflicted, ""}, p.state)
		}
		require.True(rt, slices.Contains([]payout.State{payout.Reserved, payout.Unknown, payout.Paid}, p.state))
	})
}
