package nemesis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// play does everything that the schedule says, each act at its time, and
// returns when all of it is over.
func (w *world) play(ctx context.Context) {
	began := time.Now()
	var acting sync.WaitGroup
	for n, o := range w.s.Rewards {
		acting.Go(func() {
			rest(ctx, time.Until(began.Add(o.At)))
			if ctx.Err() == nil {
				w.create(n+1, o)
			}
		})
	}
	length, cancel := context.WithDeadline(ctx, began.Add(w.s.For))
	defer cancel()
	for _, a := range w.s.Acts {
		acting.Go(func() {
			rest(ctx, time.Until(began.Add(a.At)))
			if ctx.Err() != nil {
				return
			}
			w.note("act", map[string]any{"act": a, "reward": w.idOf(a.Reward)})
			if err := w.act(ctx, length, a); err != nil && ctx.Err() == nil {
				w.note("act_failed", map[string]any{"kind": a.Kind, "error": err.Error()})
			}
		})
	}
	acting.Go(func() { w.snapshots(ctx, began) })
	acting.Wait()
	rest(ctx, time.Until(began.Add(w.s.For)))
}

func (w *world) create(n int, o Owed) {
	id, err := w.tell(command{Do: "create", Owed: &o})
	if err != nil {
		w.note("not_created", map[string]any{"reward": n, "error": err.Error()})
		return
	}
	w.mu.Lock()
	w.ids[n] = id
	w.mu.Unlock()
}

// idOf returns the ID of a reward of the schedule; zero while there is none.
func (w *world) idOf(n int) reward.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[n]
}

// act does one act. Faults last until their time is over, or the run's.
func (w *world) act(ctx, run context.Context, a Act) error {
	id := w.idOf(a.Reward)
	if a.Reward != 0 && id == 0 {
		return fmt.Errorf("reward %d of the schedule is not created yet", a.Reward)
	}
	switch a.Kind {
	case Refire, Amend, ByHand, Forge, Notice, FPFault:
		return w.send(a, id)
	case Malformed, WrongURL:
		return w.probe(ctx, a)
	case Look:
		_, err := w.look(ctx, id, a.Who)
		return err
	case Decide:
		return w.decide(ctx, run, a, id)
	case Signal:
		return w.signal(ctx, a, id)
	case PullBrake:
		return w.brake(ctx, a.For)
	case CutWire, ResetWire, SlowWire, HalfOpen:
		return w.wires.harm(run, a.Wire, a.Kind, a.For)
	case Killed, Stopped, Crash, DiskFull:
		return w.strike(run, a)
	case StoreFault, Deleted, Restored, Expired:
		return w.strikeEngine(run, a)
	case Busy:
		if w.s.Postgres {
			return w.lockPostgres(run, a.For)
		}
		return w.holdLedger(run, a.For)
	case ServerDown:
		return w.strikePostgres(run, a.For)
	case BadDeploy:
		return w.deployBadly(run, a.For)
	}
	return fmt.Errorf("nobody knows how to do %q", a.Kind)
}

// send is what FirstPromoter's double does.
func (w *world) send(a Act, id reward.ID) error {
	c := command{Do: string(a.Kind), ID: id, Amount: a.Amount, Type: a.Which, Which: a.Which, Fault: a.Fault}
	if a.Kind == FPFault {
		c.Do = "fault"
	}
	_, err := w.tell(c)
	return err
}

// strike hits one process.
func (w *world) strike(run context.Context, a Act) error {
	s, ok := w.slots[a.Slot]
	if a.Slot == "engine" {
		s, ok = w.engine, true
	}
	if !ok {
		return fmt.Errorf("there is no process %q", a.Slot)
	}
	switch a.Kind {
	case Killed:
		s.kill(a.For)
	case Stopped:
		suspend(s.pid(), untilOver(run, a.For))
	case Crash:
		if err := s.arm(crashpoint.Setting(a.Point, a.N, a.How), a.For); err != nil {
			return err
		}
		if a.How == crashpoint.Stop {
			w.awaken(run, s, a.For)
		}
	case DiskFull:
		return w.fill(run, s, a.For)
	}
	return nil
}

// awaken lets a process that stopped itself go on after a while.
func (w *world) awaken(run context.Context, s *slot, length time.Duration) {
	for run.Err() == nil {
		if pid := s.pid(); pid != 0 && standsStill(pid) {
			w.note("stands_still", map[string]any{"slot": s.name, "pid": pid})
			rest(run, length)
			wake(pid)
			return
		}
		rest(run, 50*time.Millisecond)
	}
}

// fill runs a process whose files cannot grow.
func (w *world) fill(run context.Context, s *slot, length time.Duration) error {
	limit := func(on bool) error {
		w.mu.Lock()
		w.limited[s.name] = on
		w.mu.Unlock()
		s.down()
		return s.start()
	}
	if err := limit(true); err != nil {
		return err
	}
	rest(run, length)
	return limit(false)
}

// untilOver is a length that ends with the run.
func untilOver(run context.Context, length time.Duration) time.Duration {
	if deadline, ok := run.Deadline(); ok {
		return max(0, min(length, time.Until(deadline)))
	}
	return length
}

// heal ends every fault: wires, locks, armed and suspended processes.
func (w *world) heal(ctx context.Context) error {
	for _, s := range w.slots {
		wake(s.pid())
	}
	w.mu.Lock()
	bad, faulty, limited := w.deployed != w.bin.good, w.faulty, w.limited
	w.deployed, w.faulty, w.limited = w.bin.good, false, map[string]bool{}
	w.mu.Unlock()
	for _, s := range append([]*slot{w.engine}, w.ordered()...) {
		s.mu.Lock()
		ill := s.armed || limited[s.name] || bad && isWorker(s.name) || faulty && s == w.engine
		s.mu.Unlock()
		if ill { // What is well is left alone: a restart would mend too much.
			s.down()
		}
		if err := s.start(); err != nil {
			return err
		}
	}
	w.note("healed", nil)
	return w.awaitReady(ctx, time.Minute)
}

func (w *world) ordered() []*slot {
	var all []*slot
	for _, name := range w.s.slots() {
		all = append(all, w.slots[name])
	}
	return all
}
