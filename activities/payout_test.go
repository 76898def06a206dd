package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// forgetful prepares another body each time, as one does that writes a date or
// reads a destination. It keeps what went on the wire, and what onSend saw
// when it did.
type forgetful struct {
	payout.Provider
	prepared int
	sent     []payout.Request
	onSend   func()
	outcome  payout.Outcome
}

func (f *forgetful) Traits() payout.Traits { return payout.Traits{} }

func (f *forgetful) Prepare(_ context.Context, o payout.Order) (payout.Request, error) {
	f.prepared++
	return payout.Request{Key: o.Key, Destination: "somewhere", Body: fmt.Appendf(nil, "body %d", f.prepared)}, nil
}

func (f *forgetful) Send(_ context.Context, req payout.Request) payout.Outcome {
	f.sent = append(f.sent, req)
	if f.onSend != nil {
		f.onSend()
	}
	return f.outcome
}

func TestEverySendIsWhatWasFrozen(t *testing.T) {
	t.Parallel()

	provider := &forgetful{outcome: payout.Outcome{Class: payout.ClassNotSent, Kind: fault.Throttled, Detail: "busy"}}
	w := newWorld(t, provider, unread{})
	w.assessed(t, reward.Approved, true)
	for range 3 {
		result, err := do[activities.PayResult](t, w.acts.Pay, activities.PayInput{RewardID: rewardID})
		require.NoError(t, err)
		require.Equal(t, payout.Reserved, result.Payout)
	}
	p, err := w.ledger.Payout(t.Context(), rewardID)
	require.NoError(t, err)
	require.Equal(t, []payout.Request{p.Request, p.Request, p.Request}, provider.sent)
	require.Equal(t, "body 1", string(p.Request.Body))
	require.Equal(t, 1, provider.prepared)
}

func TestTheAttemptIsCommittedBeforeTheWire(t *testing.T) {
	t.Parallel()

	provider := &forgetful{outcome: payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"}}
	fp := &counting{}
	w := newWorld(t, provider, fp)
	w.assessed(t, reward.Approved, true)
	var state payout.State
	var attempts []ledger.Attempt
	provider.onSend = func() {
		p, err := w.ledger.Payout(context.Background(), rewardID)
		if err == nil {
			state = p.State
		}
		attempts, _ = w.ledger.Attempts(context.Background(), rewardID)
	}
	result, err := do[activities.PayResult](t, w.acts.Pay, activities.PayInput{RewardID: rewardID})
	require.NoError(t, err)
	require.Equal(t, payout.Paid, result.Payout)
	require.Len(t, provider.sent, 1)
	require.Equal(t, payout.Submitting, state, "as it was while the request was on the wire")
	require.Len(t, attempts, 1)
	require.True(t, attempts[0].FinishedAt.IsZero())
	require.NotNil(t, result.Close)
	require.True(t, result.Close.Closed, "what is paid at once is closed at once")
	require.Equal(t, 1, fp.closes)
}

// A close that does not go smoothly is left to the activity that has the time
// for it; what was paid is told all the same.
func TestWhatIsPaidIsToldEvenIfItCannotBeClosed(t *testing.T) {
	t.Parallel()

	provider := &forgetful{outcome: payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"}}
	w := newWorld(t, provider, &counting{away: true})
	w.assessed(t, reward.Approved, true)
	result, err := do[activities.PayResult](t, w.acts.Pay, activities.PayInput{RewardID: rewardID})
	require.NoError(t, err)
	require.Equal(t, payout.Paid, result.Payout)
	require.NotNil(t, result.Close)
	require.False(t, result.Close.Closed)
	require.Contains(t, result.Close.Reason, "will be told again")
}

// TestAPersonIsAskedWhoeverLearnedOfTheRefusal takes up a payout whose process
// ended between the provider's answer and the words for people.
func TestAPersonIsAskedWhoeverLearnedOfTheRefusal(t *testing.T) {
	t.Parallel()

	for state, out := range map[payout.State]payout.Outcome{
		payout.Refused:    {Class: payout.ClassRefused, Detail: "no such customer"},
		payout.Conflicted: {Class: payout.ClassConflict, Detail: "another amount"},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()

			provider := &forgetful{}
			w := newWorld(t, provider, unread{})
			require.Equal(t, state, w.finished(t, out).State)
			result, err := do[activities.PayResult](t, w.acts.Pay, activities.PayInput{RewardID: rewardID, Assess: true})
			require.NoError(t, err)
			require.NotNil(t, result.Standing)
			require.Equal(t, reward.Attention, result.Standing.Status)
			require.Contains(t, result.Standing.Reason, out.Detail)
			require.Equal(t, state, result.Standing.Payout)

			rec, err := w.ledger.Reward(t.Context(), rewardID)
			require.NoError(t, err)
			require.Equal(t, reward.Attention, rec.Status)
			require.Contains(t, rec.Reason, out.Detail)
			notices, err := w.ledger.Lease(t.Context(), "test", 10, time.Minute)
			require.NoError(t, err)
			require.Len(t, notices, 2, "the reward's own event, and the word for people")
			require.Equal(t, activities.NotifyAttention, notices[1].Type)

			again, err := do[activities.Standing](t, w.acts.Assess, activities.AssessInput{RewardID: rewardID})
			require.NoError(t, err)
			require.Equal(t, reward.Attention, again.Status)
			require.Empty(t, provider.sent)
			depth, _, err := w.ledger.InboxDepth(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, depth, "people are asked once")
		})
	}
}

// Whatever a workflow believes, the ledger says what may be paid.
func TestNothingIsReservedThatIsNotApproved(t *testing.T) {
	t.Parallel()

	for name, standing := range map[string]struct {
		status   reward.Status
		verified bool
	}{
		"not asked about":      {reward.Approved, false},
		"waiting for approval": {reward.AwaitingApproval, true},
		"held":                 {reward.Held, true},
		"in quarantine":        {reward.Quarantined, false},
		"in trouble":           {reward.Attention, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			provider := &forgetful{outcome: payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"}}
			w := newWorld(t, provider, unread{})
			w.assessed(t, standing.status, standing.verified)
			_, err := do[activities.PayResult](t, w.acts.Pay, activities.PayInput{RewardID: rewardID})
			require.ErrorContains(t, err, "not approved")
			require.Zero(t, provider.prepared)
			require.Empty(t, provider.sent)
			_, err = w.ledger.Payout(t.Context(), rewardID)
			require.Equal(t, fault.NotFound, fault.KindOf(err))
		})
	}
}
