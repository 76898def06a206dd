package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func personalChecks() []check {
	return []check{
		{"OneDataKeyWritesForASubject", oneKeyWrites},
		{"DataKeysAreWrappedAnewAsTheyWereRead", keysAreRewrapped},
		{"ErasureBlanksThePersonAndNothingElse", erasureBlanks},
	}
}

func oneKeyWrites(t *testing.T, b *bundle) {
	_, err := b.WritingKey(b.ctx, "s")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	first := ledger.DataKey{ID: "k1", Subject: "s", RingKey: "a", Wrapped: []byte{1, 2}}
	got, err := b.AddDataKey(b.ctx, first)
	require.NoError(t, err)
	require.Equal(t, "k1", got.ID)
	require.False(t, got.Erased())
	got, err = b.AddDataKey(b.ctx, ledger.DataKey{ID: "k2", Subject: "s", RingKey: "a", Wrapped: []byte{3}})
	require.NoError(t, err)
	require.Equal(t, "k1", got.ID, "the first one writes, whoever comes later")
	require.Equal(t, []byte{1, 2}, got.Wrapped)
	_, err = b.DataKey(b.ctx, "k2")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = b.AddDataKey(b.ctx, ledger.DataKey{ID: "k3", Subject: "t", RingKey: "a"})
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func keysAreRewrapped(t *testing.T, b *bundle) {
	for _, id := range []string{"k1", "k2", "k3"} {
		_, err := b.AddDataKey(b.ctx, ledger.DataKey{ID: id, Subject: "s-" + id, RingKey: "old", Wrapped: []byte(id)})
		require.NoError(t, err)
	}
	before, err := b.DataKeyCounts(b.ctx) // An adapter may have keys of its own.
	require.NoError(t, err)
	require.Equal(t, 3, before["old"])
	stale, err := b.KeysNotUnder(b.ctx, "new", 1)
	require.NoError(t, err)
	require.Len(t, stale, 1)
	stale, err = b.KeysNotUnder(b.ctx, "new", 100)
	require.NoError(t, err)
	for _, k := range stale {
		if k.RingKey != "old" {
			continue
		}
		done, err := b.RewrapDataKey(b.ctx, k, "new", []byte("again"))
		require.NoError(t, err)
		require.True(t, done)
		done, err = b.RewrapDataKey(b.ctx, k, "newer", []byte("late"))
		require.NoError(t, err)
		require.False(t, done, "somebody was here before")
	}
	k, err := b.WritingKey(b.ctx, "s-k1")
	require.NoError(t, err)
	require.Equal(t, "new", k.RingKey)
	require.Equal(t, []byte("again"), k.Wrapped)
}

func erasureBlanks(t *testing.T, b *bundle) {
	person := pending(1, 1).Reward.Reward.Promoter
	_, err := b.Accept(b.ctx, pending(1, 1), afterPaid)
	require.NoError(t, err)
	_, err = b.ErasePromoter(b.ctx, person.ID, "root")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "1 (received)")
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 1, To: reward.Rejected, Reason: "no", Actor: "alice"}))
	_, err = b.AddDataKey(b.ctx, ledger.DataKey{ID: "k", Subject: ledger.PromoterSubject(person.ID), RingKey: "a", Wrapped: []byte{1}})
	require.NoError(t, err)
	wrote, err := b.WritingKey(b.ctx, ledger.PromoterSubject(person.ID))
	require.NoError(t, err)

	done, err := b.ErasePromoter(b.ctx, person.ID, "root")
	require.NoError(t, err)
	require.Equal(t, 1, done.Rewards)
	require.Equal(t, 1, done.Keys)
	r, err := b.Reward(b.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, reward.Promoter{ID: person.ID}, r.Reward.Promoter)
	require.Equal(t, reward.Rejected, r.Status)
	require.Equal(t, pending(1, 1).Reward.Reward.Quantity.Amount, r.Reward.Quantity.Amount)
	k, err := b.DataKey(b.ctx, wrote.ID)
	require.NoError(t, err)
	require.True(t, k.Erased())
	require.Empty(t, k.Wrapped)
	_, err = b.WritingKey(b.ctx, ledger.PromoterSubject(person.ID))
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	done2, err := b.RewrapDataKey(b.ctx, k, "new", []byte("x"))
	require.NoError(t, err)
	require.False(t, done2, "an erased key stays erased")
	_, err = b.ErasePromoter(b.ctx, person.ID+1_000_000, "root")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.WithinDuration(t, b.clock.Now(), k.ErasedAt, time.Second)
}
