package sealed_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/sealed"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	email   = "canary-promoter@example.net"
	custID  = "canary-customer"
	lead    = "canary-lead@example.org"
	comment = "canary-comment"
	wire    = "canary-on-the-wire"
)

func newKey(t testing.TB, id string) encryption.Key {
	t.Helper()
	_, text := encryption.NewKey(time.Now())
	k, err := encryption.ParseKey(id, text)
	require.NoError(t, err)
	return k
}

func newRing(t testing.TB, active string, keys ...encryption.Key) *encryption.Ring {
	t.Helper()
	r, err := encryption.NewRing(keys, active)
	require.NoError(t, err)
	return r
}

// database is one file that several ledgers open, as several processes do.
type database struct {
	path string
	keys map[string]encryption.Key
}

func newDatabase(t testing.TB, ids ...string) *database {
	t.Helper()
	d := &database{path: filepath.Join(t.TempDir(), "ledger.db"), keys: map[string]encryption.Key{}}
	for _, id := range ids {
		d.keys[id] = newKey(t, id)
	}
	return d
}

func (d *database) plain(t testing.TB) *sqlite.Ledger {
	t.Helper()
	l, err := sqlite.Open(context.Background(), d.path, sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// open opens the ledger with keys, of which the first writes.
func (d *database) open(t testing.TB, opts sealed.Options, ids ...string) (*sealed.Ledger, error) {
	t.Helper()
	keys := make([]encryption.Key, len(ids))
	for i, id := range ids {
		keys[i] = d.keys[id]
	}
	return sealed.New(t.Context(), d.plain(t), newRing(t, ids[0], keys...), opts)
}

func (d *database) sealing(t testing.TB, ids ...string) *sealed.Ledger {
	t.Helper()
	l, err := d.open(t, sealed.Options{Seal: true}, ids...)
	require.NoError(t, err)
	return l
}

// content is everything that the database's files hold.
func (d *database) content(t testing.TB) string {
	t.Helper()
	var all bytes.Buffer
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(d.path + suffix)
		if err == nil {
			all.Write(raw)
		}
	}
	require.Contains(t, all.String(), "data_keys", "the search finds what is there")
	return all.String()
}

func (d *database) requireClean(t testing.TB) {
	t.Helper()
	content := d.content(t)
	for _, canary := range []string{email, custID, lead, comment, wire} {
		require.NotContains(t, content, canary)
	}
}

// TestSealedLedgerKeepsTheContract: sealing changes nothing that the ledger
// promises.
func TestSealedLedgerKeepsTheContract(t *testing.T) {
	t.Parallel()

	ring := newRing(t, "a", newKey(t, "a"))
	var mu sync.Mutex
	paths := map[string]string{}
	pathOf := func(t *testing.T) string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if paths[t.Name()] == "" {
			paths[t.Name()] = filepath.Join(t.TempDir(), "ledger.db")
		}
		return paths[t.Name()]
	}
	ledgertest.Run(t, func(t *testing.T, now func() time.Time) ledger.Ledger {
		t.Helper()
		inner, err := sqlite.Open(context.Background(), pathOf(t), sqlite.Options{Now: now, LockWait: time.Minute})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, inner.Close()) })
		l, err := sealed.New(t.Context(), inner, ring, sealed.Options{Seal: true, Now: now})
		require.NoError(t, err)
		return l
	})
}

func someone(id int64) reward.Reward {
	return reward.Reward{
		ID: reward.ID(id), Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 77, CustID: custID, Email: email}, Campaign: reward.Campaign{ID: 17476, Name: "Spring"},
	}
}

func pending(id int64) ledger.Event {
	return ledger.Event{
		Type: "fulfilment_pending", Dedupe: fmt.Sprint(id), EventID: fmt.Sprint(id), Dispatch: true,
		Body:   fmt.Appendf(nil, `{"promoter":{"id":77,"email":%q,"cust_id":%q}}`, email, custID),
		Reward: &ledger.Claimed{Reward: someone(id)},
	}
}

