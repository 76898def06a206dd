package ledgertest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func modelChecks() []check {
	return []check{{"RandomHistoriesKeepTheRules", randomHistories}}
}

// randomHistories drives one payout after the other through random calls, and
// compares what the ledger says after each with what the rules allow.
func randomHistories(t *testing.T, b *bundle) {
	id := reward.ID(0)
	rapid.Check(t, func(rt *rapid.T) {
		id++
		require.NoError(rt, b.SetBrake(b.ctx, ledger.BrakeState{Scope: ledger.AllProviders}))
		b.approved(t, id)
		m := &model{b: b, t: t, id: id, generation: 1}
		m.seen = snapshotOf(t, b.Ledger, id)
		rt.Repeat(map[string]func(*rapid.T){
			"":           m.rules,
			"reserve":    m.reserve,
			"claim":      m.claim,
			"finish":     m.finish,
			"expire":     m.expire,
			"look up":    m.lookUp,
			"rearm":      m.rearm,
			"generation": m.newGeneration,
			"by hand":    m.byHand,
			"brake":      m.brake,
			"wait":       m.wait,
		})
	})
}

// model is what a careful reader would expect of one payout.
type model struct {
	b  *bundle
	t  *testing.T
	id reward.ID

	generation int // The newest that the ledger agreed to.
	paused     bool
	attempts   []ledger.Attempt // Every attempt that was ever handed out.
	looked     int64            // The newest fence under which a look-up was recorded.
	references int

	seen snapshot // The ledger after the last call.
	// via are the moves that the call which just ran may have made; nil when
	// it may have made none.
	via []payout.Move
}

// fresh returns a reference that no payout has yet.
func (m *model) fresh() string {
	m.references++
	return fmt.Sprintf("ref-%d-%d", m.id, m.references)
}

func (m *model) reserve(rt *rapid.T) {
	r := reservation(m.id, 1)
	r.Request.Body = rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(rt, "body")
	p, err := m.b.Reserve(m.b.ctx, r)
	require.NoError(rt, err)
	if m.exists() {
		require.Equal(rt, m.seen.Payout, p)
	}
}

func (m *model) exists() bool { return m.seen.Payout.Generation > 0 }

// expect checks the error of a call that needs a payout.
func (m *model) expect(rt *rapid.T, err error, kinds ...fault.Kind) {
	if !m.exists() {
		require.Equal(rt, fault.NotFound, fault.KindOf(err))
		return
	}
	if err != nil {
		require.Contains(rt, kinds, fault.KindOf(err))
	}
}

func (m *model) claim(rt *rapid.T) {
	now := m.b.clock.Now()
	c, err := m.b.Claim(m.b.ctx, m.id, ledger.Caps{}, now, now.Add(time.Minute))
	m.expect(rt, err)
	require.Equal(rt, m.exists() && m.seen.Payout.State == payout.Reserved && !m.paused, c.Taken)
	require.Equal(rt, m.exists() && m.seen.Payout.State == payout.Reserved && m.paused, c.Braked)
	if c.Taken {
		require.Equal(rt, c.Payout.Fence, c.Attempt.Number)
		m.attempts = append(m.attempts, c.Attempt)
		m.via = []payout.Move{payout.MoveClaim}
	}
}

func (m *model) finish(rt *rapid.T) {
	if len(m.attempts) == 0 {
		rt.Skip("nothing was sent")
	}
	a := rapid.SampledFrom(m.attempts).Draw(rt, "attempt")
	out := payout.Outcome{
		Class:   rapid.SampledFrom(append(payout.Classes(), "", "teapot")).Draw(rt, "class"),
		Settled: rapid.Bool().Draw(rt, "settled"),
	}
	if out.Class == payout.ClassAccepted {
		out.Reference = m.fresh()
	}
	p, err := m.b.Finish(m.b.ctx, a, out)
	require.NoError(rt, err)
	if m.seen.Payout.State == payout.Submitting && m.seen.Payout.Fence == a.Number {
		want, _ := payout.Next(payout.Submitting, out.Move())
		require.Equal(rt, want, p.State)
		m.via = []payout.Move{out.Move()}
		return
	}
	require.Equal(rt, m.seen.Payout, p)
}

func (m *model) expire(rt *rapid.T) {
	p, err := m.b.Expire(m.b.ctx, m.id, m.b.clock.Now())
	m.expect(rt, err)
	if m.exists() && p.State != m.seen.Payout.State {
		m.via = []payout.Move{payout.MoveUnknown}
	}
}

func (m *model) lookUp(rt *rapid.T) {
	fence := m.seen.Payout.Fence - rapid.Int64Range(0, 1).Draw(rt, "behind")
	f := payout.Finding{Answer: rapid.SampledFrom([]payout.Answer{
		payout.FoundSettled, payout.FoundPending, payout.FoundFailed, payout.FoundReturned,
		payout.Absent, payout.Absent, payout.Absent, payout.CannotTell, "",
	}).Draw(rt, "answer")}
	p, err := m.b.Found(m.b.ctx, m.id, fence, f, m.b.clock.Now())
	m.expect(rt, err)
	if !m.exists() {
		return
	}
	m.looked = max(m.looked, fence)
	move, moves := f.Move()
	want, allowed := payout.Next(m.seen.Payout.State, move)
	if fence == m.seen.Payout.Fence && moves && allowed {
		require.Equal(rt, want, p.State)
		m.via = []payout.Move{move}
		return
	}
	require.Equal(rt, m.seen.Payout, p)
}

