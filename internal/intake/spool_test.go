package intake_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/spool"
)

// moody is a ledger with bad moments in front of it. What it does not fail, it
// leaves to the real one.
type moody struct {
	*sqlite.Ledger
	// fails is what Accept, Fold and Ping return instead of doing anything.
	fails atomic.Pointer[fault.Error]
	// loses is how many folds are committed and answered with an error.
	loses atomic.Int64
	// accepts counts the calls of Accept that came through to the ledger.
	accepts atomic.Int64
}

func (m *moody) Accept(ctx context.Context, ev ledger.Event, after time.Duration) (ledger.Receipt, error) {
	if err := m.fails.Load(); err != nil {
		return ledger.Receipt{}, err
	}
	m.accepts.Add(1)
	return m.Ledger.Accept(ctx, ev, after)
}

func (m *moody) Fold(ctx context.Context, events []ledger.Spooled) error {
	if err := m.fails.Load(); err != nil {
		return err
	}
	err := m.Ledger.Fold(ctx, events)
	if err == nil && m.loses.Add(-1) >= 0 {
		return fault.New(fault.Ambiguous, "ledger.fold", "the connection was lost")
	}
	return err
}

func (m *moody) Ping(ctx context.Context) error {
	if err := m.fails.Load(); err != nil {
		return err
	}
	return m.Ledger.Ping(ctx)
}

// spooling is an intake with a spool before a real ledger.
type spooling struct {
	dir    string
	ledger *moody
	spool  *spool.Spool
	intake *intake.Intake
}

func newSpooling(t testing.TB) *spooling {
	t.Helper()
	return spoolingIn(t, t.TempDir())
}

func spoolingIn(t testing.TB, dir string) *spooling {
	t.Helper()
	return spoolingWith(t, dir, nil)
}

func spoolingWith(t testing.TB, dir string, cipher spool.Cipher) *spooling {
	t.Helper()
	l, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	s := &spooling{dir: dir, ledger: &moody{Ledger: l}}
	s.spool, err = spool.Open(filepath.Join(dir, "spool"), spool.Options{Cipher: cipher})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.spool.Close()) })
	s.intake, err = intake.New(s.ledger, intake.Config{
		CloseByAnswerAfter: time.Millisecond, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Spool: s.spool,
	})
	require.NoError(t, err)
	return s
}

func down() *fault.Error {
	return fault.New(fault.Unavailable, "ledger.accept", "the disk answered with an input/output error")
}

func (s *spooling) accept(t *testing.T, body []byte) (fulfilled bool) {
	t.Helper()
	taken, err := s.intake.Accept(t.Context(), body)
	require.NoError(t, err)
	return taken.Fulfilled
}

// folds runs FoldSpool until the test ends, or stop is called.
func (s *spooling) folds(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.intake.FoldSpool(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// requireFolded waits until the spool is empty, and n events wait in the inbox.
func (s *spooling) requireFolded(t testing.TB, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		depth, _, err := s.ledger.InboxDepth(t.Context())
		waiting, oldest := s.intake.SpoolDepth()
		return err == nil && depth == n && waiting == 0 && oldest.IsZero()
	}, 5*time.Minute, 10*time.Millisecond)
}

func lead(n int64) []byte {
	return fmt.Appendf(nil, `{"event":{"id":%d,"type":"lead_signup"},"data":{"id":%d,"state":"signup","email":"<lead&%d>\u2028ü🎉@example.com"}}`, n, n, n)
}

// TestLockedLedgerIsInvisible has another program hold the ledger's lock.
func TestLockedLedgerIsInvisible(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.folds(t)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "ledger.db")+"?_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	held, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)

	began := time.Now()
	s.accept(t, event(1))
	require.Less(t, time.Since(began), 15*time.Second, "FirstPromoter waits no longer")
	tried := s.ledger.accepts.Load()
	for n := range int64(100) {
		s.accept(t, event(n))
		s.accept(t, lead(n))
	}
	require.Equal(t, tried, s.ledger.accepts.Load(), "a ledger that fails is not asked for every event")
	depth, oldest := s.intake.SpoolDepth()
	require.Equal(t, 201, depth)
	require.WithinDuration(t, began, oldest, 15*time.Second)
	require.NoError(t, s.intake.CheckSpool(t.Context()))

	require.NoError(t, held.Rollback())
	s.requireFolded(t, 200)
	s.accept(t, event(1000))
	require.Equal(t, tried+1, s.ledger.accepts.Load(), "the ledger is back")
	s.requireFolded(t, 201)
}

