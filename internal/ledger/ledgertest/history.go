package ledgertest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func historyChecks() []check {
	return []check{
		{"EveryChangeIsKept", everyChangeIsKept},
		{"SameStatusAndReasonIsNoChange", sameStatusAndReasonIsNoChange},
		{"NotifyMakesAnInternalEvent", notifyMakesAnInternalEvent},
		{"AssessmentsTellWhatPeopleMustKnow", assessmentsTellWhatPeopleMustKnow},
		{"EveryOccurrenceIsItsOwnEvent", everyOccurrenceIsItsOwnEvent},
		{"FulfilledTells", fulfilledTells},
	}
}

func everyChangeIsKept(t *testing.T, b *bundle) {
	b.paid(t, 7)
	state, may, err := b.ClaimClose(b.ctx, 7, start().Add(time.Minute))
	require.NoError(t, err)
	require.True(t, may)
	_, err = b.FinishClose(b.ctx, 7, state.Fence, ledger.CallDone, "read back as completed")
	require.NoError(t, err)

	changes, err := b.Changes(b.ctx, 7)
	require.NoError(t, err)
	var path []reward.Status
	previous := reward.Status("")
	for _, c := range changes {
		require.Equal(t, previous, c.From)
		require.NotEmpty(t, c.Actor)
		require.NotEmpty(t, c.Reason)
		require.Equal(t, start(), c.At)
		previous = c.To
		path = append(path, c.To)
	}
	require.Equal(t, []reward.Status{
		reward.Received, reward.Approved, reward.Paying, reward.Paid, reward.Closing, reward.Fulfilled,
	}, path)
}

func sameStatusAndReasonIsNoChange(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	held := ledger.Transition{ID: 7, To: reward.Held, Reason: "wait", Actor: "policy", NextTimer: start().Add(time.Hour), Notify: "reward_held"}
	require.NoError(t, b.Move(b.ctx, held))
	require.Equal(t, held.NextTimer, b.record(t, 7).NextTimer)
	b.clock.advance(time.Minute)

	before := snapshotOf(t, b.Ledger, 7)
	held.NextTimer = start().Add(2 * time.Hour)
	require.NoError(t, b.Move(b.ctx, held))
	before.Record.NextTimer = held.NextTimer
	require.Equal(t, before, snapshotOf(t, b.Ledger, 7))
	require.Len(t, b.notices(t), 1)

	held.Reason = "still waiting"
	require.NoError(t, b.Move(b.ctx, held))
	require.Equal(t, ledger.Change{
		At: start().Add(time.Minute), From: reward.Held, To: reward.Held, Reason: "still waiting", Actor: "policy",
	}, b.lastChange(t, 7))
}

// notice is the body of an internal event.
type notice struct {
	RewardID reward.ID     `json:"reward_id"`
	Status   reward.Status `json:"status"`
	Reason   string        `json:"reason"`
}

func requireNotice(t *testing.T, p ledger.Pending, eventType string, want notice) {
	t.Helper()
	require.Equal(t, eventType, p.Type)
	require.Zero(t, p.RewardID)
	var got notice
	require.NoError(t, json.Unmarshal(p.Body, &got))
	require.Equal(t, want, got)
	require.NotContains(t, string(p.Body), "@", "an internal event holds no personal data")
}

func notifyMakesAnInternalEvent(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Verifying, Reason: "reading it back"}))
	require.Empty(t, b.notices(t))
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Attention, Reason: "no route", Notify: "reward_attention"}))
	notices := b.notices(t)
	require.Len(t, notices, 1)
	requireNotice(t, notices[0], "reward_attention", notice{7, reward.Attention, "no route"})
	require.NotEmpty(t, notices[0].EventID)
	deliveries, err := b.Deliveries(b.ctx, 7)
	require.NoError(t, err)
	require.Len(t, deliveries, 1, "an internal event was not delivered by anybody")
}

func assessmentsTellWhatPeopleMustKnow(t *testing.T, b *bundle) {
	tells := map[reward.Status]bool{
		reward.Quarantined: true, reward.AwaitingApproval: true, reward.Held: true,
		reward.Attention: true, reward.Rejected: true, reward.FulfilledElsewhere: true,
	}
	for i, status := range reward.Statuses() {
		id := reward.ID(i + 1)
		b.accept(t, pending(id, 1))
		require.NoError(t, b.Assess(b.ctx, assessment(id, status), "policy"))
		notices := b.notices(t)
		if !tells[status] {
			require.Empty(t, notices, status)
			continue
		}
		require.Len(t, notices, 1, status)
		requireNotice(t, notices[0], "reward_"+string(status), notice{id, status, "rule 1"})
	}
}

func everyOccurrenceIsItsOwnEvent(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	for i := range 3 {
		for _, to := range []reward.Status{reward.Attention, reward.Held} {
			require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: to, Reason: fmt.Sprint(i), Notify: "reward_" + string(to)}))
		}
	}
	seen := make(map[string]bool)
	for _, p := range b.notices(t) {
		seen[p.Type+p.EventID] = true
	}
	require.Len(t, seen, 6)
}

func fulfilledTells(t *testing.T, b *bundle) {
	b.paid(t, 7)
	state, _, err := b.ClaimClose(b.ctx, 7, start().Add(time.Minute))
	require.NoError(t, err)
	for range 2 {
		_, err = b.FinishClose(b.ctx, 7, state.Fence, ledger.CallDone, "done")
		require.NoError(t, err)
	}
	notices := b.notices(t)
	require.Len(t, notices, 1)
	requireNotice(t, notices[0], "reward_fulfilled", notice{7, reward.Fulfilled, "done"})
}
