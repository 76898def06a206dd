package stripe_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// rewardOf is an order of another reward, or of a later generation.
func rewardOf(id reward.ID, generation int, quantity reward.Quantity) payout.Order {
	o := order(quantity)
	o.Reward.ID, o.Key = id, payout.Key(id, generation)
	return o
}

func months(n int64) reward.Quantity { return reward.Quantity{Amount: n, Unit: reward.FreeMonths} }

func trialEnd(fake *fakeStripe) time.Time {
	fake.mu.Lock()
	defer fake.mu.Unlock()
	return time.Unix(fake.sub()["trial_end"].(int64), 0).UTC()
}

func TestASubscriptionThatMovedOnIsNotTouched(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	first := prepare(t, p, rewardOf(1, 1, months(1)))
	second := prepare(t, p, rewardOf(2, 1, months(2)))
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), first).Class)

	out := p.Send(t.Context(), second)
	require.Equal(t, payout.ClassRefused, out.Class)
	require.Equal(t, "the subscription sub_7 has moved on since its new date was set: retry makes a new payout with a new date", out.Detail)
	require.Zero(t, fake.Effects("rf_2_1"))

	again := prepare(t, p, rewardOf(2, 2, months(2)))
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), again).Class)
	require.Equal(t, time.Date(2027, 4, 28, 10, 30, 0, 0, time.UTC), trialEnd(fake), "both rewards count")
	require.Equal(t, payout.FoundSettled, p.Lookup(t.Context(), first).Answer, "a later reward hides no marker")
}

// Between reserve and send the subscription became one that nothing should be
// given to.
func TestASubscriptionThatBecameUnfitIsRefused(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"FreeMonths", "DiscountPer"} {
		for field, value := range map[string]any{
			"cancel_at_period_end": true, "status": "canceled", "customer": "cus_8", "schedule": "sub_sched_1",
		} {
			fake := newFake()
			p := serve(t, fake)
			req := prepare(t, p, order(kinds()[name].quantity))
			fake.do(func() { fake.sub()[field] = value })
			out := p.Send(t.Context(), req)
			require.Equal(t, payout.ClassRefused, out.Class, "%s %s: %s", name, field, out.Detail)
			require.Empty(t, fake.posts())
		}
	}
}

// Two workers read the same state and write after one another. The second one
// would take the months of the first: it must wait, whatever it has read.
func TestTwoRewardsForOneSubscriptionGoOneAfterTheOther(t *testing.T) {
	t.Parallel()

	fake := newFake()
	reached, release := make(chan struct{}), make(chan struct{})
	held := sync.OnceFunc(func() { close(reached); <-release })
	p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "rf_1_1" {
			held()
		}
		fake.ServeHTTP(w, r)
	}))
	first := prepare(t, p, rewardOf(1, 1, months(1)))
	second := prepare(t, p, rewardOf(2, 1, months(2)))

	done := make(chan payout.Outcome, 1)
	go func() { done <- p.Send(t.Context(), first) }()
	<-reached
	out := p.Send(t.Context(), second)
	require.Equal(t, payout.ClassNotSent, out.Class, out.Detail)
	require.Equal(t, fault.Throttled, out.Kind)
	require.Equal(t, 2*time.Minute, out.RetryAfter)
	close(release)
	require.Equal(t, payout.ClassAccepted, (<-done).Class)
	require.Equal(t, payout.ClassRefused, p.Send(t.Context(), second).Class)
	require.Equal(t, time.Date(2027, 2, 28, 10, 30, 0, 0, time.UTC), trialEnd(fake))
}

func TestRewardsThatRaceForASubscriptionLoseNothing(t *testing.T) {
	t.Parallel()

	const rewards = 6
	fake := newFake()
	providers := []payout.Provider{serve(t, fake), serve(t, fake)}
	var racing sync.WaitGroup
	for id := range rewards {
		racing.Go(func() { deliver(t, providers[id%2], reward.ID(id+1)) })
	}
	racing.Wait()
	for id := range rewards {
		total := 0
		for generation := range 100 {
			total += fake.Effects(payout.Key(reward.ID(id+1), generation+1))
		}
		require.Equal(t, 1, total, "reward %d", id+1)
	}
	require.Equal(t, time.Date(2027, 7, 28, 10, 30, 0, 0, time.UTC), trialEnd(fake), "every month counts")
}

