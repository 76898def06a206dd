package intake_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/notify"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// calendar is a clock that a test sets, and counts who looks at it.
type calendar struct {
	mu    sync.Mutex
	now   time.Time
	looks int
}

func (c *calendar) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.now
}

// set moves the clock, and waits until it was looked at twice: what the first
// look led to is done by then.
func (c *calendar) set(t *testing.T, now time.Time) {
	t.Helper()
	c.mu.Lock()
	c.now, c.looks = now, 0
	c.mu.Unlock()
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.looks >= 2
	}, 20*time.Second, time.Millisecond)
}

func at(day, hour, minute int) time.Time {
	return time.Date(2026, time.March, day, hour, minute, 0, 0, time.UTC)
}

// summaries returns the days whose summaries wait to be dispatched.
func summaries(t *testing.T, l ledger.Inbox) []ledger.Pending {
	t.Helper()
	rows, err := l.Lease(t.Context(), "test", 100, time.Hour)
	require.NoError(t, err)
	var made []ledger.Pending
	for _, row := range rows {
		if row.Type == notify.DailySummary {
			made = append(made, row)
		}
	}
	return made
}

func TestSummaryIsMadeOnceADay(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	var ledgers []*sqlite.Ledger
	var clocks []*calendar
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	for range 3 { // As many processes.
		l, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		ledgers = append(ledgers, l)
	}
	for _, l := range ledgers {
		clock := &calendar{now: at(10, 6, 0)}
		clocks = append(clocks, clock)
		d := intake.NewDailySummary(intake.SummaryConfig{Hour: 7, Every: time.Millisecond, Now: clock.Now}, l, slog.New(slog.DiscardHandler))
		loops.Go(func() { d.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); loops.Wait() }) // Before the ledgers close.

	days := func(now time.Time) []string {
		for _, clock := range clocks {
			clock.set(t, now)
		}
		var days []string
		for _, row := range summaries(t, ledgers[0]) {
			days = append(days, row.EventID)
		}
		return days
	}
	require.Empty(t, days(at(10, 6, 59)), "its hour has not come")
	require.Equal(t, []string{"2026-03-10"}, days(at(10, 7, 0)))
	require.Empty(t, days(at(10, 23, 59)))
	require.Empty(t, days(at(11, 6, 0)))
	require.Equal(t, []string{"2026-03-14"}, days(at(14, 9, 30)), "days that were missed are not made up, and the next one comes")
}

func TestSummaryCounts(t *testing.T) {
	t.Parallel()

	clock := &calendar{now: at(9, 12, 0)}
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	pay(t, l, 1, 3)
	pay(t, l, 2, 4)
	clock.now = at(10, 0, 0)
	pay(t, l, 3, 100) // Today, and so in tomorrow's.
	wait(t, l, 4)

	clock.now = at(10, 7, 5)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	woken := make(chan struct{}, 1)
	d := intake.NewDailySummary(intake.SummaryConfig{Hour: 7, Every: time.Millisecond, Now: clock.Now, Wake: func() { woken <- struct{}{} }}, l, slog.New(slog.DiscardHandler))
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-woken:
	case <-time.After(20 * time.Second):
		t.Fatal("no summary was made")
	}
	rows := summaries(t, l)
	require.Len(t, rows, 1)
	require.JSONEq(t, `{"day":"2026-03-10","at":"2026-03-10T07:05:00Z","statuses":[
		{"status":"awaiting_approval","count":1,"oldest":"2026-03-10T00:00:00Z"},
		{"status":"paid","count":3,"oldest":"2026-03-09T12:00:00Z"}],
		"paid":[{"unit":"free_months","count":2,"amount":7}]}`, string(rows[0].Body))
	m, err := notify.Render(rows[0].Type, rows[0].EventID, rows[0].Body)
	require.NoError(t, err)
	require.Equal(t, "1 reward needs a person; the oldest has waited 7 hours. 2 rewards were paid yesterday.", m.Text)
}

// owe accepts a reward and assesses it.
func owe(t *testing.T, l *sqlite.Ledger, id reward.ID, amount int64, status reward.Status) reward.Reward {
	t.Helper()
	r := reward.Reward{ID: id, Quantity: reward.Quantity{Amount: amount, Unit: reward.FreeMonths}, Promoter: reward.Promoter{ID: 5}}
	_, err := l.Accept(t.Context(), ledger.Event{Type: "fulfilment_pending", Dedupe: id.String(), EventID: id.String(), Reward: &ledger.Claimed{Reward: r}}, time.Hour)
	require.NoError(t, err)
	require.NoError(t, l.Assess(t.Context(), ledger.Assessment{Reward: r, Verified: true, Status: status, Reason: "rule 1", Provider: "team"}, "policy"))
	return r
}

func wait(t *testing.T, l *sqlite.Ledger, id reward.ID) {
	t.Helper()
	owe(t, l, id, 5, reward.AwaitingApproval)
}

func pay(t *testing.T, l *sqlite.Ledger, id reward.ID, amount int64) {
	t.Helper()
	r := owe(t, l, id, amount, reward.Approved)
	now := time.Now()
	_, err := l.Reserve(t.Context(), ledger.Reservation{
		RewardID: id, Provider: "team", Quantity: r.Quantity, At: now,
		Request: payout.Request{Key: payout.Key(id, 1), Body: []byte(`{}`)},
	})
	require.NoError(t, err)
	c, err := l.Claim(t.Context(), id, ledger.Caps{}, now, now.Add(time.Minute))
	require.NoError(t, err)
	_, err = l.Finish(t.Context(), c.Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: id.String()})
	require.NoError(t, err)
}

// blinking is a ledger that fails at first.
type blinking struct {
	*sqlite.Ledger
	mu       sync.Mutex
	failures int
}

func (b *blinking) Announce(ctx context.Context, ev ledger.Event) (bool, error) {
	b.mu.Lock()
	b.failures--
	failing := b.failures >= 0
	b.mu.Unlock()
	if failing {
		return false, fault.New(fault.Unavailable, "ledger.announce", "the disk is full")
	}
	return b.Ledger.Announce(ctx, ev)
}

func TestSummaryIsTriedAgainWithinItsDay(t *testing.T) {
	t.Parallel()

	clock := &calendar{now: at(10, 8, 0)}
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	woken := make(chan struct{}, 1)
	d := intake.NewDailySummary(intake.SummaryConfig{Every: time.Millisecond, Now: clock.Now, Wake: func() { woken <- struct{}{} }},
		&blinking{Ledger: l, failures: 3}, slog.New(slog.DiscardHandler))
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-woken:
	case <-time.After(20 * time.Second):
		t.Fatal("no summary was made")
	}
	require.Len(t, summaries(t, l), 1)
}
