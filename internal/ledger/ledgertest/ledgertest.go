// Package ledgertest is the suite that every ledger must pass. It knows the
// contract of package ledger and no adapter.
package ledgertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Run runs the suite. open returns a ledger on the database of the test that
// it is given: an empty one for each test, and the same one again when it is
// called twice with one test. The ledger takes its time from now. The suite
// closes what it opened; Close must be safe to call twice.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) ledger.Ledger) {
	t.Helper()
	groups := map[string][]check{
		"inbox":         inboxChecks(),
		"log":           logChecks(),
		"notifications": notificationChecks(),
		"replays":       replayChecks(),
		"unstored":      unstoredChecks(),
		"rewards":       rewardChecks(),
		"history":       historyChecks(),
		"decisions":     decisionChecks(),
		"payouts":       payoutChecks(),
		"lookups":       lookupChecks(),
		"doubt":         doubtChecks(),
		"by_hand":       byHandChecks(),
		"brake":         brakeChecks(),
		"watch":         watchChecks(),
		"past":          pastChecks(),
		"closing":       closingChecks(),
		"statement":     statementChecks(),
		"entries":       entryChecks(),
		"races":         raceChecks(),
		"model":         modelChecks(),
		"linear":        linearChecks(),
		"messages":      messageChecks(),
		"sessions":      sessionChecks(),
		"overview":      overviewChecks(),
		"personal":      personalChecks(),
	}
	for group, checks := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, newBundle(t, open))
				})
			}
		})
	}
}

// check is one sentence of the contract.
type check struct {
	name string
	run  func(t *testing.T, b *bundle)
}

// start is when every check begins: a minute before noon, so that small steps
// stay within the UTC day.
func start() time.Time { return time.Date(2026, time.March, 10, 11, 59, 0, 0, time.UTC) }

// afterPaid is how long a paid reward waits for the API before the answer may
// close it.
const afterPaid = 10 * time.Minute

// bundle is a ledger with a clock that the check moves.
type bundle struct {
	ledger.Ledger
	ctx    context.Context
	clock  *clock
	reopen func(t *testing.T) ledger.Ledger
}

func newBundle(t *testing.T, open func(t *testing.T, now func() time.Time) ledger.Ledger) *bundle {
	t.Helper()
	b := &bundle{ctx: t.Context(), clock: &clock{now: start()}}
	b.reopen = func(inner *testing.T) ledger.Ledger {
		inner.Helper()
		l := open(t, b.clock.Now)
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	b.Ledger = b.reopen(t)
	return b
}

// clock is a time that only moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the clock's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// owed returns a reward whose every field is set.
func owed(id reward.ID) reward.Reward {
	return reward.Reward{
		ID:       id,
		Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 700 + int64(id), CustID: "cust-7", Email: "promoter@example.com"},
		Campaign: reward.Campaign{ID: 17476, Name: "Spring"},
	}
}

// pending returns the nth event that asks for the reward.
func pending(id reward.ID, n int) ledger.Event {
	return ledger.Event{
		Type:        "fulfilment_pending",
		Dedupe:      fmt.Sprintf("%d/%d", id, n),
		EventID:     fmt.Sprintf("%d%03d", id, n),
		Reward:      &ledger.Claimed{Reward: owed(id)},
		Body:        fmt.Appendf(nil, `{"id":%d,"n":%d}`, id, n),
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Dispatch:    true,
	}
}

// Event returns an event that asks for a reward, for the tests of an adapter.
func Event(id int64) ledger.Event {
	return ledger.Event{
		Type: "fulfilment_pending", Dedupe: fmt.Sprint(id), EventID: fmt.Sprint(id), Dispatch: true,
		Reward: &ledger.Claimed{Reward: reward.Reward{
			ID:       reward.ID(id),
			Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
			Promoter: reward.Promoter{ID: id % 1000, CustID: "cust-7", Email: "promoter@example.com"},
			Campaign: reward.Campaign{ID: 17476, Name: "Spring"},
		}},
		Body: fmt.Appendf(nil, `{"id":%d,"type":"fulfilment_pending","data":{"amount":3,"unit":"free_months"}}`, id),
	}
}

