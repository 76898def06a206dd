package postgres_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/ledgertest"
	"github.com/rewardflow/rewardflow/internal/ledger/postgres"
	"github.com/rewardflow/rewardflow/internal/ledger/relational"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// openFile opens a ledger in SQLite that is closed with the test.
func openFile(t *testing.T, path string) *relational.Ledger {
	t.Helper()
	l, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// everything reads what a ledger says of its rewards, in the words of its
// contract, and what it counts.
func everything(t *testing.T, l *relational.Ledger) []any {
	t.Helper()
	ctx := t.Context()
	var all []any
	records, err := l.ListRewards(ctx, ledger.Filter{})
	require.NoError(t, err)
	for _, r := range records {
		id := r.Reward.ID
		changes, err := l.Changes(ctx, id)
		require.NoError(t, err)
		decisions, err := l.DecisionsOf(ctx, id)
		require.NoError(t, err)
		deliveries, err := l.Deliveries(ctx, id)
		require.NoError(t, err)
		attempts, err := l.Attempts(ctx, id)
		require.NoError(t, err)
		resolutions, err := l.ResolutionsOf(ctx, id)
		require.NoError(t, err)
		p, err := l.Payout(ctx, id)
		require.True(t, err == nil || fault.Is(err, fault.NotFound), "%v", err)
		p.Request.Body = append([]byte{}, p.Request.Body...) // nil and empty are one body.
		all = append(all, r, changes, decisions, deliveries, attempts, resolutions, p)
	}
	events, err := l.ListEvents(ctx, ledger.LogFilter{})
	require.NoError(t, err)
	overview, err := l.Overview(ctx, ledger.Caller{Person: "Alice", Roles: []string{"", "approver"}}, time.Time{})
	require.NoError(t, err)
	totals, paid, err := l.Summary(ctx)
	require.NoError(t, err)
	return append(all, events, overview, totals, paid)
}

// asks brings a reward to where two people are asked, one of whom has decided
// and one of whom is kept out.
func asks(t *testing.T, l *relational.Ledger, id int64) {
	t.Helper()
	ev := ledgertest.Event(id)
	_, err := l.Accept(t.Context(), ev, time.Minute)
	require.NoError(t, err)
	require.NoError(t, l.Assess(t.Context(), ledger.Assessment{
		Reward: ev.Reward.Reward, Verified: true, Status: reward.AwaitingApproval, Provider: "billing", Digest: "digest-1",
		Approvals: 2, Excluded: []string{"Mallory"},
	}, "policy"))
	_, err = l.Decide(t.Context(), reward.Decision{
		ID: fmt.Sprint("d-", id), RewardID: reward.ID(id), By: "Alice", Verified: true, Roles: []string{"approver"},
		Verdict: reward.Approve, Digest: "digest-1",
	}, false)
	require.NoError(t, err)
}

func TestCopyTakesEverythingOverAndRetiresTheFirst(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	from := openFile(t, path)
	ledgertest.Fill(t, from)
	for id := int64(100); id < 330; id++ { // More than two statements' worth.
		asks(t, from, id)
	}
	want := everything(t, from)
	require.NoError(t, from.Close())

	server := postgrestest.New(t, postgrestest.Options{})
	address := migrated(t, server)
	retired := ledger.BrakeState{Reason: "copied elsewhere", By: "alice", At: time.Now()}
	from, to := openFile(t, path), open(t, address, postgres.Options{})
	done, err := relational.Copy(t.Context(), from, to, retired)
	require.NoError(t, err)
	require.Equal(t, relational.Copied{Rewards: 231, Events: 231 + noticesOf(t, from)}, done)
	require.Equal(t, want, everything(t, to))

	// The first one pays nothing any more, and the second one does.
	brakes, err := from.Brakes(t.Context())
	require.NoError(t, err)
	require.Equal(t, ledger.AllProviders, brakes[0].Scope)
	require.True(t, brakes[0].Paused)
	require.Equal(t, "copied elsewhere", brakes[0].Reason)
	brakes, err = to.Brakes(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, ledger.AllProviders, brakes[0].Scope)

	// What waited goes on, with numbers behind those that came along.
	tally, err := to.Decide(t.Context(), reward.Decision{
		ID: "later", RewardID: 100, By: "Bob", Verified: true, Roles: []string{"approver"}, Verdict: reward.Approve, Digest: "digest-1",
	}, false)
	require.NoError(t, err)
	require.True(t, tally.Approved)
	receipt, err := to.Accept(t.Context(), ledgertest.Event(1000), time.Minute)
	require.NoError(t, err)
	require.Greater(t, receipt.Inbox, int64(done.Events))
	_, err = to.Reserve(t.Context(), ledger.Reservation{
		RewardID: 1, Provider: "billing", Quantity: ledgertest.Event(1).Reward.Reward.Quantity, Request: payout.Request{Key: payout.Key(1, 1)}, At: time.Now(),
	})
	require.NoError(t, err, "what was reserved stays so")

	_, err = relational.Copy(t.Context(), openFile(t, path), open(t, address, postgres.Options{}), retired)
	require.Equal(t, fault.Conflict, fault.KindOf(err))
	require.ErrorContains(t, err, "is not empty")
}

// noticesOf counts the events that the ledger made itself.
func noticesOf(t *testing.T, l *relational.Ledger) int {
	t.Helper()
	n := 0
	for cursor := (ledger.LogCursor{}); ; {
		events, err := l.ListEvents(t.Context(), ledger.LogFilter{Limit: 500, Before: cursor})
		require.NoError(t, err)
		if len(events) == 0 {
			return n
		}
		for _, e := range events {
			if e.Internal {
				n++
			}
			cursor = ledger.LogCursor{AcceptedAt: e.AcceptedAt, Inbox: e.Inbox}
		}
	}
}

// And back again: a ledger is not bound to its database.
func TestCopyGoesBothWays(t *testing.T) {
	t.Parallel()

	address := migrated(t, postgrestest.New(t, postgrestest.Options{}))
	first := open(t, address, postgres.Options{})
	ledgertest.Fill(t, first)
	asks(t, first, 7)
	want := everything(t, first)
	require.NoError(t, first.Close())
	to := openFile(t, filepath.Join(t.TempDir(), "ledger.db"))
	_, err := relational.Copy(t.Context(), open(t, address, postgres.Options{}), to, ledger.BrakeState{Reason: "copied", By: "alice", At: time.Now()})
	require.NoError(t, err)
	require.Equal(t, want, everything(t, to))
}
