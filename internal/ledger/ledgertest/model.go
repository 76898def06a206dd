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
		m := &model{b: b, id: id, generation: 1}
		m.seen = m.look(rt)
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
			// The usual orders, so that a history gets far.
			"send":          m.inOrder(m.claim, m.finish),
			"die":           m.inOrder(m.claim, m.wait, m.expire),
			"look and send": m.inOrder(m.lookUp, m.rearm, m.claim, m.finish),
			"begin":         m.inOrder(m.reserve, m.claim),
		})
	})
}

// model is what a careful reader would expect of one payout.
type model struct {
	b  *bundle
	id reward.ID

	generation int // The newest that the ledger agreed to.
	paused     bool
	attempts   []ledger.Attempt // Every attempt that was ever handed out.
	looked     int64            // The newest fence under which a look-up was recorded, no send being on the wire.
	answer     payout.Answer    // What that look-up said.
	references int

	seen snapshot // The ledger after the last call.
	// via are the moves that the call which just ran may have made; nil when
	// it may have made none.
	via []payout.Move
}

// inOrder makes one call after the other and checks the rules after each.
func (m *model) inOrder(calls ...func(*rapid.T)) func(*rapid.T) {
	return func(rt *rapid.T) {
		for _, call := range calls {
			call(rt)
			m.rules(rt)
		}
	}
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
		return // Nothing was sent.
	}
	a := m.attempts[len(m.attempts)-1]
	if rapid.IntRange(0, 3).Draw(rt, "an old one") == 3 {
		a = rapid.SampledFrom(m.attempts).Draw(rt, "attempt")
	}
	out := payout.Outcome{
		Class: rapid.SampledFrom([]payout.Class{
			payout.ClassUnknown, payout.ClassUnknown, payout.ClassUnknown, payout.ClassNotSent, payout.ClassNotSent,
			payout.ClassRefused, payout.ClassAccepted, payout.ClassConflict, "", "teapot",
		}).Draw(rt, "class"),
		Settled: rapid.Bool().Draw(rt, "settled"),
	}
	if out.Class == payout.ClassAccepted {
		out.Reference = m.fresh()
	}
	p, err := m.b.Finish(m.b.ctx, a, out)
	require.NoError(rt, err)
	if m.seen.Payout.State == payout.Submitting && m.seen.Payout.Fence == a.Number {
		move := m.believed(out.Move())
		want, _ := payout.Next(payout.Submitting, move)
		require.Equal(rt, want, p.State)
		m.via = []payout.Move{move}
		return
	}
	require.Equal(rt, m.seen.Payout, p)
}

// believed is the move that a finished send makes: in blind doubt, what says
// "not done" says it of the newest send only.
func (m *model) believed(move payout.Move) payout.Move {
	if m.seen.Payout.Doubt == ledger.DoubtBlind && (move == payout.MoveNotSent || move == payout.MoveRefused) {
		return payout.MoveUnknown
	}
	return move
}

func (m *model) expire(rt *rapid.T) {
	p, err := m.b.Expire(m.b.ctx, m.id, m.b.clock.Now())
	m.expect(rt, err)
	if m.exists() && p.State != m.seen.Payout.State {
		m.via = []payout.Move{payout.MoveUnknown}
	}
}

func (m *model) lookUp(rt *rapid.T) {
	fence := m.seen.Payout.Fence - m.behind(rt)
	f := payout.Finding{Answer: rapid.SampledFrom([]payout.Answer{
		payout.CannotTell, payout.CannotTell, payout.CannotTell, "", payout.Absent, payout.Absent, payout.Absent,
		payout.FoundFailed, payout.FoundPending, payout.FoundSettled, payout.FoundReturned,
	}).Draw(rt, "answer")}
	p, err := m.b.Found(m.b.ctx, m.id, fence, f, m.b.clock.Now())
	m.expect(rt, err)
	if !m.exists() {
		return
	}
	if m.seen.Payout.State != payout.Submitting && fence >= m.looked {
		m.looked, m.answer = fence, f.Answer
	}
	move, moves := f.Move()
	want, allowed := payout.Next(m.seen.Payout.State, move)
	if fence == m.seen.Payout.Fence && moves && allowed {
		require.Equal(rt, want, p.State)
		m.via = []payout.Move{move}
		return
	}
	require.Equal(rt, m.seen.Payout, p)
}

// behind is how far the caller's knowledge of the fence is behind: rarely, and
// not far.
func (m *model) behind(rt *rapid.T) int64 {
	return rapid.Int64Range(0, 5).Draw(rt, "behind") / 5
}

func (m *model) rearm(rt *rapid.T) {
	fence := m.seen.Payout.Fence - m.behind(rt)
	p, err := m.b.Rearm(m.b.ctx, m.id, fence, "surely absent")
	m.expect(rt, err, fault.Conflict)
	may := m.seen.Payout.State == payout.Unknown && fence == m.seen.Payout.Fence && m.looked == fence
	require.Equal(rt, may, err == nil)
	if !may {
		return
	}
	m.via = []payout.Move{payout.MoveNotSent}
	doubt := ledger.DoubtBlind
	if m.answer == payout.Absent {
		doubt = ledger.DoubtAbsent
	}
	require.Equal(rt, doubt, p.Doubt)
}

func (m *model) newGeneration(rt *rapid.T) {
	p, err := m.b.NewGeneration(m.b.ctx, reservation(m.id, m.generation+1), "alice")
	m.expect(rt, err, fault.Conflict)
	require.Equal(rt, m.seen.Payout.State == payout.Refused, err == nil)
	if err == nil {
		require.Equal(rt, ledger.DoubtNone, p.Doubt)
		m.generation++
		m.via = []payout.Move{payout.MoveGeneration}
	}
}

func (m *model) byHand(rt *rapid.T) {
	if rapid.IntRange(0, 5).Draw(rt, "rarely") < 5 {
		return
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
	m.paused = rapid.IntRange(0, 3).Draw(rt, "paused") == 3
	require.NoError(rt, m.b.SetBrake(m.b.ctx, ledger.BrakeState{Scope: ledger.AllProviders, Paused: m.paused, Reason: "r"}))
}

func (m *model) wait(rt *rapid.T) {
	m.b.clock.advance(rapid.SampledFrom([]time.Duration{2 * time.Minute, time.Second, time.Millisecond}).Draw(rt, "wait"))
}

// look returns the part of a snapshot that the rules are about.
func (m *model) look(rt *rapid.T) snapshot {
	var s snapshot
	var err error
	s.Changes, err = m.b.Changes(m.b.ctx, m.id)
	require.NoError(rt, err)
	s.Attempts, err = m.b.Attempts(m.b.ctx, m.id)
	require.NoError(rt, err)
	s.Payout, err = m.b.Payout(m.b.ctx, m.id)
	if !fault.Is(err, fault.NotFound) {
		require.NoError(rt, err)
	}
	return s
}

// rules runs after every call.
func (m *model) rules(rt *rapid.T) {
	before, now := m.seen, m.look(rt)
	moves := m.via
	m.seen, m.via = now, nil

	existed := before.Payout.Generation > 0
	if existed && before.Payout.State != now.Payout.State {
		require.True(rt, leads(before.Payout.State, now.Payout.State, moves),
			"%s to %s by %v", before.Payout.State, now.Payout.State, moves)
	}
	if before.Payout.Doubt != now.Payout.Doubt {
		require.Contains(rt, [][]payout.Move{{payout.MoveNotSent}, {payout.MoveGeneration}}, moves, "nothing else changes the doubt")
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