// locked is the cipher of a process that has lost its key.
type locked struct{}

func (locked) Seal(record []byte) []byte { return append([]byte("sealed:"), record...) }

func (locked) Open(kept []byte) ([]byte, error) {
	if bytes.HasPrefix(kept, []byte("sealed:")) {
		return nil, errors.New("put the key back")
	}
	return kept, nil
}

// TestALostKeyKeepsNobodyFromTheLedger leaves a file that cannot be decrypted: the
// ledger is asked again all the same, once it commits.
func TestALostKeyKeepsNobodyFromTheLedger(t *testing.T) {
	t.Parallel()

	s := spoolingWith(t, t.TempDir(), locked{})
	s.ledger.fails.Store(down())
	s.accept(t, event(1))
	s.folds(t)
	s.ledger.fails.Store(nil)
	require.Eventually(t, func() bool { s.accept(t, event(2)); return s.ledger.accepts.Load() > 0 }, 2*time.Minute, 10*time.Millisecond)
	depth, _ := s.intake.SpoolDepth()
	require.Positive(t, depth, "the first event waits for its key")
}

func TestSpooledEventIsTheEventThatArrived(t *testing.T) {
	t.Parallel()

	direct, spooled := newSpooling(t), newSpooling(t)
	spooled.ledger.fails.Store(down())
	bodies := [][]byte{
		event(1), lead(2), []byte(`{"event":{"id":3,"type":"something_new"},"data":{"a":1}}`),
		[]byte(`{"event":{"id":9223372036854775807,"type":"reward_created"},"data":{}}`),
		[]byte(`{"event":{"type":"fulfilment_pending"},"data":{"id":77,"amount":1.5,"unit":"credits"}}`),
	}
	for _, body := range bodies {
		direct.accept(t, body)
		spooled.accept(t, body)
	}
	spooled.ledger.fails.Store(nil)
	spooled.folds(t)
	spooled.requireFolded(t, 4)
	for inbox := range int64(len(bodies)) {
		want, err := direct.ledger.Event(t.Context(), inbox+1)
		require.NoError(t, err)
		got, err := spooled.ledger.Event(t.Context(), inbox+1)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, string(want.Body), string(got.Body))
	}
	for _, id := range []reward.ID{2_000_001, 77} {
		want, err := direct.ledger.LatestClaim(t.Context(), id)
		require.NoError(t, err)
		got, err := spooled.ledger.LatestClaim(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestNoSecretReachesTheSpool(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.ledger.fails.Store(down())
	s.accept(t, event(1))
	found, err := filepath.Glob(filepath.Join(s.dir, "spool", "*"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	content, err := os.ReadFile(found[0])
	require.NoError(t, err)
	require.Contains(t, string(content), "2000001")
	require.NotContains(t, string(content), "secret")
}

// TestAmbiguousCommitIsCountedOnce spools what may have been committed, and
// folds what was committed already.
func TestAmbiguousCommitIsCountedOnce(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.ledger.fails.Store(down())
	for n := range int64(600) {
		s.accept(t, event(n))
	}
	s.ledger.loses.Store(2)
	s.ledger.fails.Store(nil)
	s.folds(t)
	s.requireFolded(t, 600)
	for _, n := range []reward.ID{2_000_000, 2_000_599} {
		deliveries, err := s.ledger.Deliveries(t.Context(), n)
		require.NoError(t, err)
		require.Len(t, deliveries, 1)
		require.False(t, deliveries[0].Duplicate)
	}
}

func TestNeitherInboxNorSpool(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.folds(t)
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "spool")))
	s.ledger.fails.Store(down())
	_, err := s.intake.Accept(t.Context(), event(1))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Contains(t, fault.Message(err), "neither the inbox nor the spool took the event: the disk answered with an input/output error; ")
	require.Error(t, s.intake.CheckSpool(t.Context()))
	_, err = s.intake.Accept(t.Context(), []byte(`[]`))
	require.Equal(t, fault.Invalid, fault.KindOf(err), "what is no event is refused as ever")

	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "spool"), 0o700))
	s.ledger.fails.Store(nil)
	s.accept(t, event(1))
	require.Eventually(t, func() bool { s.accept(t, event(1)); return s.ledger.accepts.Load() > 0 }, 2*time.Minute, 10*time.Millisecond,
		"the way back is found without a spooled event")
	s.requireFolded(t, 1)
}

