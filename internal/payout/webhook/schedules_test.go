package webhook_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/payout/payouttest"
	"github.com/rewardflow/rewardflow/internal/payout/protocoltest"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/payout/webhook"
)

// memory is how long a receiver must know a key.
const memory = 90 * 24 * time.Hour

// TestProtocol uses a receiver that keeps no more than its contract: it forgets
// a key after 90 days, and then pays for it again.
func TestProtocol(t *testing.T) {
	t.Parallel()

	protocoltest.Run(t, receives(t, memory))
}

// The mishaps of the receiver, in their order.
const (
	refuses = iota
	settlesLater
	failsLater
	comesBack
	conflicts
	unprocessable
)

// receives makes receivers that know a key for so long.
func receives(t *testing.T, memory time.Duration) protocoltest.Make {
	t.Helper()
	return func(now func() time.Time) protocoltest.Subject {
		fake, err := sandbox.New(sandbox.Config{Secret: secret, Memory: memory, Now: now})
		require.NoError(t, err)
		behaves := func(name string, b sandbox.Behaviour) protocoltest.Mishap {
			return protocoltest.Mishap{Name: name, Serve: func(w http.ResponseWriter, r *http.Request) {
				fake.Script(once(), b)
				fake.ServeHTTP(w, r)
			}}
		}
		return protocoltest.Subject{
			Subject: payouttest.Subject{
				Fake: fake, Order: order(), Effects: fake.Effects,
				Connect: func(t *testing.T, baseURL string, timeout time.Duration) payout.Provider {
					t.Helper()
					p, err := webhook.New(webhook.Config{
						Name: "team", URL: baseURL + "/rewards", Secret: secret, AllowPrivateNetworks: true, Timeout: timeout, Now: now,
					})
					require.NoError(t, err)
					return p
				},
			},
			Key: func(r *http.Request, _ []byte) string { return r.Header.Get("webhook-id") },
			Mishaps: []protocoltest.Mishap{
				refuses:      behaves("refused", sandbox.Refuse("no such customer")),
				settlesLater: behaves("accepted, fulfilled in an hour", sandbox.SettleLater(time.Hour)),
				failsLater:   behaves("accepted, fails in an hour", sandbox.FailLater(time.Hour)),
				comesBack:    behaves("fulfilled, comes back in a minute", sandbox.ReturnLater(time.Minute)),
				conflicts: {Name: "409", Serve: func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusConflict)
				}},
				unprocessable: {Name: "422 by something in between", Serve: func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusUnprocessableEntity)
				}},
			},
		}
	}
}

// once matches the next payout, and none after it.
func once() sandbox.Match {
	used := false
	return func(sandbox.Payout) bool {
		defer func() { used = true }()
		return !used
	}
}

// at returns steps of which only some are out of order, by their number.
func at(steps map[int]protocoltest.Step) []protocoltest.Step {
	all := make([]protocoltest.Step, slices.Max(slices.Collect(maps.Keys(steps))))
	for number, step := range steps {
		all[number-1] = step
	}
	return all
}

// The points that the first payment of a fulfilment passes.
const (
	beforeClaim  = 6
	afterClaim   = 7
	beforeFinish = 8
)

// stories are schedules that random ones meet rarely. All of them end paid.
func stories() map[string]protocoltest.Schedule {
	own := func(n int) protocoltest.Fault { return protocoltest.Fault{Kind: protocoltest.Own, Mishap: n} }
	down := protocoltest.Fault{Kind: protocoltest.FailsBefore}
	return map[string]protocoltest.Schedule{
		"TwoProcessesClaimAtTheSameTime": {
			Steps: at(map[int]protocoltest.Step{beforeClaim: {Kind: protocoltest.Rival, For: 5 * time.Second}}),
			Lives: []protocoltest.Life{{Lasts: time.Minute}},
		},
		// The first process read that it may claim. By the time at which it does, an
		// attempt of another one is out.
		"AClaimWhileAnotherAttemptIsOut": {
			Sends: []protocoltest.Fault{{Kind: protocoltest.ResetAfter}},
			Steps: at(map[int]protocoltest.Step{
				beforeClaim: {Kind: protocoltest.Rival, For: 1500 * time.Millisecond},
				12:          {Kind: protocoltest.Fails},
			}),
			Lives: []protocoltest.Life{{Lasts: time.Minute}},
		},
		// The second process sends while the first one has sent nothing yet, and is
		// refused; a person asks for a new payout. The first one must stay silent.
		"AProcessWakesUpAfterItsKeyWasRefused": {
			Sends: []protocoltest.Fault{own(refuses)},
			Steps: at(map[int]protocoltest.Step{afterClaim: {Kind: protocoltest.Rival, For: time.Minute}}),
			Lives: []protocoltest.Life{{Lasts: time.Minute}},
		},
		// The first process was told "not now", and says so only when the attempt
		// of another one is on the wire, whose process dies.
		"AnOldAnswerComesWhileANewAttemptIsOut": {
			Sends: []protocoltest.Fault{{Kind: protocoltest.Throttled}},
			Steps: at(map[int]protocoltest.Step{
				beforeFinish: {Kind: protocoltest.Rival, For: 27*time.Second + 500*time.Millisecond},
				26:           {Kind: protocoltest.Dies},
			}),
			Lives: []protocoltest.Life{{Lasts: time.Second}},
		},
		// The first send paid, and nobody learned it. What the second one is told
		// says nothing about the first.
		"ARefusalAfterABlindResend": {
			Sends: []protocoltest.Fault{
				{Kind: protocoltest.ResetAfter}, own(unprocessable),
			},
			Reads: []protocoltest.Fault{down, down, down},
			Lives: []protocoltest.Life{{Lasts: 10 * time.Minute}},
		},
		"TheWindowClosesOnALostSend": {
			Sends: []protocoltest.Fault{{Kind: protocoltest.NeverAnswers}},
			Reads: slices.Repeat([]protocoltest.Fault{down}, 20),
			Lives: []protocoltest.Life{{Lasts: time.Minute, Events: []protocoltest.Event{
				{After: time.Second, Kind: protocoltest.Forgotten, For: time.Second},
				{After: 5 * time.Second, Kind: protocoltest.Person},
			}}},
		},
	}
}

func TestStories(t *testing.T) {
	t.Parallel()

	for name, story := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			played := protocoltest.Play(t, receives(t, memory), story)
			t.Log(strings.Join(played.Diary, "\n"))
			require.Empty(t, played.Broken)
			require.Equal(t, payout.Paid, played.Payout)
			require.Equal(t, 1, played.Effects)
		})
	}
}

// A receiver that breaks its promise is found out: what the property checks, it
// would see.
func TestAReceiverThatForgetsTooSoonIsSeenToPayTwice(t *testing.T) {
	t.Parallel()

	down := protocoltest.Fault{Kind: protocoltest.FailsBefore}
	played := protocoltest.Play(t, receives(t, time.Second), protocoltest.Schedule{
		Sends: []protocoltest.Fault{{Kind: protocoltest.NeverAnswers}},
		Reads: []protocoltest.Fault{down, down, down},
		Lives: []protocoltest.Life{{Lasts: 10 * time.Minute}},
	})
	require.Equal(t, 2, played.Effects, strings.Join(played.Diary, "\n"))
	require.Contains(t, strings.Join(played.Broken, "\n"), "paid 2 times")
}