// live takes one reward through everything that is stored of a person.
func live(t testing.TB, l ledger.Ledger, id int64) {
	t.Helper()
	ctx := t.Context()
	_, err := l.Accept(ctx, pending(id), time.Minute)
	require.NoError(t, err)
	_, err = l.Accept(ctx, ledger.Event{
		Type: "lead_signup", Dedupe: fmt.Sprint("lead-", id), EventID: fmt.Sprint(id), Dispatch: true,
		Body: fmt.Appendf(nil, `{"promoter":{"id":77},"lead":{"email":%q}}`, lead),
	}, time.Minute)
	require.NoError(t, err)
	r := someone(id)
	require.NoError(t, l.Assess(ctx, ledger.Assessment{
		Reward: r, Verified: true, Status: reward.AwaitingApproval, Reason: "asked", Provider: "team", Approvals: 1,
		Digest: reward.Shown{Reward: r, Provider: "team"}.Digest(), Facts: fmt.Sprintf(`{"cust_id":%q}`, custID),
	}, "policy"))
	tally, err := l.Decide(ctx, reward.Decision{
		ID: fmt.Sprint("d", id), RewardID: reward.ID(id), By: "alice", Verified: true, Roles: []string{"approver"},
		Verdict: reward.Approve, Comment: comment, Digest: reward.Shown{Reward: r, Provider: "team"}.Digest(),
	}, false)
	require.NoError(t, err)
	require.True(t, tally.Approved, tally.Decision.Refusal)
	require.NoError(t, l.RecordResolution(ctx, reward.Resolution{ID: fmt.Sprint("r", id), RewardID: reward.ID(id), Action: reward.ActionRetry, Comment: comment, Evidence: comment}))
	_, err = l.Reserve(ctx, ledger.Reservation{
		RewardID: reward.ID(id), Provider: "team", Quantity: r.Quantity, At: time.Now(),
		Request: payout.Request{Key: payout.Key(reward.ID(id), 1), Destination: "the customer " + custID, Body: []byte(wire)},
	})
	require.NoError(t, err)
}

// pay ends a reward.
func pay(t testing.TB, l ledger.Ledger, id int64) {
	t.Helper()
	ctx := t.Context()
	now := time.Now()
	c, err := l.Claim(ctx, reward.ID(id), ledger.Caps{}, now, now.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, wire, string(c.Payout.Request.Body), "what goes on the wire is what was frozen")
	_, err = l.Finish(ctx, c.Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: fmt.Sprint("ref-", id)})
	require.NoError(t, err)
	state, mine, err := l.ClaimClose(ctx, reward.ID(id), now.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, mine)
	_, err = l.FinishClose(ctx, reward.ID(id), state.Fence, ledger.CallDone, "")
	require.NoError(t, err)
}

func TestNothingOfAPersonIsInTheDatabase(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "a")
	l := d.sealing(t, "a")
	live(t, l, 1)
	pay(t, l, 1)
	d.requireClean(t)

	// What is read is what was written.
	ctx := t.Context()
	r, err := l.Reward(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, someone(1), r.Reward)
	require.JSONEq(t, fmt.Sprintf(`{"cust_id":%q}`, custID), r.Facts)
	require.Equal(t, reward.Shown{Reward: r.Reward, Provider: "team"}.Digest(), r.Digest, "the digest is that of what is shown")
	claim, err := l.LatestClaim(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, someone(1).Promoter, claim.Reward.Promoter)
	ev, err := l.Event(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, string(pending(1).Body), string(ev.Body))
	decisions, err := l.DecisionsOf(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, comment, decisions[0].Comment)
	entries, err := l.ListPayouts(ctx, ledger.PayoutFilter{}, ledger.PayoutCursor{}, 0)
	require.NoError(t, err)
	require.Equal(t, someone(1).Promoter, entries[0].Promoter)
	require.Equal(t, payout.Key(1, 1), entries[0].Payout.Request.Key)

	for text, want := range map[string]int{custID: 1, "77": 1, "1": 1, "canary": 0, email: 0} {
		found, err := l.ListRewards(ctx, ledger.Filter{Search: text})
		require.NoError(t, err)
		require.Len(t, found, want, text)
	}
	past, err := l.Past(ctx, ledger.PastQuery{Reward: someone(2), Now: time.Now()})
	require.NoError(t, err)
	require.Equal(t, []string{"team"}, past.Providers, "the same destination is known again")
	other := someone(2)
	other.Promoter.Email = "another@example.net"
	past, err = l.Past(ctx, ledger.PastQuery{Reward: other, Now: time.Now()})
	require.NoError(t, err)
	require.Empty(t, past.Providers)
}