// deliver keeps to the protocol, with a person who always retries.
func deliver(t *testing.T, p payout.Provider, id reward.ID) {
	t.Helper()
	for generation := 1; generation < 100; generation++ {
		req, err := p.Prepare(t.Context(), rewardOf(id, generation, months(1)))
		if err != nil {
			t.Errorf("reward %s: %v", id, err)
			return
		}
		out := p.Send(t.Context(), req)
		for deadline := time.Now().Add(20 * time.Second); out.Class == payout.ClassNotSent; out = p.Send(t.Context(), req) {
			if time.Now().After(deadline) {
				t.Errorf("reward %s: %s", id, out.Detail)
				return
			}
		}
		if out.Class == payout.ClassAccepted {
			return
		}
	}
	t.Errorf("reward %s was never delivered", id)
}

// A reward that holds its turn and never comes back blocks others for as long
// as Stripe keeps the turn's key, and not longer.
func TestATurnThatWasNeverUsedPasses(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.fault = func(r *http.Request) failing {
		if r.Header.Get("Idempotency-Key") == "rf_1_1" {
			return failsBefore
		}
		return healthy
	}
	p := serve(t, fake)
	first, second := prepare(t, p, rewardOf(1, 1, months(1))), prepare(t, p, rewardOf(2, 1, months(2)))
	require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), first).Class)
	require.Equal(t, payout.Absent, p.Lookup(t.Context(), first).Answer)
	require.Equal(t, payout.ClassNotSent, p.Send(t.Context(), second).Class)
	fake.do(func() { fake.now = fake.now.Add(24 * time.Hour) })
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), second).Class)
}

// The turn belongs to the reward, so its next generation has it too.
func TestANewGenerationKeepsItsTurn(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	req := prepare(t, p, rewardOf(1, 1, months(1)))
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	fake.do(func() { // A person undid it, and the reward is paid again by decision.
		fake.subs[0] = subscription(subID)
	})
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepare(t, p, rewardOf(1, 2, months(1)))).Class)
}

func TestALostTurnIsNotAnUnknownOutcome(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"FreeMonths", "DiscountPer"} {
		for _, wrong := range []failing{failsBefore, failsAfter, losesAnswer} {
			fake := newFake()
			fake.fault = func(r *http.Request) failing {
				if effectKey().MatchString(r.Header.Get("Idempotency-Key")) {
					return healthy
				}
				return wrong
			}
			p := serve(t, fake)
			req := prepare(t, p, order(kinds()[name].quantity))
			out := p.Send(t.Context(), req)
			require.Equal(t, payout.ClassNotSent, out.Class, out.Detail)
			require.Equal(t, fault.Unavailable, out.Kind)
			require.Zero(t, fake.Effects(key))
		}
	}
}

func TestOldMarkersMakeRoom(t *testing.T) {
	t.Parallel()

	fake := newFake()
	at := order(months(1)).At
	old := map[string]string{"team": "2020-01-01T00:00:00Z", "rf_note": "2020-01-01T00:00:00Z x", "rf_9_9": "no date"}
	for i := range 25 {
		old["rf_"+strconv.Itoa(100+i)+"_1"] = at.AddDate(0, 0, -100+i).Format(time.RFC3339) + " months=1"
	}
	old["rf_500_1"] = at.AddDate(0, 0, -6).Format(time.RFC3339) + " months=1"
	fake.sub()["metadata"] = old
	p := serve(t, fake)
	out := p.Send(t.Context(), prepare(t, p, order(months(1))))
	require.Equal(t, payout.ClassAccepted, out.Class, out.Detail)

	got := fake.markers()
	for i := range 25 {
		name := fmt.Sprintf("rf_%d_1", 100+i)
		if i < 7 { // 26 old ones and the new one, of which 20 stay.
			require.NotContains(t, got, name)
		} else {
			require.Contains(t, got, name)
		}
	}
	for _, name := range []string{"team", "rf_note", "rf_9_9", "rf_500_1", key, "rewardflow_turn"} {
		require.Contains(t, got, name)
	}
}

