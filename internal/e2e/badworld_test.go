package e2e_test

import (
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/silentport"
)

// TestFirstPromoterCannotBeAsked starts with a configuration that does not
// reach FirstPromoter: rewards wait with the reason, and are paid once it is mended.
func TestFirstPromoterCannotBeAsked(t *testing.T) {
	t.Parallel()

	for name, world := range map[string]struct {
		wrong  settings
		status reward.Status
		reason string
	}{
		"WrongKey": {
			settings{APIKey: "key-of-somebody-else-0123456789"}, reward.Attention, "check firstpromoter.api_key",
		},
		"Unreachable": {
			settings{BaseURL: "http://" + silentport.Address(t) + simulator.BasePath},
			reward.Verifying,
			"FirstPromoter could not be asked, and will be asked again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := running(t, world.wrong)
			id := w.send(months())
			s := w.await(soon, id, world.status, "")
			require.Contains(t, s.Reason, world.reason)
			require.NotContains(t, s.Reason, "0123456789")
			require.Equal(t, http.StatusAccepted, s.Deliveries[0].Answer)
			w.process.stop(t)

			w.set = settings{}
			w.configure()
			w.start(spec{})
			w.await(time.Minute, id, reward.Fulfilled, "")
			w.requireOnce(id)
		})
	}
}

// TestFirstPromoterIsAway lets FirstPromoter vanish between the payment and
// the close.
func TestFirstPromoterIsAway(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {then: ask}"})
	id := w.send(months())
	w.await(soon, id, reward.AwaitingApproval, "")
	w.fp.Down(true)
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, "").status)
	eventually(t, soon, func() (string, bool) {
		s := w.reward(id, "")
		return s.Reason, strings.Contains(s.Reason, "FirstPromoter could not be asked")
	})
	require.Empty(t, w.provider.Books().Effects, "what waited is read again before it is paid")
	w.fp.Down(false)
	w.await(time.Minute, id, reward.Fulfilled, "")
	w.requireOnce(id)
}

// TestRefusesToStart has what makes a start impossible: one clear line, and
// nothing changed.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()

	for name, world := range map[string]struct {
		prepare func(t *testing.T, w *world) spec
		says    []string
	}{
		"ForeignDatabase": {foreignDatabase, []string{"ledger.db cannot be the ledger: it is the database of another program"}},
		"NotADatabase":    {notADatabase, []string{"ledger.db cannot be the ledger: it is not a SQLite database"}},
		"LockedDatabase":  {lockedDatabase, []string{"ledger.db cannot be opened: another process has locked it"}},
		"NoDirectory":     {noDirectory, []string{"not a directory"}},
		"ListenTaken":     {listenTaken, []string{"is taken", "--listen"}},
		"TemporalTaken":   {temporalTaken, []string{"is taken", "--temporal-port"}},
		"UITaken":         {uiTaken, []string{"is taken", "--ui-port"}},
		"WrongRule":       {wrongRule, []string{"rewardflow.yaml:", "policy[0].when", "amuont"}},
		"TwoProcesses":    {twoProcesses, []string{"temporal", "another process"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, settings{})
			s := world.prepare(t, w)
			s.Config = w.configFile()
			words := refuses(t, s)
			t.Log(words)
			for _, says := range world.says {
				require.Contains(t, words, says)
			}
			require.LessOrEqual(t, strings.Count(words, "\n"), 2, "one clear error, and not a dump")
			require.NotContains(t, words, "0123456789")
		})
	}
}

