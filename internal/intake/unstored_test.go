package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// flickering is a real ledger whose database fails as a test says.
type flickering struct {
	*sqlite.Ledger

	mu         sync.Mutex
	writes     error
	reads      error
	writeTried int
}

func (b *flickering) fail(writes, reads error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes, b.reads = writes, reads
}

func (b *flickering) write() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writeTried++
	return b.writes
}

func (b *flickering) read() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

func (b *flickering) Accept(ctx context.Context, ev ledger.Event, after time.Duration) (ledger.Receipt, error) {
	if err := b.write(); err != nil {
		return ledger.Receipt{}, err
	}
	return b.Ledger.Accept(ctx, ev, after)
}

func (b *flickering) AddUnstored(ctx context.Context, counts []ledger.Unstored) error {
	if err := b.write(); err != nil {
		return err
	}
	return b.Ledger.AddUnstored(ctx, counts)
}

func (b *flickering) Reward(ctx context.Context, id reward.ID) (ledger.Record, error) {
	if err := b.read(); err != nil {
		return ledger.Record{}, err
	}
	return b.Ledger.Reward(ctx, id)
}

func (b *flickering) OpenBudgets(ctx context.Context, n int) ([]ledger.Budget, error) {
	if err := b.read(); err != nil {
		return nil, err
	}
	return b.Ledger.OpenBudgets(ctx, n)
}

func newBlinking(t *testing.T) (*flickering, *intake.Intake) {
	t.Helper()
	b := &flickering{Ledger: newBundle(t).ledger}
	in, err := intake.New(b, intake.Config{
		CloseByAnswerAfter: time.Hour, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return b, in
}

func unavailable() error { return fault.New(fault.Unavailable, "ledger.accept", "the disk is full") }

// Once a reward is in the ledger, no fault of ours makes FirstPromoter count an
// error: not a Temporal that is down, and not a database that is.
func TestNoFaultOfOursSpendsTheBudgetOfARewardThatIsOurs(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ writes, reads error }{
		"the disk is full":            {writes: unavailable()},
		"too many writes wait":        {writes: fault.New(fault.Throttled, "ledger.accept", "too many writes wait")},
		"the database is gone":        {unavailable(), unavailable()},
		"a write is lost, a bug read": {unavailable(), errors.New("boom")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b, in := newBlinking(t)
			_, err := in.Accept(t.Context(), event(1)) // Nothing dispatches it: Temporal is down.
			require.NoError(t, err)
			b.fail(row.writes, row.reads)
			taken, err := in.Accept(t.Context(), event(1))
			require.NoError(t, err)
			require.Equal(t, ledger.Taken{
				Type: "fulfilment_pending", Known: true, RewardID: 2000001, WorkflowID: "fulfilment-2000001", Reason: ledger.ReasonOurs,
			}, taken)
			require.False(t, taken.Fulfilled, "never without a commit")

			taken, err = in.Accept(t.Context(), event(2))
			require.Error(t, err, "another reward is not ours yet")
			require.Equal(t, reward.ID(2000002), taken.RewardID)
			require.Equal(t, ledger.ReasonNotStored, taken.Reason)
		})
	}
}

// What may have been committed may have claimed the close for an answer of 200,
// which only a delivery that surely comes again can give.
func TestAmbiguousCommitIsAnErrorAlways(t *testing.T) {
	t.Parallel()

	b, in := newBlinking(t)
	_, err := in.Accept(t.Context(), event(1))
	require.NoError(t, err)
	for _, kind := range []fault.Kind{fault.Ambiguous, fault.Internal, fault.Conflict} {
		b.fail(fault.New(kind, "ledger.accept", "x"), nil)
		_, err = in.Accept(t.Context(), event(1))
		require.Equal(t, kind, fault.KindOf(err))
	}
	b.fail(unavailable(), nil)
	_, err = in.Accept(t.Context(), []byte(`{"event":{"id":6,"type":"lead_signup"},"data":{}}`))
	require.Error(t, err, "an event that asks for no reward is stored, or is not ours")
}

func TestUnusableEventsSayWhyInAClosedSet(t *testing.T) {
	t.Parallel()

	_, in := newBlinking(t)
	for body, want := range map[string]ledger.UnstoredReason{
		``: ledger.ReasonNotJSON, `[]`: ledger.ReasonNotJSON, `null`: ledger.ReasonNotJSON, `{"a":`: ledger.ReasonNotJSON,
		`{}`: ledger.ReasonNoType, `{"event":{"type":"a b"}}`: ledger.ReasonNoType,
		`{"event":{"type":"fulfilment_pending"},"data":{"id":0}}`: ledger.ReasonNoRewardID,
	} {
		taken, err := in.Accept(t.Context(), []byte(body))
		require.Equal(t, fault.Invalid, fault.KindOf(err), body)
		require.Equal(t, ledger.Taken{Reason: want}, taken, body)
	}
}

