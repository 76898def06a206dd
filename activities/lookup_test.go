package activities_test

import (
	"context"
	"path/filepath"
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

// byReference finds a payout only under the reference that it once gave, as
// PayPal does.
type byReference struct{ payout.Provider }

func (byReference) Traits() payout.Traits { return payout.Traits{} }

func (byReference) Lookup(_ context.Context, req payout.Request) payout.Finding {
	if req.Reference == "" {
		return payout.Finding{Answer: payout.CannotTell, Detail: "no reference"}
	}
	return payout.Finding{Answer: payout.FoundSettled, Reference: req.Reference, Detail: "delivered"}
}

// unread and unasked are for parts of the activities that no look-up needs.
type (
	unread  struct{ activities.FirstPromoter }
	unasked struct{ activities.Judge }
)

// settling brings a reward to a payout that its provider has accepted.
func settling(t *testing.T, l *sqlite.Ledger, id reward.ID, reference string) {
	t.Helper()
	owed := reward.Reward{
		ID: id, Quantity: reward.Quantity{Amount: 1250, Unit: reward.Cash, Currency: "USD"},
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
	now := time.Now()
	_, err = l.Reserve(t.Context(), ledger.Reservation{
		RewardID: id, Provider: "payouts", Quantity: owed.Quantity, At: now,
		Request: payout.Request{Key: payout.Key(id, 1), Destination: "somewhere", Body: []byte("body")},
	})
	require.NoError(t, err)
	claim, err := l.Claim(t.Context(), id, ledger.Caps{}, now, now.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, claim.Taken)
	p, err := l.Finish(t.Context(), claim.Attempt, payout.Outcome{Class: payout.ClassAccepted, Reference: reference, Detail: "later"})
	require.NoError(t, err)
	require.Equal(t, payout.Settling, p.State)
	require.Empty(t, p.Request.Reference, "the reference is no part of what is frozen")
}

func TestALookupIsGivenTheReferenceThatTheLedgerHas(t *testing.T) {
	t.Parallel()

	const id reward.ID = 2429153
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	settling(t, l, id, "LXVBBMVWA2GK6")
	acts, err := activities.New(activities.Config{}, activities.Deps{
		Ledger: l, FirstPromoter: unread{}, Judge: unasked{}, Providers: map[string]payout.Provider{"payouts": byReference{}},
	})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(acts.LookUp)

	value, err := env.ExecuteActivity(acts.LookUp, activities.PayInput{RewardID: id, Try: 1})
	require.NoError(t, err)
	var result activities.PayResult
	require.NoError(t, value.Get(&result))
	require.Equal(t, payout.Paid, result.Payout)
	p, err := l.Payout(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "LXVBBMVWA2GK6", p.Reference)
}