func (m *model) rearm(rt *rapid.T) {
	fence := m.seen.Payout.Fence - rapid.Int64Range(0, 1).Draw(rt, "behind")
	_, err := m.b.Rearm(m.b.ctx, m.id, fence, "surely absent")
	m.expect(rt, err, fault.Conflict)
	may := m.seen.Payout.State == payout.Unknown && fence == m.seen.Payout.Fence && m.looked == fence
	require.Equal(rt, may, err == nil)
	if may {
		m.via = []payout.Move{payout.MoveNotSent}
	}
}

func (m *model) newGeneration(rt *rapid.T) {
	_, err := m.b.NewGeneration(m.b.ctx, reservation(m.id, m.generation+1), "alice")
	m.expect(rt, err, fault.Conflict)
	require.Equal(rt, m.seen.Payout.State == payout.Refused, err == nil)
	if err == nil {
		m.generation++
		m.via = []payout.Move{payout.MoveGeneration}
	}
}

func (m *model) byHand(rt *rapid.T) {
	if rapid.IntRange(0, 5).Draw(rt, "rarely") > 0 {
		rt.Skip("nobody pays by hand now")
	}
	p, err := m.b.PayByHand(m.b.ctx, m.id, "alice", m.fresh(), m.b.clock.Now())
	_, allowed := payout.Next(m.seen.Payout.State, payout.MoveByHand)
	require.Equal(rt, allowed || !m.exists(), err == nil)
	if err != nil {
		require.Equal(rt, fault.Conflict, fault.KindOf(err))
		return
	}
	require.Equal(rt, payout.Paid, p.State)
	m.via = []payout.Move{payout.MoveByHand}
}

func (m *model) brake(rt *rapid.T) {
	m.paused = rapid.Bool().Draw(rt, "paused")
	require.NoError(rt, m.b.SetBrake(m.b.ctx, ledger.BrakeState{Scope: ledger.AllProviders, Paused: m.paused, Reason: "r"}))
}

func (m *model) wait(rt *rapid.T) {
	m.b.clock.advance(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 2 * time.Minute}).Draw(rt, "wait"))
}

// rules runs after every call.
func (m *model) rules(rt *rapid.T) {
	before, now := m.seen, snapshotOf(m.t, m.b.Ledger, m.id)
	moves := m.via
	m.seen, m.via = now, nil

	existed := before.Payout.Generation > 0
	if existed && before.Payout.State != now.Payout.State {
		require.True(rt, leads(before.Payout.State, now.Payout.State, moves),
			"%s to %s by %v", before.Payout.State, now.Payout.State, moves)
	}
	require.GreaterOrEqual(rt, now.Payout.Fence, before.Payout.Fence, "the fence never falls")
	if existed && now.Payout.State == payout.Submitting && before.Payout.State != payout.Submitting {
		require.Greater(rt, now.Payout.Fence, before.Payout.Fence, "a claim raises the fence")
	}
	if existed && before.Payout.Generation == now.Payout.Generation {
		require.Equal(rt, before.Payout.Request, now.Payout.Request, "what is frozen stays frozen")
		require.Equal(rt, before.Payout.Quantity, now.Payout.Quantity)
	}
	require.LessOrEqual(rt, len(before.Changes), len(now.Changes))
	require.True(rt, reflect.DeepEqual(before.Changes, now.Changes[:len(before.Changes)]), "history is only appended to")
	m.attemptRules(rt, before.Attempts, now)
}

// leads reports whether one of the moves leads from one state to the other.
func leads(from, to payout.State, moves []payout.Move) bool {
	for _, move := range moves {
		if next, ok := payout.Next(from, move); ok && next == to {
			return true
		}
	}
	return false
}

func (m *model) attemptRules(rt *rapid.T, before []ledger.Attempt, now snapshot) {
	require.LessOrEqual(rt, len(before), len(now.Attempts))
	for i, a := range before {
		if a.FinishedAt.IsZero() {
			continue
		}
		require.Equal(rt, a, now.Attempts[i], "a finished attempt does not change")
	}
	var last int64
	onTheWire, delivered := 0, false
	for _, a := range now.Attempts {
		require.Greater(rt, a.Number, last, "numbers only rise")
		last = a.Number
		if a.FinishedAt.IsZero() && a.Number == now.Payout.Fence && now.Payout.State == payout.Submitting {
			onTheWire++
		}
		switch {
		case a.Kind == ledger.AttemptByHand,
			a.Outcome == string(payout.ClassAccepted),
			a.Outcome == string(payout.FoundSettled):
			delivered = true
		}
	}
	if now.Payout.State == payout.Submitting {
		require.Equal(rt, 1, onTheWire, "whoever submits has one attempt on the wire")
	}
	if now.Payout.State == payout.Paid {
		require.True(rt, delivered, "paid rests on an outcome or on a person")
		require.False(rt, now.Payout.PaidAt.IsZero())
	}
}
