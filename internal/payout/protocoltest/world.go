package protocoltest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

const (
	// sendTimeout is how long a client waits, on the world's clock.
	sendTimeout = 15 * time.Second
	// closeByAnswerAfter is how long a paid reward waits for the API before an
	// answer may close it.
	closeByAnswerAfter = 10 * time.Minute
)

// begin is when every world begins.
func begin() time.Time { return time.Date(2026, time.November, 23, 15, 0, 0, 0, time.UTC) }

// ground is what the worlds of one test have in common: a directory, and a
// ledger that is empty and up to date, to be copied.
type ground struct {
	t     *testing.T
	dir   string
	empty []byte
	made  atomic.Int64
}

func newGround(t *testing.T) *ground {
	t.Helper()
	g := &ground{t: t, dir: t.TempDir()}
	path := filepath.Join(g.dir, "empty.db")
	l, err := sqlite.Open(t.Context(), path, sqlite.Options{Now: begin})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	g.empty, err = os.ReadFile(path)
	require.NoError(t, err)
	return g
}

// ledger returns the path of a fresh ledger.
func (g *ground) ledger() string {
	path := filepath.Join(g.dir, strconv.FormatInt(g.made.Add(1), 10)+".db")
	require.NoError(g.t, os.WriteFile(path, g.empty, 0o600))
	return path
}

// world is one reward, one ledger, one provider, and everything that happens
// to them. What is broken is noted, not thrown: much of a world runs on other
// goroutines than its test.
type world struct {
	clock   *clock
	subject Subject
	traits  payout.Traits
	wire    *wire
	calls   payout.Provider
	path    string
	ledger  *sqlite.Ledger
	// eyes is a connection of its own: it sees what is committed, and nothing
	// else.
	eyes *sql.DB

	mu     sync.Mutex
	diary  []string
	broken []string
	steps  []Step
	sent   map[string]sent
	// outside holds the references of payments that a person made by other
	// means, and seen those of payments that a person saw at the provider.
	outside, seen map[string]bool
	words         int
	completed     int
}

// sent is what left under one key.
type sent struct {
	path, body string
	times      int
}

func newWorld(g *ground, fresh Make) *world {
	w := &world{
		clock: &clock{at: begin()}, path: g.ledger(),
		sent: map[string]sent{}, outside: map[string]bool{}, seen: map[string]bool{},
	}
	w.subject = fresh(w.clock.Provider)
	if w.subject.IsSend == nil {
		w.subject.IsSend = isWrite
	}
	w.wire = newWire(w)
	provider := w.subject.Connect(g.t, w.wire.server.URL, time.Minute)
	w.calls, w.traits = caller{provider, w.wire}, provider.Traits()
	var err error
	w.ledger, err = sqlite.Open(g.t.Context(), w.path, sqlite.Options{Now: w.clock.Now})
	require.NoError(g.t, err)
	w.eyes, err = sql.Open("sqlite", "file:"+filepath.ToSlash(w.path)+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	require.NoError(g.t, err)
	w.event("1")
	return w
}

func (w *world) close() {
	w.wire.server.Close()
	_ = w.eyes.Close()
	_ = w.ledger.Close()
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(w.path + end)
	}
}

func (w *world) id() reward.ID { return w.subject.Order.Reward.ID }

// play plays a schedule, and then lets everything be well until the reward has
// ended.
func (w *world) play(s Schedule) {
	w.wire.sends, w.wire.reads, w.steps = s.Sends, s.Reads, s.Steps
	for i, life := range s.Lives {
		w.note("life %d", i+1)
		w.live(life)
		w.look("between two lives")
	}
	w.mu.Lock()
	w.wire.mu.Lock()
	w.wire.sends, w.wire.reads, w.steps = nil, nil, nil
	w.wire.mu.Unlock()
	w.mu.Unlock()
	w.note("all is well again")
	w.brake(false)
	w.lastLife()
	w.look("at the end")
	w.settled()
}

