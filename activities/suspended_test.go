package activities_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// suspended is the ledger of a process that is suspended for a while around
// each claim: a virtual machine that is moved, a laptop that is closed.
type suspended struct {
	*sqlite.Ledger
	now           time.Time
	before, after time.Duration
}

func (s *suspended) Now() time.Time { return s.now }

func (s *suspended) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	s.now = s.now.Add(s.before)
	claim, err := s.Ledger.Claim(ctx, id, caps, now, deadline)
	s.now = s.now.Add(s.after)
	return claim, err
}

func (s *suspended) ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (ledger.CloseState, bool, error) {
	s.now = s.now.Add(s.before)
	state, claimed, err := s.Ledger.ClaimClose(ctx, id, deadline)
	s.now = s.now.Add(s.after)
	return state, claimed, err
}

// counting pays at once and counts.
type counting struct {
	payout.Provider
	sends, closes int
	remaining     time.Duration
	// away keeps FirstPromoter from answering.
	away bool
}

func (*counting) Traits() payout.Traits { return payout.Traits{} }

func (*counting) Prepare(_ context.Context, o payout.Order) (payout.Request, error) {
	return payout.Request{Key: o.Key, Destination: "somewhere", Body: []byte(o.Key)}, nil
}

func (c *counting) Send(ctx context.Context, _ payout.Request) payout.Outcome {
	c.sends++
	deadline, _ := ctx.Deadline()
	c.remaining = time.Until(deadline)
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "ref-1"}
}

func (c *counting) Owed(context.Context, int64, reward.ID) (activities.Owed, error) {
	if c.away {
		return activities.Owed{}, fault.New(fault.Unavailable, "fake", "cannot connect")
	}
	return activities.Owed{Status: "pending"}, nil
}

func (c *counting) Complete(context.Context, reward.ID) error {
	c.closes++
	return nil
}

func TestAProcessThatWasSuspendedSendsNothingAfterItsDeadline(t *testing.T) {
	t.Parallel()

	const id reward.ID = 2429153
	for name, c := range map[string]struct {
		before, after time.Duration
		sends         int
	}{
		"not suspended":            {sends: 1},
		"suspended for a moment":   {after: 5 * time.Second, sends: 1},
		"suspended before a claim": {before: 15 * time.Second},
		"suspended after a claim":  {after: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := &suspended{now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), before: c.before, after: c.after}
			l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: s.Now})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			s.Ledger = l
			approve(t, l, id)
			provider := &counting{away: true}
			acts, err := activities.New(activities.Config{}, activities.Deps{
				Ledger: s, FirstPromoter: provider, Judge: unasked{}, Now: s.Now,
				Providers: map[string]payout.Provider{"payouts": provider},
			})
			require.NoError(t, err)
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivity(acts)

			_, err = env.ExecuteActivity(acts.Pay, activities.PayInput{RewardID: id, Try: 1})
			require.NoError(t, err)
			require.Equal(t, c.sends, provider.sends)
			attempts, err := l.Attempts(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, attempts, 1)
			p, err := l.Payout(t.Context(), id)
			require.NoError(t, err)
			if c.sends == 0 {
				require.Equal(t, string(payout.ClassNotSent), attempts[0].Outcome)
				require.Equal(t, payout.Reserved, p.State, "it is sent by another attempt")
				require.Equal(t, ledger.DoubtNone, p.Doubt)
				return
			}
			require.LessOrEqual(t, provider.remaining, 15*time.Second-c.after, "it gives up when its attempt's time is over")
			require.Equal(t, payout.Paid, p.State)
			s.before, s.after, provider.away = 0, 15*time.Second, false
			_, err = env.ExecuteActivity(acts.Close, activities.CloseInput{RewardID: id})
			require.NoError(t, err)
			require.Zero(t, provider.closes, "a call whose time was over is not made")
			s.after = 0
			_, err = env.ExecuteActivity(acts.Close, activities.CloseInput{RewardID: id})
			require.NoError(t, err)
			require.Equal(t, 1, provider.closes)
		})
	}
}

// approve brings a reward to the point at which it may be paid.
func approve(t *testing.T, l *sqlite.Ledger, id reward.ID) {
	t.Helper()
	owed := reward.Reward{
		ID: id, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 7}, Campaign: reward.Campaign{ID: 17476},
	}
	_, err := l.Accept(t.Context(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: "1", EventID: "1", Reward: &ledger.Claimed{Reward: owed}, Body: []byte("{}"), Dispatch: true,
	}, time.Minute)
	require.NoError(t, err)
	require.NoError(t, l.Assess(t.Context(), ledger.Assessment{
		Reward: owed, Verified: true, Status: reward.Approved, Reason: "rule 1", Provider: "payouts",
		Digest: "digest-1", PolicyVersion: "v1", Rule: "rule 1",
	}, "policy"))
}
