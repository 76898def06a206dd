package ledgertest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func messageChecks() []check {
	return []check{
		{"MessageIsClaimedByOne", messageIsClaimedByOne},
		{"MessageClaimRunsOut", messageClaimRunsOut},
		{"MessageIsKept", messageIsKept},
		{"MessageNeedsAReward", messageNeedsAReward},
		{"OpenMessageHearsOfDecisions", openMessageHearsOfDecisions},
		{"OpenMessageHearsOfStatuses", openMessageHearsOfStatuses},
		{"MessageHearsOfANewDigest", messageHearsOfANewDigest},
		{"NobodyHearsWithoutAnOpenMessage", nobodyHearsWithoutAnOpenMessage},
	}
}

// asked brings a reward to wait for two approvals, with everything dispatched.
func (b *bundle) asked(t *testing.T, id reward.ID) {
	t.Helper()
	b.accept(t, pending(id, 1))
	a := assessment(id, reward.AwaitingApproval)
	a.Approvals = 2
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	b.notices(t)
}

func (b *bundle) claimMessage(t *testing.T, id reward.ID) bool {
	t.Helper()
	now := b.clock.Now()
	m, err := b.ApprovalMessage(b.ctx, id)
	require.True(t, err == nil || fault.Is(err, fault.NotFound))
	taken, err := b.ClaimApprovalMessage(b.ctx, id, m.Timestamp, now, now.Add(time.Minute))
	require.NoError(t, err)
	return taken
}

// types are the internal events that were made since the last look.
func (b *bundle) types(t *testing.T) []string {
	t.Helper()
	var types []string
	for _, n := range b.notices(t) {
		types = append(types, n.Type)
	}
	return types
}

func messageIsClaimedByOne(t *testing.T, b *bundle) {
	b.asked(t, 7)
	now := b.clock.Now()
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			ok, err := b.ClaimApprovalMessage(b.ctx, 7, "", now, now.Add(time.Minute))
			if err == nil && ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())
	m, err := b.ApprovalMessage(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, ledger.ApprovalMessage{RewardID: 7, Open: true, ClaimedUntil: now.Add(time.Minute)}, m)
}

func messageClaimRunsOut(t *testing.T, b *bundle) {
	b.asked(t, 7)
	require.True(t, b.claimMessage(t, 7))
	b.clock.advance(time.Minute - time.Millisecond)
	require.False(t, b.claimMessage(t, 7))
	b.clock.advance(time.Millisecond)
	require.True(t, b.claimMessage(t, 7), "whoever posted has surely given up")
}

func messageIsKept(t *testing.T, b *bundle) {
	b.asked(t, 7)
	require.True(t, b.claimMessage(t, 7))
	want := ledger.ApprovalMessage{RewardID: 7, Channel: "C1", Timestamp: "1700000000.000100", Shown: "a", Open: true}
	require.NoError(t, b.KeepApprovalMessage(b.ctx, want))
	m, err := b.reopen(t).ApprovalMessage(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, want, m, "the claim has ended")

	taken, err := b.ClaimApprovalMessage(b.ctx, 7, "", b.clock.Now(), b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	require.False(t, taken, "somebody has posted since this one looked")
	require.True(t, b.claimMessage(t, 7), "it may be posted anew")
	m, err = b.ApprovalMessage(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, "1700000000.000100", m.Timestamp, "until it is, the old one counts")
	want.Timestamp, want.Open = "1700000000.000200", false
	require.NoError(t, b.KeepApprovalMessage(b.ctx, want))
	m, err = b.ApprovalMessage(b.ctx, 7)
	require.NoError(t, err)
	require.Equal(t, want, m)
}

func messageNeedsAReward(t *testing.T, b *bundle) {
	b.asked(t, 7)
	_, err := b.ApprovalMessage(b.ctx, 7)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = b.ClaimApprovalMessage(b.ctx, 8, "", b.clock.Now(), b.clock.Now())
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.Equal(t, fault.NotFound, fault.KindOf(b.KeepApprovalMessage(b.ctx, ledger.ApprovalMessage{RewardID: 8})))
}

func openMessageHearsOfDecisions(t *testing.T, b *bundle) {
	b.asked(t, 7)
	require.True(t, b.claimMessage(t, 7))
	for _, d := range []reward.Decision{
		{ID: "1", RewardID: 7, By: "alice", Verified: true, Roles: []string{"viewer"}, Verdict: reward.Approve, Digest: "digest-1"},
		{ID: "2", RewardID: 7, By: "alice", Verified: true, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: "digest-1"},
		{ID: "2", RewardID: 7, By: "alice", Verified: true, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: "digest-1"},
	} {
		_, err := b.Decide(b.ctx, d, false)
		require.NoError(t, err)
	}
	told := b.notices(t)
	require.Len(t, told, 1, "only what counts is told, and once")
	require.Equal(t, "reward_changed", told[0].Type)
	require.JSONEq(t, `{"reward_id":7,"status":"awaiting_approval","reason":"rule 1"}`, string(told[0].Body))
}

func openMessageHearsOfStatuses(t *testing.T, b *bundle) {
	b.asked(t, 7)
	require.True(t, b.claimMessage(t, 7))
	require.NoError(t, b.Assess(b.ctx, assessment(7, reward.Approved), "policy"))
	require.Equal(t, []string{"reward_changed"}, b.types(t))

	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Held, Reason: "the brake is on", Actor: "ledger", Notify: "reward_held"}))
	require.Equal(t, []string{"reward_held"}, b.types(t), "an event of its own is enough")
}

func messageHearsOfANewDigest(t *testing.T, b *bundle) {
	b.asked(t, 7)
	require.True(t, b.claimMessage(t, 7))
	a := assessment(7, reward.AwaitingApproval)
	a.Approvals = 2
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Empty(t, b.types(t), "nothing has changed")
	a.Digest = "digest-2"
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, []string{"reward_changed"}, b.types(t))

	require.NoError(t, b.KeepApprovalMessage(b.ctx, ledger.ApprovalMessage{RewardID: 7, Channel: "C1", Timestamp: "1", Shown: "a"}))
	a.Digest = "digest-3"
	require.NoError(t, b.Assess(b.ctx, a, "policy"))
	require.Equal(t, []string{"reward_changed"}, b.types(t), "a settled message is asked again")
}

func nobodyHearsWithoutAnOpenMessage(t *testing.T, b *bundle) {
	b.asked(t, 7)
	b.asked(t, 8)
	require.True(t, b.claimMessage(t, 8))
	require.NoError(t, b.KeepApprovalMessage(b.ctx, ledger.ApprovalMessage{RewardID: 8, Channel: "C1", Timestamp: "1", Shown: "a"}))
	for _, id := range []reward.ID{7, 8} {
		_, err := b.Decide(b.ctx, reward.Decision{
			ID: id.String(), RewardID: id, By: "alice", Verified: true, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: "digest-1",
		}, false)
		require.NoError(t, err)
		require.NoError(t, b.Assess(b.ctx, assessment(id, reward.Approved), "policy"))
	}
	require.Empty(t, b.types(t))
}
