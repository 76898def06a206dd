package protocoltest

import (
	"context"
	"database/sql"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// effects counts what the provider paid for the reward, over all generations.
func (w *world) effects() int {
	n := 0
	for generation := 1; generation <= w.generation(); generation++ {
		n += w.subject.Effects(payout.Key(w.id(), generation))
	}
	return n
}

// generation is the newest one; a key of a later one is nobody's.
func (w *world) generation() int {
	p, _ := w.payout()
	return max(p.Generation, 1)
}

// leaves is called when a send reaches the wire, before anything is done. What
// it reads is what was committed by then.
func (w *world) leaves(key, path string, body []byte) {
	now := w.clock.Now()
	p, ok := w.payout()
	if !ok {
		w.wrong("a send leaves, and no payout was reserved")
		return
	}
	if want := payout.Key(w.id(), p.Generation); key != want {
		w.wrong("a send leaves with the key %s; the payout's is %s", key, want)
	}
	w.sameBytes(key, path, body)
	if status := w.status(); status.Final() {
		w.wrong("a send leaves, and the reward is %s", status)
	}
	attempts := w.attempts()
	live, sends := 0, 0
	doubt := false
	for _, a := range attempts {
		if a.Kind != ledger.AttemptSend || a.Key != key {
			continue
		}
		sends++
		if a.FinishedAt.IsZero() && now.Before(a.Deadline) {
			live++
		} else if a.Outcome != string(payout.ClassNotSent) {
			doubt = true // It may have been done, and only the key's memory keeps this one harmless.
		}
	}
	if live != 1 {
		w.wrong("a send leaves, and %d attempts have a committed row and time left", live)
	}
	if w.sent[key].times > sends {
		w.wrong("send number %d leaves for %s, and the ledger has %d attempts", w.sent[key].times, key, sends)
	}
	if since := now.Sub(p.FirstSentAt); doubt && since >= w.traits.Window-w.traits.Margin {
		w.wrong("a send leaves %s after the first one, and it may be said again for %s less %s", since, w.traits.Window, w.traits.Margin)
	}
}

// sameBytes notes what leaves under a key, which is always the same.
func (w *world) sameBytes(key, path string, body []byte) {
	before, known := w.sent[key]
	if known && (before.path != path || before.body != string(body)) {
		w.wrong("%s is sent again with another body or to another place", key)
	}
	w.sent[key] = sent{path: path, body: string(body), times: before.times + 1}
}

func (w *world) attempts() []ledger.Attempt {
	all, err := query(w.eyes, `SELECT number, fence, generation, kind, key, deadline, finished_at, outcome
		FROM attempts WHERE reward_id = ? ORDER BY number`, w.id(), func(scan func(...any) error) (ledger.Attempt, error) {
		var a ledger.Attempt
		var fence, deadline, finished int64
		err := scan(&a.Number, &fence, &a.Generation, &a.Kind, &a.Key, &deadline, &finished, &a.Outcome)
		a.Deadline = time.UnixMilli(deadline)
		if finished != 0 {
			a.FinishedAt = time.UnixMilli(finished)
		}
		if a.Kind == ledger.AttemptLookup {
			a.Number = fence // Under which it was made.
		}
		return a, err
	})
	w.must("reading attempts", err)
	return all
}

// moved is one row of the payout's own history.
type moved struct {
	at         time.Time
	generation int
	move       payout.Move
	from, to   payout.State
	fence      int64
}

func (w *world) moves() []moved {
	all, err := query(w.eyes, `SELECT at, generation, move, from_state, to_state, fence
		FROM payout_moves WHERE reward_id = ? ORDER BY id`, w.id(), func(scan func(...any) error) (moved, error) {
		var m moved
		var at int64
		err := scan(&at, &m.generation, &m.move, &m.from, &m.to, &m.fence)
		m.at = time.UnixMilli(at)
		return m, err
	})
	w.must("reading moves", err)
	return all
}

func query[T any](db *sql.DB, text string, id reward.ID, read func(scan func(...any) error) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(context.Background(), text, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		one, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// look checks what holds at every moment.
func (w *world) look(when string) {
	w.wire.deliver()
	effects := w.effects()
	p, ok := w.payout()
	if !ok {
		if effects > 0 {
			w.wrong("%s: the provider paid, and no payout was reserved", when)
		}
		return
	}
	outside := 0
	if p.State == payout.Paid && w.outside[p.Reference] {
		outside = 1
	}
	if effects+outside > 1 {
		w.wrong("%s: paid %d times by the provider and %d times by a person", when, effects, outside)
	}
	unpaid := p.State == payout.Refused || p.State == payout.Reserved && p.Doubt == ledger.DoubtNone
	switch {
	case unpaid && effects > 0:
		w.wrong("%s: the ledger says that it was proven not to be paid (%s), and the provider paid it", when, p.State)
	case p.State == payout.Reserved && p.Doubt == ledger.DoubtAbsent && effects > 0:
		w.wrong("%s: the ledger says that it is surely absent, and the provider paid it", when)
	case p.State == payout.Paid && effects+outside != 1:
		w.wrong("%s: the ledger says that it is paid, and the provider paid %d times", when, effects)
	case w.status() == reward.Rejected && effects > 0:
		w.wrong("%s: the reward is rejected, and the provider paid it", when)
	}
	w.history(when)
}

// history checks the payout's history against its attempts.
func (w *world) history(when string) {
	moves := w.moves()
	attempts := w.attempts() // After the moves, so that none is missing.
	for _, m := range moves {
		switch {
		case m.move == payout.MoveByHand, m.move == payout.MoveClaim, m.move == payout.MoveGeneration, m.to == payout.Unknown:
		case m.from == payout.Submitting:
			if !answered(attempts, m) {
				w.wrong("%s: attempt %d did not end as %s, and the payout moved so", when, m.fence, m.move)
			}
		case !lookedUp(attempts, m):
			w.wrong("%s: the payout left %s by %s at fence %d, and nobody had looked it up", when, m.from, m.move, m.fence)
		}
	}
}

// answered reports whether the attempt that held the fence came to what moved
// the payout.
func answered(attempts []ledger.Attempt, m moved) bool {
	want := map[payout.Move]payout.Class{
		payout.MoveSettled: payout.ClassAccepted, payout.MoveAccepted: payout.ClassAccepted, payout.MoveRefused: payout.ClassRefused,
		payout.MoveNotSent: payout.ClassNotSent, payout.MoveConflict: payout.ClassConflict,
	}[m.move]
	for _, a := range attempts {
		if a.Kind == ledger.AttemptSend && a.Number == m.fence && a.Outcome == string(want) {
			return true
		}
	}
	return false
}

// lookedUp reports whether a look-up was recorded under the fence that the
// move was made under, before it.
func lookedUp(attempts []ledger.Attempt, m moved) bool {
	for _, a := range attempts {
		if a.Kind == ledger.AttemptLookup && a.Number == m.fence && a.Generation == m.generation && !a.FinishedAt.After(m.at) {
			return true
		}
	}
	return false
}

// settled checks what holds once the reward has ended.
func (w *world) settled() {
	p, ok := w.payout()
	status := w.status()
	if status == reward.Fulfilled && (!ok || p.State != payout.Paid) {
		w.wrong("the reward is fulfilled, and its payout is %q", p.State)
	}
	if status == reward.Fulfilled && w.completed == 0 {
		w.wrong("the reward is fulfilled, and FirstPromoter does not know it")
	}
	if (status == reward.Rejected || status == reward.Abandoned) && w.completed > 0 {
		w.wrong("the reward is %s, and FirstPromoter holds it as completed", status)
	}
}