// failed is one answer of 503 to a reward's event.
func failed(id reward.ID) ledger.Unstored {
	now := time.Now()
	return ledger.Unstored{
		Answer: 503, Reason: ledger.ReasonNotStored, Type: "fulfilment_pending", RewardID: id, Count: 1, FirstAt: now, LastAt: now,
	}
}

func TestCountsAreKeptWhileTheDatabaseIsDownAndWrittenWhenItIsBack(t *testing.T) {
	t.Parallel()

	b, _ := newBlinking(t)
	var log lines
	u := intake.NewUnstored(b, slog.New(slog.NewTextHandler(&log, nil)))
	b.fail(unavailable(), unavailable())
	for n := range 5 {
		u.Count(failed(7))
		u.Flush(t.Context())
		errors, last := u.Pending(7)
		require.Equal(t, n+1, errors)
		require.False(t, last.IsZero())
		require.Equal(t, n+1, u.Worst(t.Context()))
	}
	require.Equal(t, 1, strings.Count(log.String(), "retry_budget.low"), "it is told before it is used up")

	b.fail(nil, nil)
	u.Flush(t.Context())
	errors, _ := u.Pending(7)
	require.Zero(t, errors)
	require.Equal(t, 5, u.Worst(t.Context()))
	spent, err := b.RetryBudget(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, 5, spent.Spent)
	notices, err := b.ListEvents(t.Context(), ledger.LogFilter{Type: ledger.RetryBudgetNotice})
	require.NoError(t, err)
	require.Len(t, notices, 1)

	u.Count(failed(7))
	require.Equal(t, 6, u.Worst(t.Context()), "both are added up")
	b.mu.Lock()
	tried := b.writeTried
	b.mu.Unlock()
	u.Flush(t.Context())
	u.Flush(t.Context())
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, tried+1, b.writeTried, "nothing new is not written")
}

// An attack costs neither memory nor a write for each request.
func TestCountingIsBounded(t *testing.T) {
	t.Parallel()

	b, _ := newBlinking(t)
	u := intake.NewUnstored(b, slog.New(slog.DiscardHandler))
	for n := range 10_000 {
		c := failed(reward.ID(n + 1))
		u.Count(c)
		c.Answer, c.Reason, c.Type, c.RewardID = 401, ledger.ReasonUnauthenticated, ledger.UnreadType, 0
		u.Count(c)
	}
	u.Flush(t.Context())
	listed, total := written(t, b, 401)
	for deadline := time.Now().Add(time.Minute); total < 10_000 && time.Now().Before(deadline); {
		u.Flush(t.Context()) // a slow database takes more than one
		listed, total = written(t, b, 401)
	}
	require.Equal(t, 10_000, total)
	require.LessOrEqual(t, len(listed), 2, "an hour may have begun meanwhile")
	open, err := b.OpenBudgets(t.Context(), 20_000)
	require.NoError(t, err)
	require.LessOrEqual(t, len(open), 4096)
}

// written are the counts of an answer that the ledger holds, and their sum.
func written(t *testing.T, b *flickering, answer int) (counts []ledger.Unstored, total int) {
	t.Helper()

	counts, err := b.ListUnstored(t.Context(), ledger.LogFilter{Answer: answer, Limit: 500})
	require.NoError(t, err)
	for _, c := range counts {
		total += c.Count
	}
	return counts, total
}

// faltering is a ledger that takes so many writes of counts and then no more.
type faltering struct {
	*flickering
	left int
}

func (f *faltering) AddUnstored(ctx context.Context, counts []ledger.Unstored) error {
	if f.left == 0 {
		return unavailable()
	}
	f.left--
	return f.flickering.AddUnstored(ctx, counts)
}

// Of many counts a database that fails on the way has some: they are not
// written again, and the others are not lost.
func TestCountsThatWereWrittenBeforeAFailureAreNotWrittenTwice(t *testing.T) {
	t.Parallel()

	b, _ := newBlinking(t)
	f := &faltering{flickering: b, left: 1}
	u := intake.NewUnstored(f, slog.New(slog.DiscardHandler))
	for n := range 400 {
		u.Count(failed(reward.ID(n + 1)))
	}
	u.Flush(t.Context())
	counts, some := written(t, b, 503)
	require.Positive(t, some)
	require.Less(t, some, 400)
	for _, c := range counts {
		errors, _ := u.Pending(c.RewardID)
		require.Zero(t, errors, "reward %d is written", c.RewardID)
	}
	require.Equal(t, 1, u.Worst(t.Context()))

	f.left = 10
	u.Flush(t.Context())
	_, all := written(t, b, 503)
	require.Equal(t, 400, all)
}

// Run writes by itself, and at its end.
func TestCountsAreWrittenAtTheEnd(t *testing.T) {
	t.Parallel()

	b, _ := newBlinking(t)
	u := intake.NewUnstored(b, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { u.Run(ctx) })
	u.Count(failed(7))
	cancel()
	running.Wait()
	spent, err := b.RetryBudget(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, 1, spent.Spent)
}

// lines is a log for concurrent writers.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