// TestSpooledEventNeverSaysFulfilled has a paid reward's event arrive while
// nobody can say whether the answer may close it.
func TestSpooledEventNeverSaysFulfilled(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.accept(t, event(1))
	s.paid(t, 2_000_001)
	s.ledger.fails.Store(down())
	require.False(t, s.accept(t, event(1)))
	s.ledger.fails.Store(nil)
	s.folds(t)
	s.requireFolded(t, 1)
	record, err := s.ledger.Reward(t.Context(), 2_000_001)
	require.NoError(t, err)
	require.Equal(t, reward.Paid, record.Status)
	require.Empty(t, record.Closing.By)
	require.True(t, s.accept(t, event(1)), "the next one may")
}

// paid brings a reward to a payout that is paid.
func (s *spooling) paid(t *testing.T, id reward.ID) {
	t.Helper()
	record, err := s.ledger.Reward(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, s.ledger.Assess(t.Context(), ledger.Assessment{
		Reward: record.Reward, Verified: true, Status: reward.Approved, Provider: "team",
	}, "policy"))
	past := time.Now().Add(-time.Minute)
	_, err = s.ledger.Reserve(t.Context(), ledger.Reservation{
		RewardID: id, Provider: "team", Quantity: record.Reward.Quantity, Request: payout.Request{Key: payout.Key(id, 1)}, At: past,
	})
	require.NoError(t, err)
	claim, err := s.ledger.Claim(t.Context(), id, ledger.Caps{}, past, time.Now().Add(time.Minute))
	require.NoError(t, err)
	_, err = s.ledger.Finish(t.Context(), claim.Attempt, payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return time.Since(past) > time.Minute+5*time.Millisecond }, time.Minute, time.Millisecond)
}

func TestSenderThatHangsUp(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.folds(t)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, err := s.intake.Accept(gone, lead(1))
	require.NoError(t, err, "it is never sent again")
	s.requireFolded(t, 1)
	_, err = s.intake.Accept(gone, event(1))
	require.ErrorIs(t, err, context.Canceled, "it is sent again")
	require.EqualValues(t, 2, s.ledger.accepts.Load())
	s.accept(t, lead(2))
	require.EqualValues(t, 3, s.ledger.accepts.Load(), "and the ledger is not blamed for it")
}

// TestEventThatTheInboxRefuses keeps one event for a person, and brings the
// others in.
func TestEventThatTheInboxRefuses(t *testing.T) {
	t.Parallel()

	s := newSpooling(t)
	s.ledger.fails.Store(down())
	s.accept(t, event(1))
	require.NoError(t, s.spool.Append(t.Context(), []byte(`{"version":99}`)))
	require.NoError(t, s.spool.Append(t.Context(), []byte(`{"version":1,"type":""}`)))
	require.NoError(t, s.spool.Append(t.Context(), []byte(`not JSON`)))
	s.accept(t, event(2))
	s.ledger.fails.Store(nil)
	s.folds(t)
	s.requireFolded(t, 2)
	kept := func() []string {
		found, err := filepath.Glob(filepath.Join(s.dir, "spool", "*"))
		require.NoError(t, err)
		return found
	}
	require.Eventually(t, func() bool { return len(kept()) == 1 && strings.HasSuffix(kept()[0], ".kept") }, 2*time.Minute, 10*time.Millisecond)
}

// TestBurst has ten thousand events arrive at the same moment: more than the
// ledger lets wait.
func TestBurst(t *testing.T) {
	t.Parallel()

	const events = 10_000
	s := newSpooling(t)
	s.folds(t)
	var (
		arriving sync.WaitGroup
		start    = make(chan struct{})
		refused  atomic.Int64
	)
	for n := range int64(events) {
		arriving.Go(func() {
			<-start
			if _, err := s.intake.Accept(context.Background(), event(n)); err != nil {
				refused.Add(1)
			}
		})
	}
	close(start)
	arriving.Wait()
	require.Zero(t, refused.Load())
	s.requireFolded(t, events)
}

// TestNextProcessFolds lets a process end with events in its spool, and the
// ledger away.
func TestNextProcessFolds(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	first := spoolingIn(t, dir)
	stop := first.folds(t)
	first.ledger.fails.Store(down())
	for n := range int64(10) {
		first.accept(t, event(n))
	}
	stop()
	require.NoError(t, first.spool.Close())

	second := spoolingIn(t, dir)
	second.folds(t)
	second.requireFolded(t, 10)
}