func TestYoungMarkersStay(t *testing.T) {
	t.Parallel()

	fake := newFake()
	young := map[string]string{}
	for i := range 30 {
		young[fmt.Sprintf("rf_%d_1", 100+i)] = order(months(1)).At.Add(-time.Duration(i)*time.Hour).Format(time.RFC3339) + " x"
	}
	fake.sub()["metadata"] = young
	require.NotContains(t, string(prepare(t, serve(t, fake), order(months(1))).Body), "forget")
}

func TestDiscountsThatAreThereStay(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.sub()["discounts"] = []object{attached("di_a", "summer"), attached("di_b", "winter")}
	p := serve(t, fake)
	req := prepare(t, p, order(kinds()["DiscountPer"].quantity))
	require.Contains(t, string(req.Body), `"keep":["di_a","di_b"]`)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	now := fake.sub()["discounts"].([]object)
	require.Len(t, now, 3)
	require.Equal(t, "di_a", now[0]["id"])
	require.Equal(t, "di_b", now[1]["id"])
}

func TestDiscountsThatChangedSinceAreNotOverwritten(t *testing.T) {
	t.Parallel()

	fake := newFake()
	p := serve(t, fake)
	first, second := prepare(t, p, rewardOf(1, 1, kinds()["DiscountPer"].quantity)), prepare(t, p, rewardOf(2, 1, kinds()["DiscountMon"].quantity))
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), first).Class)
	out := p.Send(t.Context(), second)
	require.Equal(t, payout.ClassRefused, out.Class)
	require.Contains(t, out.Detail, "have changed since")
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), prepare(t, p, rewardOf(2, 2, kinds()["DiscountMon"].quantity))).Class)
	require.Len(t, fake.sub()["discounts"], 2)
}

// An invoice uses the discount up, and it is gone from the subscription; the
// coupon remembers.
func TestADiscountThatWasUsedIsFound(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.fault = func(r *http.Request) failing {
		if r.Header.Get("Idempotency-Key") == key {
			return losesAnswer
		}
		return healthy
	}
	p := serve(t, fake)
	req := prepare(t, p, order(kinds()["DiscountPer"].quantity))
	require.Equal(t, payout.ClassUnknown, p.Send(t.Context(), req).Class)
	fake.do(func() { fake.sub()["discounts"] = []object{} })
	require.Equal(t, payout.FoundSettled, p.Lookup(t.Context(), req).Answer)
	out := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, out.Class)
	require.Equal(t, key, out.Reference)
	require.Equal(t, 1, fake.Effects(key))
}

// Another try with the same key finishes between the two reads. What it did is
// no change that somebody else made.
func TestADiscountThatIsAttachedBetweenTheReadsIsAdopted(t *testing.T) {
	t.Parallel()

	fake := newFake()
	other := serve(t, fake)
	req := prepare(t, other, order(kinds()["DiscountPer"].quantity))
	var reads atomic.Int64
	p := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reads.Add(1) == 2 {
			other.Send(r.Context(), req)
		}
		fake.ServeHTTP(w, r)
	}))
	out := p.Send(t.Context(), req)
	require.Equal(t, payout.ClassAccepted, out.Class, out.Detail)
	require.Equal(t, 1, fake.Effects(key))
}

// A coupon that was made and not attached is not a discount.
func TestACouponAloneIsAbsent(t *testing.T) {
	t.Parallel()

	fake := newFake()
	fake.fault = func(r *http.Request) failing {
		if r.URL.Path == "/v1/coupons" {
			return losesAnswer
		}
		return healthy
	}
	p := serve(t, fake)
	req := prepare(t, p, order(kinds()["DiscountMon"].quantity))
	require.Equal(t, payout.ClassNotSent, p.Send(t.Context(), req).Class)
	require.Equal(t, payout.Absent, p.Lookup(t.Context(), req).Answer)
	require.Equal(t, payout.ClassAccepted, p.Send(t.Context(), req).Class)
	require.Equal(t, 1, fake.Effects(key))
}
