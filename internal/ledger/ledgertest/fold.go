package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// aClockStepDelaysNoRow takes leases and pauses under a clock that runs a day
// ahead, and sets it right.
func aClockStepDelaysNoRow(t *testing.T, b *bundle) {
	b.clock.advance(24 * time.Hour)
	leased := b.accept(t, pending(1, 1))
	postponed := b.accept(t, pending(2, 1))
	rows, err := b.Lease(b.ctx, "a", 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.NoError(t, b.Postpone(b.ctx, postponed.Inbox, time.Hour, "Temporal is down"))

	b.clock.advance(-24 * time.Hour)
	rows, err = b.Lease(b.ctx, "b", 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, rows, 2, "neither waits for the day to pass")
	require.Equal(t, leased.Inbox, rows[0].Inbox)

	// Forward, leases end early, and nothing else happens.
	b.clock.advance(48 * time.Hour)
	rows, err = b.Lease(b.ctx, "c", 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

func spooled(ev ledger.Event, delivery string, at time.Time) ledger.Spooled {
	ev.Delivery = delivery
	return ledger.Spooled{Event: ev, At: at}
}

func foldCommitsWhatAcceptWould(t *testing.T, b *bundle) {
	at := start().Add(-time.Minute)
	lead := ledger.Event{Type: "lead_signup", Dedupe: "1", EventID: "1", Body: []byte(`{}`), Dispatch: true}
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{
		spooled(pending(7, 1), "one", at), spooled(lead, "two", at.Add(time.Second)),
		spooled(ledger.Event{Type: "unheard_of", Dedupe: "1"}, "three", at),
	}))
	require.NoError(t, b.Fold(b.ctx, nil))

	r := b.record(t, 7)
	require.Equal(t, owed(7), r.Reward)
	require.Equal(t, reward.Received, r.Status)
	require.Equal(t, at, r.ReceivedAt, "the time is the answer's")
	requireDepth(t, b, 2, at)
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, []ledger.Delivery{{At: at, Type: "fulfilment_pending", EventID: "7001", Answer: 202}}, deliveries)
	rows, err := b.Lease(b.ctx, "a", 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, pending(7, 1).Body, rows[0].Body)
	require.Equal(t, pending(7, 1).Traceparent, rows[0].Traceparent)
	require.Equal(t, "lead_signup", rows[1].Type)

	// An event from the future was spooled before the clock was stepped back.
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{spooled(pending(8, 1), "four", start().Add(time.Hour))}))
	require.Equal(t, start(), b.record(t, 8).ReceivedAt)
}

func foldedTwiceIsThereOnce(t *testing.T, b *bundle) {
	batch := []ledger.Spooled{
		spooled(pending(7, 1), "one", start()),
		spooled(pending(7, 1), "two", start()), // FirstPromoter sent it again.
	}
	for range 3 {
		require.NoError(t, b.Fold(b.ctx, batch))
	}
	requireDepth(t, b, 1, start())
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, deliveries, 2)
	require.False(t, deliveries[0].Duplicate)
	require.True(t, deliveries[1].Duplicate)
	changes, err := b.Changes(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, changes, 1)
}

func foldIsAllOrNothing(t *testing.T, b *bundle) {
	err := b.Fold(b.ctx, []ledger.Spooled{
		spooled(pending(7, 1), "one", start()), spooled(ledger.Event{Dedupe: "1"}, "two", start()),
	})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	requireDepth(t, b, 0, time.Time{})
}

func foldNeverClosesAndNeverUndoes(t *testing.T, b *bundle) {
	b.paid(t, 7)
	b.clock.advance(afterPaid)
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{spooled(pending(7, 2), "one", b.clock.Now())}))
	b.requireStatus(t, 7, reward.Paid)
	require.Empty(t, b.record(t, 7).Closing.By, "its answer was 202")

	// An event that waited in the spool says what was true before the newer one.
	newer, older := pending(8, 2), pending(8, 1)
	newer.Reward = &ledger.Claimed{Reward: owed(8)}
	newer.Reward.Reward.Quantity.Amount = 9
	b.accept(t, newer)
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{spooled(older, "two", b.clock.Now().Add(-time.Minute))}))
	claim, err := b.LatestClaim(b.ctx, 8)
	require.NoError(t, err)
	require.EqualValues(t, 9, claim.Reward.Quantity.Amount)

	// And one that is newer than what is known is news.
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{spooled(pending(8, 3), "three", b.clock.Now().Add(time.Minute))}))
	claim, err = b.LatestClaim(b.ctx, 8)
	require.NoError(t, err)
	require.EqualValues(t, 3, claim.Reward.Quantity.Amount)
}

// deliveryIsRecordedOnce commits a delivery whose commit was ambiguous, and
// which went to the spool as well.
func deliveryIsRecordedOnce(t *testing.T, b *bundle) {
	ev := pending(7, 1)
	ev.Delivery = "one"
	b.accept(t, ev)
	require.NoError(t, b.Fold(b.ctx, []ledger.Spooled{{Event: ev, At: start()}}))
	b.accept(t, pending(7, 1)) // Deliveries without a name are all recorded.
	b.accept(t, pending(7, 1))
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, deliveries, 3)
}