func foreignDatabase(t *testing.T, w *world) spec {
	t.Helper()
	require.NoError(t, os.MkdirAll(w.dataDir(), 0o700))
	db, err := sql.Open("sqlite", w.ledgerFile())
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `CREATE TABLE customers (name TEXT)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	w.unchanged()
	return spec{UIPort: noPort}
}

func notADatabase(t *testing.T, w *world) spec {
	t.Helper()
	require.NoError(t, os.MkdirAll(w.dataDir(), 0o700))
	require.NoError(t, os.WriteFile(w.ledgerFile(), []byte(strings.Repeat("a diary, and no database\n", 100)), 0o600))
	w.unchanged()
	return spec{UIPort: noPort}
}

// unchanged compares the ledger's file at the end of the test with how it is now.
func (w *world) unchanged() {
	w.t.Helper()
	before, err := os.ReadFile(w.ledgerFile())
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		after, err := os.ReadFile(w.ledgerFile())
		require.NoError(w.t, err)
		require.Equal(w.t, before, after)
	})
}

func lockedDatabase(t *testing.T, w *world) spec {
	t.Helper()
	w.start(spec{}).stop(t)
	lock(t, w)
	return spec{UIPort: noPort}
}

// lock holds the ledger's write lock, and returns what releases it.
func lock(t *testing.T, w *world) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.ledgerFile()+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	held, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	release = func() { _ = held.Rollback() }
	t.Cleanup(func() { release(); require.NoError(t, db.Close()) })
	return release
}

func noDirectory(t *testing.T, w *world) spec {
	t.Helper()
	require.NoError(t, os.WriteFile(w.dataDir(), []byte("a file in the way"), 0o600))
	return spec{UIPort: noPort}
}

// taken returns a port that somebody else listens on.
func taken(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func listenTaken(t *testing.T, w *world) spec {
	t.Helper()
	w.set.Listen = fmt.Sprintf("127.0.0.1:%d", taken(t))
	w.configure()
	return spec{UIPort: noPort}
}

func temporalTaken(t *testing.T, _ *world) spec {
	t.Helper()
	return spec{TemporalPort: taken(t), UIPort: noPort}
}

func uiTaken(t *testing.T, _ *world) spec {
	t.Helper()
	return spec{UIPort: taken(t)}
}

func wrongRule(t *testing.T, w *world) spec {
	t.Helper()
	w.set.Policy = "  - {when: 'amuont > 3', then: pay}"
	w.configure()
	return spec{UIPort: noPort}
}

func twoProcesses(t *testing.T, w *world) spec {
	t.Helper()
	w.start(spec{})
	return spec{UIPort: noPort}
}

// TestLedgerIsLockedForAWhile has another program hold the ledger's lock while
// events arrive: they are answered 202 from the spool, the process stays ready,
// and they are worked off when the lock is gone.
func TestLedgerIsLockedForAWhile(t *testing.T) {
	t.Parallel()

	w := running(t, settings{})
	release := lock(t, w)
	ids := []reward.ID{w.send(months()), w.send(months())}
	_, err := w.fp.Fire(t.Context(), simulator.Occasion{Type: "lead_signup"})
	require.NoError(t, err)
	for _, d := range w.fp.Books().Deliveries {
		require.Equal(t, http.StatusAccepted, d.Answer)
	}
	eventually(t, soon, func() (string, bool) {
		r, said := w.readyz()
		return said, r.Ready && r.Spool.Depth == 3
	})
	release()
	w.awaitAll(soon, ids, reward.Fulfilled)
	w.requireOnce(ids...)
	w.process.stop(t)
	w.requireAcceptedAreKept()
	w.requireEmptySpool()
}

func (w *world) requireEmptySpool() {
	w.t.Helper()
	left, err := filepath.Glob(filepath.Join(w.dataDir(), "spool", "*"))
	require.NoError(w.t, err)
	require.Empty(w.t, left)
}

// TestKilledWithTheLedgerLocked kills a process whose only record of an event
// is its spool, which is encrypted where the ledger is.
func TestKilledWithTheLedgerLocked(t *testing.T) {
	t.Parallel()

	key, text := encryption.NewKey(time.Now())
	for name, more := range map[string]string{
		"InClear":   "",
		"Encrypted": fmt.Sprintf("encryption: {keys: [{id: %q, key: %q}], ledger: true}", key.ID, text),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := running(t, settings{More: more})
			release := lock(t, w)
			id := w.send(months())
			require.Equal(t, http.StatusAccepted, w.fp.Books().Deliveries[0].Answer)
			w.process.kill()
			release()
			files := map[string][]byte{}
			searchFiles(t, files, filepath.Join(w.dataDir(), "spool"))
			require.Len(t, files, 1)
			for file, content := range files {
				require.Equal(t, more == "", strings.Contains(string(content), `"fulfilment_pending"`), "%s: %s", file, content)
			}

			w.start(spec{})
			w.await(soon, id, reward.Fulfilled, "")
			w.requireOnce(id)
			w.process.stop(t)
			w.requireEmptySpool()
		})
	}
}

// TestFullDisk lets no file grow any more: first the spool takes what the
// ledger cannot, then events are refused with 503, and after a start on a disk
// with room everything that was accepted is paid.
func TestFullDisk(t *testing.T) {
	t.Parallel()

	w := newWorld(t, settings{RetryEvery: 3 * time.Second})
	away := silentport.Address(t)
	// The first process makes the ledger's file, for which no room is needed then.
	w.start(spec{Temporal: away, NoWorker: true})
	w.process.stop(t)
	w.start(spec{Temporal: away, NoWorker: true, MaxFile: 250_000})
	var ids []reward.ID
	refused := func() bool {
		d := w.fp.Books().Deliveries
		return len(d) > 0 && d[len(d)-1].Answer == http.StatusServiceUnavailable
	}
	spooled := 0
	for len(ids) < 2000 && !refused() {
		ids = append(ids, w.send(months()))
		if spooled == 0 && strings.Contains(w.process.log.String(), "spooled=true") {
			spooled = len(ids)
			eventually(t, soon, func() (string, bool) { r, said := w.readyz(); return said, r.Ready })
		}
	}
	require.True(t, refused(), "the disk never became full")
	require.Greater(t, spooled, 1)
	t.Logf("%d events were accepted by the ledger, and %d by the spool, before the disk was full", spooled-1, len(ids)-spooled)
	require.Greater(t, len(ids)-spooled, 3)
	eventually(t, soon, func() (string, bool) {
		a, err := w.ask(http.MethodGet, "/readyz", "", nil)
		require.NoError(t, err)
		return string(a.body), a.status == http.StatusServiceUnavailable
	})
	w.process.stop(t)

	w.start(spec{})
	w.awaitAll(2*time.Minute, ids, reward.Fulfilled)
	w.requireOnce(ids...)
	w.process.stop(t)
	w.requireAcceptedAreKept()
	w.requireEmptySpool()
}