// TestEncryptionIsSwitchedOnAndOff: what was written before stays readable, in
// both directions, and is found.
func TestEncryptionIsSwitchedOnAndOff(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "a")
	plain := d.plain(t)
	live(t, plain, 1)
	pay(t, plain, 1)
	l := d.sealing(t, "a")
	past, err := l.Past(t.Context(), ledger.PastQuery{Reward: someone(2), Now: time.Now()})
	require.NoError(t, err)
	require.Equal(t, []string{"team"}, past.Providers)
	live(t, l, 2)
	past, err = l.Past(t.Context(), ledger.PastQuery{Reward: someone(3), Now: time.Now()})
	require.NoError(t, err)
	require.Equal(t, []string{"team"}, past.Providers, "it was paid in clear, and is asked for in seals")

	off, err := d.open(t, sealed.Options{}, "a")
	require.NoError(t, err)
	live(t, off, 3)
	found, err := off.ListRewards(t.Context(), ledger.Filter{Search: custID})
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, r := range found {
		require.Equal(t, someone(1).Promoter, r.Reward.Promoter)
	}
}

// TestRotationNeedsTheOldKeyNoMore: small batches, a process that writes meanwhile,
// and then a process that never had the old key.
func TestRotationNeedsTheOldKeyNoMore(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "old", "new")
	before := d.sealing(t, "old")
	for i := range int64(5) {
		ev := pending(100 + i)
		ev.Reward.Reward.Promoter.ID = 100 + i
		_, err := before.Accept(t.Context(), ev, time.Minute)
		require.NoError(t, err)
	}
	_, err := d.open(t, sealed.Options{Seal: true}, "new")
	require.ErrorContains(t, err, `with the key "old", which is not in encryption.keys`)
	require.ErrorContains(t, err, "6 data keys")

	l := d.sealing(t, "new", "old")
	rotation, err := l.Rotate(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, sealed.Rotation{Active: "new", Done: 2, Left: map[string]int{"old": 4}}, rotation)
	live(t, before, 1) // A process that was not restarted yet goes on.
	for rotation.Done > 0 {
		rotation, err = l.Rotate(t.Context(), 2)
		require.NoError(t, err)
	}
	require.Empty(t, rotation.Left)

	after := d.sealing(t, "new")
	r, err := after.Reward(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, someone(1).Promoter, r.Reward.Promoter)
	found, err := after.ListRewards(t.Context(), ledger.Filter{Search: custID})
	require.NoError(t, err)
	require.Len(t, found, 6, "marks are searched for as before")
	d.requireClean(t)
}

// TestAMissingKeyIsSaidAndTakesNothing: a process that lacks a key stops nowhere
// half way, and goes on when it has it.
func TestAMissingKeyIsSaidAndTakesNothing(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "old", "new")
	late, err := d.open(t, sealed.Options{Seal: true}, "new") // It began before anything was sealed.
	require.NoError(t, err)
	l := d.sealing(t, "old")
	live(t, l, 1)
	_, err = late.Claim(t.Context(), 1, ledger.Caps{}, time.Now(), time.Now().Add(time.Minute))
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Contains(t, fault.Message(err), `"old"`)
	require.Contains(t, fault.Message(err), "put the key back")
	require.NotContains(t, err.Error(), "canary")
	p, err := l.Payout(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, payout.Reserved, p.State, "no fence was taken")
	pay(t, l, 1)
}

// TestABodyThatDoesNotOpenKeepsNobodyElseBack: it is tried again after a pause.
func TestABodyThatDoesNotOpenKeepsNobodyElseBack(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "a")
	l, plain := d.sealing(t, "a"), d.plain(t)
	first, err := l.Accept(t.Context(), pending(1), time.Minute)
	require.NoError(t, err)
	kept, err := plain.Event(t.Context(), first.Inbox)
	require.NoError(t, err)
	cut := pending(2)
	cut.Body = kept.Body[:len(kept.Body)-4]
	_, err = plain.Accept(t.Context(), cut, time.Minute)
	require.NoError(t, err)
	third, err := l.Accept(t.Context(), pending(3), time.Minute)
	require.NoError(t, err)

	rows, err := l.Lease(t.Context(), "one", 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, []int64{first.Inbox, third.Inbox}, []int64{rows[0].Inbox, rows[1].Inbox})
	require.Contains(t, string(rows[1].Body), email)
	for _, row := range rows {
		require.NoError(t, l.MarkDispatched(t.Context(), []ledger.Dispatched{{Inbox: row.Inbox, WorkflowID: "w"}}))
	}
	rows, err = l.Lease(t.Context(), "one", 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, rows, "its pause is not over")
	depth, _, err := l.InboxDepth(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, depth)

	other := pending(4)
	other.Body = cut.Body
	_, err = plain.Accept(t.Context(), other, time.Minute)
	require.NoError(t, err)
	_, err = l.Lease(t.Context(), "one", 10, time.Minute)
	require.Error(t, err, "nothing that opens")
}

