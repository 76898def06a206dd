package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// deafOnce cannot take in what the first attempt came to, as a database that
// is away at that moment.
type deafOnce struct {
	activities.Ledger
	once sync.Once
}

func (l *deafOnce) Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (p ledger.Payout, err error) {
	l.once.Do(func() { err = fault.New(fault.Unavailable, "fake", "the ledger is away") })
	if err != nil {
		return p, err
	}
	return l.Ledger.Finish(ctx, a, out)
}

// An activity that sent money and failed is not run again by Temporal, whatever
// the failure: the workflow looks up what became of the money.
func TestSendingHasOneAttempt(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		house func(t *testing.T) *house
		want  []string
	}{
		"in one go": {newHouse, []string{"local Pay 1", "local Assess 1", "LookUp 1", "Close 1"}},
		"after an approval": {func(t *testing.T) *house {
			t.Helper()
			h := newQuestion(t, 1)
			h.after(time.Hour, func() { h.say("1", "alice", reward.Approve) })
			return h
		}, []string{"local Pay 1", "Pay 1", "LookUp 1", "Close 1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := tt.house(t)
			h.wrap = func(l activities.Ledger) activities.Ledger { return &deafOnce{Ledger: l} }
			started := h.attempts()
			require.Equal(t, reward.Fulfilled, h.run().Status)
			h.requirePaidOnce()
			require.Equal(t, 1, h.provider.sends)
			require.Equal(t, tt.want, slices.Compact(started()))
		})
	}
}

// attempts returns the activities that the house runs, local ones too, each
// with the number of its attempt.
func (h *house) attempts() func() []string {
	var mu sync.Mutex
	var started []string
	note := func(local string, info *activity.Info) {
		mu.Lock()
		defer mu.Unlock()
		started = append(started, fmt.Sprintf("%s%s %d", local, info.ActivityType.Name, info.Attempt))
	}
	h.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) { note("", info) })
	h.env.SetOnLocalActivityStartedListener(func(info *activity.Info, _ context.Context, _ []any) { note("local ", info) })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(started)
	}
}

// A call that its activity does not outlive leaves an outcome that nobody
// records.
func TestCallsEndBeforeTheirActivities(t *testing.T) {
	t.Parallel()

	const spare = 5 * time.Second // For the ledger, before and after the call.
	h := newHouse(t)
	type call struct {
		activity string
		bounded  bool
		// spared is what is left of the activity's time when the call gives up.
		spared time.Duration
	}
	var mu sync.Mutex
	var calls []call
	called := func(ctx context.Context) {
		mu.Lock()
		defer mu.Unlock()
		info := activity.GetInfo(ctx)
		deadline, ok := ctx.Deadline()
		calls = append(calls, call{info.ActivityType.Name, ok, info.StartToCloseTimeout - time.Until(deadline)})
	}
	h.provider.called, h.fp.called = called, called
	h.provider.traits = payout.Traits{Window: 24 * time.Hour, Margin: time.Hour}
	h.provider.next = []answer{{payout.Outcome{Class: payout.ClassUnknown, Detail: "no answer"}, true}}
	require.Equal(t, reward.Fulfilled, h.run().Status)

	var names []string
	for _, c := range calls {
		names = append(names, c.activity)
		require.True(t, c.bounded, c.activity)
		require.GreaterOrEqual(t, c.spared, spare, c.activity)
	}
	require.Equal(t, []string{"Pay", "LookUp", "Close"}, names)
}

// What follows a payout within its activity ends before that, too.
func TestTheCloseAtOnceEndsBeforeItsActivity(t *testing.T) {
	t.Parallel()

	h := newHouse(t)
	var activityName string
	var spared time.Duration
	h.fp.called = func(ctx context.Context) {
		info := activity.GetInfo(ctx)
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		activityName, spared = info.ActivityType.Name, info.StartToCloseTimeout-time.Until(deadline)
	}
	require.Equal(t, reward.Fulfilled, h.run().Status)
	require.Equal(t, "Pay", activityName)
	require.GreaterOrEqual(t, spared, 5*time.Second)
}