// pass lets time pass in which nothing runs here; what is under way arrives.
func (w *world) pass(d time.Duration) {
	w.clock.jump(d)
	w.wire.deliver()
}

func (w *world) nextStep() Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.steps) == 0 {
		return Step{}
	}
	s := w.steps[0]
	w.steps = w.steps[1:]
	return s
}

// note writes into the diary.
func (w *world) note(format string, args ...any) {
	line := w.since(w.clock.Now()) + " " + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	for range max(0, w.clock.depth()-1) {
		line = "    | " + line
	}
	w.diary = append(w.diary, line)
}

func (w *world) since(at time.Time) string { return at.Sub(begin()).String() }

// wrong notes a rule that was broken.
func (w *world) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note("BROKEN: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, text)
}

// must notes an error that no world should meet.
func (w *world) must(what string, err error) {
	if err != nil {
		w.wrong("%s: %v", what, err)
	}
}

// event delivers a fulfilment_pending event.
func (w *world) event(id string) {
	receipt, err := w.ledger.Accept(context.Background(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: id, EventID: id, Dispatch: true,
		Reward: &ledger.Claimed{Reward: w.owed()}, Body: []byte("{}"),
	}, closeByAnswerAfter)
	w.must("accepting an event", err)
	if receipt.ClosedByAnswer {
		w.note("the event is answered 200")
		w.complete()
	}
}

// owed is the reward as FirstPromoter has it, which names no currency.
func (w *world) owed() reward.Reward {
	r := w.subject.Order.Reward
	r.Quantity.Currency = ""
	return r
}

func (w *world) brake(on bool) {
	w.must("setting the brake", w.ledger.SetBrake(context.Background(), ledger.BrakeState{
		Scope: ledger.AllProviders, Paused: on, Reason: "a test", By: "alice", At: w.clock.Now(),
	}))
}

// payout returns the payout's row, and whether there is one.
func (w *world) payout() (ledger.Payout, bool) {
	p, err := w.ledger.Payout(context.Background(), w.id())
	if fault.Is(err, fault.NotFound) {
		return p, false
	}
	w.must("reading the payout", err)
	return p, err == nil
}

func (w *world) status() reward.Status {
	rec, err := w.ledger.Reward(context.Background(), w.id())
	w.must("reading the reward", err)
	return rec.Status
}

// Owed implements activities.FirstPromoter.
func (w *world) Owed(context.Context, int64, reward.ID) (activities.Owed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.completed > 0 {
		return activities.Owed{Reward: w.owed(), Status: "completed"}, nil
	}
	return activities.Owed{Reward: w.owed(), Status: "pending"}, nil
}

// Complete implements activities.FirstPromoter.
func (w *world) Complete(context.Context, reward.ID) error {
	rec, err := w.ledger.Reward(context.Background(), w.id())
	w.must("reading the close", err)
	if c := rec.Closing; c.By != ledger.ClosedByAPI || c.Call != ledger.CallOut || !w.clock.Now().Before(c.Deadline) {
		w.wrong("the close is called, and the ledger has it as %q by %q until %s", c.Call, c.By, w.since(c.Deadline))
	}
	w.complete()
	return nil
}

// complete is FirstPromoter's own note that the reward is fulfilled.
func (w *world) complete() {
	if p, _ := w.payout(); p.State != payout.Paid {
		w.wrong("FirstPromoter is told that the reward is fulfilled, and its payout is %q", p.State)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.completed++
}

// Rule implements activities.Judge: everything is paid.
func (w *world) Rule(activities.Case) activities.Ruling {
	return activities.Ruling{
		Provider: w.calls.Name(), Currency: w.subject.Order.Reward.Quantity.Currency,
		Verdict: activities.VerdictPay, Rule: "rule 1", PolicyVersion: "p-1", Reason: "rule 1: pay",
	}
}