func (b *bundle) accept(t *testing.T, ev ledger.Event) ledger.Receipt {
	t.Helper()
	receipt, err := b.Accept(b.ctx, ev, afterPaid)
	require.NoError(t, err)
	return receipt
}

func assessment(id reward.ID, status reward.Status) ledger.Assessment {
	return ledger.Assessment{
		Reward: owed(id), Verified: true, Status: status, Reason: "rule 1", Provider: "billing",
		Digest: "digest-1", PolicyVersion: "v1", Rule: "rule 1",
	}
}

// approved accepts a reward that the policy pays.
func (b *bundle) approved(t *testing.T, id reward.ID) {
	t.Helper()
	b.accept(t, pending(id, 1))
	require.NoError(t, b.Assess(b.ctx, assessment(id, reward.Approved), "policy"))
}

func reservation(id reward.ID, generation int) ledger.Reservation {
	return ledger.Reservation{
		RewardID: id, Provider: "billing", Quantity: owed(id).Quantity,
		Request: payout.Request{Key: payout.Key(id, generation), Destination: "account 7", Body: fmt.Appendf(nil, "body of %d/%d", id, generation)},
		At:      start(),
	}
}

// reserved brings a reward to a reserved payout.
func (b *bundle) reserved(t *testing.T, id reward.ID) ledger.Payout {
	t.Helper()
	b.approved(t, id)
	p, err := b.Reserve(b.ctx, reservation(id, 1))
	require.NoError(t, err)
	return p
}

// claim takes the fence of a payout and gives the attempt a minute.
func (b *bundle) claim(t *testing.T, id reward.ID) ledger.Claim {
	t.Helper()
	now := b.clock.Now()
	c, err := b.Claim(b.ctx, id, ledger.Caps{}, now, now.Add(time.Minute))
	require.NoError(t, err)
	return c
}

// claimed brings a reward to a payout that is being sent.
func (b *bundle) claimed(t *testing.T, id reward.ID) ledger.Attempt {
	t.Helper()
	b.reserved(t, id)
	c := b.claim(t, id)
	require.True(t, c.Taken)
	return c.Attempt
}

// finished brings a reward to a payout whose first attempt came to out.
func (b *bundle) finished(t *testing.T, id reward.ID, out payout.Outcome) ledger.Payout {
	t.Helper()
	p, err := b.Finish(b.ctx, b.claimed(t, id), out)
	require.NoError(t, err)
	return p
}

// paid brings a reward to a payout that is paid.
func (b *bundle) paid(t *testing.T, id reward.ID) ledger.Payout {
	t.Helper()
	p := b.finished(t, id, settled(fmt.Sprintf("ref-%d", id)))
	require.Equal(t, payout.Paid, p.State)
	return p
}

func settled(reference string) payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: reference, Detail: "delivered"}
}

func (b *bundle) record(t *testing.T, id reward.ID) ledger.Record {
	t.Helper()
	r, err := b.Reward(b.ctx, id)
	require.NoError(t, err)
	return r
}

func (b *bundle) requireStatus(t *testing.T, id reward.ID, want reward.Status) {
	t.Helper()
	require.Equal(t, want, b.record(t, id).Status)
}

// lastChange returns the newest entry of the history.
func (b *bundle) lastChange(t *testing.T, id reward.ID) ledger.Change {
	t.Helper()
	changes, err := b.Changes(b.ctx, id)
	require.NoError(t, err)
	require.NotEmpty(t, changes)
	return changes[len(changes)-1]
}

// notices leases everything that waits and returns what is internal.
func (b *bundle) notices(t *testing.T) []ledger.Pending {
	t.Helper()
	all, err := b.Lease(b.ctx, "notices", 1000, time.Hour)
	require.NoError(t, err)
	var internal []ledger.Pending
	for _, p := range all {
		if p.RewardID == 0 {
			internal = append(internal, p)
		}
	}
	return internal
}
