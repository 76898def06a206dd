package e2e_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // The driver "sqlite".

	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/payout/sandbox"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// TestKillAnywhere kills the process again and again, at its calls to the
// doubles and at any time, while rewards of every kind flow.
func TestKillAnywhere(t *testing.T) {
	t.Parallel()

	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	chance := rand.New(rand.NewPCG(seed, seed))

	wire := &tripwire{}
	w := newWorld(t, settings{
		Policy:             "  - {when: 'unit == \"credits\"', then: ask}\n  - {then: pay}",
		CloseByAnswerAfter: 3 * time.Second, CheckEvery: 2 * time.Second, RetryEvery: 15 * time.Second,
		Around: wire.around,
	})
	w.provider.Script(sandbox.CustID("lost"), sandbox.LoseAnswer())
	w.provider.Script(sandbox.CustID("before"), sandbox.FailBefore())
	w.provider.Script(sandbox.CustID("after"), sandbox.FailAfter())
	w.provider.Script(sandbox.CustID("later"), sandbox.SettleLater(time.Second))
	w.provider.Script(sandbox.CustID("throttled"), sandbox.Throttle(time.Second))
	w.provider.Script(sandbox.CustID("slow"), sandbox.SlowAnswer(300*time.Millisecond))
	w.fp.Fail(simulator.Fault{On: simulator.Update, Status: http.StatusInternalServerError, AfterEffect: true})
	w.fp.Fail(simulator.Fault{On: simulator.Update, Reset: true})

	kinds := []simulator.Spec{
		months(), to("lost"), to("before"), to("after"), to("later"), to("throttled"), to("slow"), months(),
		{Amount: 700, Unit: reward.Credits},
		{Amount: 5, Unit: reward.Cash},
	}
	chance.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	var ids []reward.ID
	for round := range 5 {
		from := 4 * round % len(kinds)
		ids = append(ids, w.liveAndDie(chance, wire, round%2 == 0, kinds[from:min(from+4, len(kinds))])...)
	}
	w.start(spec{})
	left := ids
	eventually(t, 2*time.Minute, func() (saw string, all bool) {
		left, saw = w.approveAll(left)
		return saw, len(left) == 0
	})
	w.requireOnce(ids...)
	w.process.stop(t)
	w.requireAcceptedAreKept()
}

// TestKilledWhileAPersonIsHeard kills the process in the middle of the workflow
// task that carries a person's word: at the call that follows from it. The word
// counts, and nobody has to say it again.
func TestKilledWhileAPersonIsHeard(t *testing.T) {
	t.Parallel()

	t.Run("Approve", func(t *testing.T) {
		t.Parallel()

		wire := &tripwire{}
		w := running(t, settings{Policy: "  - {then: ask}", Around: wire.around})
		id := w.send(months())
		s := w.await(soon, id, reward.AwaitingApproval, "")
		w.dieSaying(wire, id, "/decision", map[string]any{"decision": "approve", "digest": s.Digest})
		w.start(spec{})
		s = w.await(time.Minute, id, reward.Fulfilled, "")
		require.Len(t, s.Decisions, 1)
		w.requireOnce(id)
	})
	t.Run("Retry", func(t *testing.T) {
		t.Parallel()

		wire := &tripwire{}
		w := running(t, settings{Around: wire.around})
		id, genuine := w.capture(months())
		_, err := w.fp.FireForged(t.Context(), simulator.Forgery{Reward: id, Spec: simulator.Spec{Amount: 300}})
		require.NoError(t, err)
		w.await(soon, id, reward.Quarantined, "")
		require.Equal(t, http.StatusAccepted, w.deliver(genuine))
		w.dieSaying(wire, id, "/resolve", map[string]any{"action": "retry"})
		w.start(spec{})
		w.await(time.Minute, id, reward.Fulfilled, "")
		w.requireOnce(id)
	})
}

// dieSaying sends what a person says, and kills the process at its next call
// to a double.
func (w *world) dieSaying(wire *tripwire, id reward.ID, what string, body any) {
	w.t.Helper()
	wire.arm(1, false, w.process.cmd.Process.Kill)
	_, _ = w.ask(http.MethodPost, rewardPath(id)+what, "", body) // Its answer is lost with the process.
	timer := time.NewTimer(soon)
	defer timer.Stop()
	select {
	case <-w.process.ended:
	case <-timer.C:
		require.FailNow(w.t, "the process made no call")
	}
}