// TestAFieldIsNotMovedToAnotherReward: whoever writes into the database cannot
// have one promoter's reward sent where another one's goes.
func TestAFieldIsNotMovedToAnotherReward(t *testing.T) {
	t.Parallel()

	ring := newRing(t, "a", newKey(t, "a"))
	s, _, err := ring.NewSealer()
	require.NoError(t, err)
	for _, text := range []string{s.Seal("payout-body/1", []byte("x")), s.SealSame("payout-body/1", []byte("x"))} {
		plain, err := s.Open("payout-body/1", text)
		require.NoError(t, err)
		require.Equal(t, "x", string(plain))
		_, err = s.Open("payout-body/2", text)
		require.ErrorContains(t, err, "moved there from another row")
		_, err = s.Open("payout-body/1", text[:len(text)-2])
		require.Error(t, err)
	}
	require.Equal(t, s.SealSame("u", []byte("x")), s.SealSame("u", []byte("x")))
	require.NotEqual(t, s.SealSame("u", []byte("x")), s.SealSame("v", []byte("x")))
	require.NotEqual(t, s.Seal("u", []byte("x")), s.Seal("u", []byte("x")))
}

// TestErasureKeepsTheMoneysRecord, of what was sealed and of what was not.
func TestErasureKeepsTheMoneysRecord(t *testing.T) {
	t.Parallel()

	d := newDatabase(t, "a")
	live(t, d.plain(t), 1)
	l := d.sealing(t, "a")
	live(t, l, 2)
	_, err := l.ErasePromoter(t.Context(), 77, "root")
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "1 (awaiting_approval), 2 (awaiting_approval)")
	_, err = l.ErasePromoter(t.Context(), 78, "root")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	pay(t, l, 1)
	pay(t, l, 2)
	another, err := d.open(t, sealed.Options{Seal: true}, "a")
	require.NoError(t, err)
	before, err := l.ListPayouts(t.Context(), ledger.PayoutFilter{}, ledger.PayoutCursor{}, 0)
	require.NoError(t, err)

	done, err := l.ErasePromoter(t.Context(), 77, "root")
	require.NoError(t, err)
	require.Equal(t, ledger.Erasure{Rewards: 2, Events: 3, Payouts: 2, Keys: 1}, done)
	for name, l := range map[string]ledger.Ledger{"here": l, "another process": another} {
		for id := reward.ID(1); id <= 2; id++ {
			r, err := l.Reward(t.Context(), id)
			require.NoError(t, err, name)
			require.Equal(t, reward.Promoter{ID: 77}, r.Reward.Promoter)
			require.Equal(t, reward.Fulfilled, r.Status)
			require.Equal(t, int64(3), r.Reward.Quantity.Amount)
			claim, err := l.LatestClaim(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, reward.Promoter{ID: 77}, claim.Reward.Promoter)
			p, err := l.Payout(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, ledger.ErasedDestination, p.Request.Destination)
			require.Empty(t, p.Request.Body)
			require.Equal(t, payout.Key(id, 1), p.Request.Key)
			require.Equal(t, fmt.Sprint("ref-", id), p.Reference)
			decisions, err := l.DecisionsOf(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, "alice", decisions[0].By)
		}
		for inbox := range int64(4) {
			ev, err := l.Event(t.Context(), inbox+1)
			require.NoError(t, err)
			require.NotContains(t, string(ev.Body), "canary", "inbox %d", inbox+1)
		}
		found, err := l.ListRewards(t.Context(), ledger.Filter{Search: custID})
		require.NoError(t, err)
		require.Empty(t, found)
		after, err := l.ListPayouts(t.Context(), ledger.PayoutFilter{}, ledger.PayoutCursor{}, 0)
		require.NoError(t, err)
		require.Len(t, after, 2)
		for i := range after {
			require.Equal(t, before[i].Payout.Quantity, after[i].Payout.Quantity)
			require.Equal(t, before[i].At, after[i].At)
			require.Equal(t, before[i].Approvals, after[i].Approvals)
		}
	}
	// The promoter may come back, and is somebody new.
	live(t, l, 3)
	r, err := l.Reward(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, someone(3).Promoter, r.Reward.Promoter)
}
