package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/payout"
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

func TestALookupIsGivenTheReferenceThatTheLedgerHas(t *testing.T) {
	t.Parallel()

	w := newWorld(t, byReference{}, unread{})
	p := w.finished(t, payout.Outcome{Class: payout.ClassAccepted, Reference: "LXVBBMVWA2GK6", Detail: "later"})
	require.Equal(t, payout.Settling, p.State)
	require.Empty(t, p.Request.Reference, "the reference is no part of what is frozen")

	result, err := do[activities.PayResult](t, w.acts.LookUp, activities.PayInput{RewardID: rewardID, Try: 1})
	require.NoError(t, err)
	require.Equal(t, payout.Paid, result.Payout)
	p, err = w.ledger.Payout(t.Context(), rewardID)
	require.NoError(t, err)
	require.Equal(t, "LXVBBMVWA2GK6", p.Reference)
}

// knowsNothing says of every key that it is surely absent.
type knowsNothing struct{ payout.Provider }

func (knowsNothing) Traits() payout.Traits {
	return payout.Traits{Window: 24 * time.Hour, Margin: time.Hour, SettleDelay: time.Minute}
}

func (knowsNothing) Lookup(context.Context, payout.Request) payout.Finding {
	return payout.Finding{Answer: payout.Absent}
}

// A request whose answer was lost may reach the provider after a look-up.
func TestAbsentCountsOnceTheLostRequestHasEnded(t *testing.T) {
	t.Parallel()

	w := newWorld(t, knowsNothing{}, unread{})
	w.finished(t, payout.Outcome{Class: payout.ClassUnknown, Detail: "no answer"})
	w.advance(time.Minute - time.Millisecond)
	result, err := do[activities.PayResult](t, w.acts.LookUp, activities.PayInput{RewardID: rewardID, Try: 1})
	require.NoError(t, err)
	require.Equal(t, payout.Unknown, result.Payout)
	require.Equal(t, time.Millisecond, result.Again)

	w.advance(time.Millisecond)
	result, err = do[activities.PayResult](t, w.acts.LookUp, activities.PayInput{RewardID: rewardID, Try: 2})
	require.NoError(t, err)
	require.Equal(t, payout.Reserved, result.Payout)
}
