package activities_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const rewardID reward.ID = 2429153

// unread and unasked are for parts of the activities that a test does not need.
type (
	unread  struct{ activities.FirstPromoter }
	unasked struct{ activities.Judge }
)

// world is a real ledger and the activities on it, with a clock that the test
// moves.
type world struct {
	ledger *sqlite.Ledger
	acts   *activities.Activities

	mu  sync.Mutex
	now time.Time
}

// newWorld returns a world with one provider, "payouts".
func newWorld(t *testing.T, provider payout.Provider, fp activities.FirstPromoter) *world {
	t.Helper()
	w := &world{now: time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)}
	var err error
	w.ledger, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: w.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })
	w.acts, err = activities.New(activities.Config{}, activities.Deps{
		Ledger: w.ledger, FirstPromoter: fp, Judge: unasked{}, Now: w.Now,
		Providers: map[string]payout.Provider{"payouts": provider},
	})
	require.NoError(t, err)
	return w
}

// Now returns the world's time.
func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// owed is the reward of these tests: 12.50 USD.
func owed() reward.Reward {
	return reward.Reward{
		ID: rewardID, Quantity: reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"},
		Promoter: reward.Promoter{ID: 7}, Campaign: reward.Campaign{ID: 17476},
	}
}

// event returns the event that asks for the reward.
func event() ledger.Event {
	return ledger.Event{
		Type: "fulfilment_pending", Dedupe: "1", EventID: "1", Reward: &ledger.Claimed{Reward: owed()}, Body: []byte("{}"), Dispatch: true,
	}
}

// assessed accepts the reward and gives it a status.
func (w *world) assessed(t *testing.T, status reward.Status, verified bool) {
	t.Helper()
	_, err := w.ledger.Accept(t.Context(), event(), time.Minute)
	require.NoError(t, err)
	require.NoError(t, w.ledger.Assess(t.Context(), ledger.Assessment{
		Reward: owed(), Verified: verified, Status: status, Reason: "rule 1", Provider: "payouts",
		Digest: "digest-1", PolicyVersion: "v1", Rule: "rule 1", Approvals: 1,
	}, "policy"))
}

// finished brings the reward to a payout whose first attempt came to out.
func (w *world) finished(t *testing.T, out payout.Outcome) ledger.Payout {
	t.Helper()
	w.assessed(t, reward.Approved, true)
	_, err := w.ledger.Reserve(t.Context(), ledger.Reservation{
		RewardID: rewardID, Provider: "payouts", Quantity: owed().Quantity, At: w.Now(),
		Request: payout.Request{Key: payout.Key(rewardID, 1), Destination: "somewhere", Body: []byte("body")},
	})
	require.NoError(t, err)
	claim, err := w.ledger.Claim(t.Context(), rewardID, ledger.Caps{}, w.Now(), w.Now().Add(time.Minute))
	require.NoError(t, err)
	require.True(t, claim.Taken)
	p, err := w.ledger.Finish(t.Context(), claim.Attempt, out)
	require.NoError(t, err)
	return p
}

// do runs an activity as a worker does.
func do[T any](t *testing.T, activity, in any) (T, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	var result T
	value, err := env.ExecuteActivity(activity, in)
	if err != nil {
		return result, err
	}
	return result, value.Get(&result)
}