// liveAndDie starts a process, has rewards sent to it, and kills it: at one of
// its calls, or when a time has come. It returns the rewards.
func (w *world) liveAndDie(chance *rand.Rand, wire *tripwire, byCall bool, kinds []simulator.Spec) []reward.ID {
	w.t.Helper()
	p := w.launch(spec{})
	end := time.Duration(300+chance.IntN(2500)) * time.Millisecond
	if call, after := 1+chance.IntN(14), chance.IntN(2) == 0; byCall {
		wire.arm(call, after, p.cmd.Process.Kill)
		end = 5 * time.Second // Should there be fewer calls.
		w.t.Logf("killing at call %d, after it: %v", call, after)
	} else {
		w.t.Logf("killing after %s", end)
	}

	var ids []reward.ID
	var sending sync.WaitGroup
	sending.Go(func() {
		if r, serves := <-p.serves; serves {
			p.ready = r
			w.announce(p)
		}
		for _, kind := range kinds {
			id, err := w.fp.CreateReward(w.t.Context(), kind)
			if err != nil {
				w.t.Errorf("creating a reward: %v", err)
				return
			}
			ids = append(ids, id)
			_, _ = w.fp.Fire(w.t.Context(), simulator.Occasion{Type: "lead_signup"})
		}
		_, _ = w.approveAll(ids)
	})
	timer := time.NewTimer(end)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	}
	wire.disarm()
	p.kill()
	sending.Wait()
	return ids
}

// approveAll approves what waits, and returns what is not fulfilled yet.
func (w *world) approveAll(ids []reward.ID) (left []reward.ID, saw string) {
	for _, id := range ids {
		var s shown
		a, err := w.ask(http.MethodGet, rewardPath(id), "", nil)
		if err == nil {
			err = json.Unmarshal(a.body, &s)
		}
		if s.Status == reward.Fulfilled {
			continue
		}
		left = append(left, id)
		saw += fmt.Sprintf("reward %s is %s: %s (%d, %v)\n", id, s.Status, s.Reason, a.status, err)
		if s.Status == reward.AwaitingApproval {
			_, _ = w.ask(http.MethodPost, rewardPath(id)+"/decision", "", map[string]any{"decision": "approve", "digest": s.Digest})
		}
	}
	return left, saw
}

// requireAcceptedAreKept looks into the ledger for every event that was
// answered with a 2xx.
func (w *world) requireAcceptedAreKept() {
	w.t.Helper()
	kept := map[string]bool{}
	rows, err := w.openLedger().QueryContext(w.t.Context(), `SELECT type, event_id FROM inbox`)
	require.NoError(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var kind, event string
		require.NoError(w.t, rows.Scan(&kind, &event))
		kept[kind+" "+event] = true
	}
	require.NoError(w.t, rows.Err())
	accepted := 0
	for _, d := range w.fp.Books().Deliveries {
		if d.Answer/100 == 2 {
			accepted++
			event := d.Type + " " + strconv.FormatInt(d.EventID, 10)
			require.True(w.t, kept[event], "%s was answered %d and is not in the inbox", event, d.Answer)
		}
	}
	require.NotZero(w.t, accepted)
}

// openReadOnly opens a database that no process uses any more.
func openReadOnly(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// openLedger opens the ledger's database, to look into it.
func (w *world) openLedger() *sql.DB {
	w.t.Helper()
	if w.set.Database == "" {
		return openReadOnly(w.t, w.ledgerFile())
	}
	db, err := sql.Open("pgx", w.set.Database)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, db.Close()) })
	return db
}

// tripwire sees every call that a process makes to a double, and kills the
// process at one of them: before the double has done anything, or after it has
// and before the process hears of it. These are the moments that matter.
type tripwire struct {
	mu    sync.Mutex
	left  int
	after bool
	kill  func() error
}

// arm lets the nth call from now kill.
func (w *tripwire) arm(n int, after bool, kill func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left, w.after, w.kill = n, after, kill
}

func (w *tripwire) disarm() { w.arm(0, false, nil) }

// step counts a call and returns what kills at it; nil for every other call.
func (w *tripwire) step() (kill func() error, after bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left--
	if w.left != 0 {
		return nil, false
	}
	return w.kill, w.after
}

// around wraps a double.
func (w *tripwire) around(double http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		kill, after := w.step()
		if kill == nil {
			double.ServeHTTP(rw, r)
			return
		}
		defer func() { _ = kill() }()
		if after {
			double.ServeHTTP(nobody{header: http.Header{}}, r)
		}
		panic(http.ErrAbortHandler)
	})
}

// nobody takes an answer that never arrives.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n nobody) WriteHeader(int)             {}
