package protocoltest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// isWrite picks the requests that can have an effect, where a subject does not
// say it better.
func isWrite(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

const (
	// patience is how long, in real time, an execution may do nothing before it
	// counts as stuck.
	patience = time.Minute
	// forEver is longer than any execution.
	forEver = 100 * 365 * 24 * time.Hour
	// apart keeps events from the moments, all of them whole seconds, at which
	// the workflow does something by itself.
	apart = 170 * time.Millisecond
	// deepest is how many executions run inside each other.
	deepest = 3
)

// execution is one execution of the fulfilment in an environment of its own.
type execution struct {
	w   *world
	env *testsuite.TestWorkflowEnvironment
	run *run
}

func (w *world) newExecution() *execution {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))))
	e := &execution{w: w, env: suite.NewTestWorkflowEnvironment()}
	e.env.SetStartTime(w.clock.Now())
	e.env.SetTestTimeout(patience)
	e.run = &run{own: e.env}
	p := &process{Ledger: w.ledger, w: w, run: e.run}
	e.env.SetWorkerOptions(sdkworker.Options{
		Interceptors: []interceptor.WorkerInterceptor{p}, DeadlockDetectionTimeout: patience,
	})
	acts, err := activities.New(activities.Config{AcceptUnverified: true, SendTimeout: sendTimeout}, activities.Deps{
		Ledger: p, FirstPromoter: w, Judge: w, Now: w.clock.Now,
		Providers: map[string]payout.Provider{w.calls.Name(): w.calls},
	})
	w.must("making the activities", err)
	worker.Register(e.env, acts, nil)
	return e
}

// live runs one execution until it ends or its time is over.
func (w *world) live(l Life) {
	e := w.newExecution()
	e.plan(l.Events)
	e.execute(l.Lasts)
}

// rival runs another execution for a while, unless too many run already.
func (w *world) rival(d time.Duration) {
	if w.clock.depth() >= deepest {
		return
	}
	w.live(Life{Lasts: d})
}

// execute runs the fulfilment. What is cut off is left as it is.
func (e *execution) execute(lasts time.Duration) {
	w := e.w
	w.clock.push(e.run)
	defer w.clock.pop()
	// The first option bounds the workflow's activities, and the other its life.
	e.env.SetStartWorkflowOptions(client.StartWorkflowOptions{
		ID: workflows.FulfilmentID(w.id()), TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: forEver,
	})
	e.env.SetWorkflowRunTimeout(lasts)
	e.env.ExecuteWorkflow(workflows.FulfilmentType, workflows.NewFulfilment(w.id()))
	// While an activity acts, an environment's time is the real one: on a slow
	// machine it is over while the activity still suspends for a rival.
	e.run.acting.Lock()
	defer e.run.acting.Unlock()
	err := e.env.GetWorkflowError()
	if errors.As(err, new(*temporal.TimeoutError)) {
		w.note("the execution is cut off")
		return
	}
	w.must("the workflow failed", err)
	w.note("the workflow ended: %s", w.status())
}

// plan lets events happen one after the other.
func (e *execution) plan(events []Event) {
	at := apart
	for _, event := range events {
		at += event.After + apart
		e.later(at, func() { e.happens(event) })
	}
}

// later does something once the execution rests at or after a time. On a slow
// machine a timer may fire while an activity works; then it waits.
func (e *execution) later(d time.Duration, do func()) {
	e.env.RegisterDelayedCallback(func() {
		if !e.run.resting() || !e.w.clock.innermost(e.run) {
			e.later(time.Second, do)
			return
		}
		do()
	}, d)
}

func (e *execution) happens(event Event) {
	w := e.w
	w.note("event: %s", event)
	switch event.Kind {
	case Again:
		w.words++
		w.event(fmt.Sprintf("again-%d", w.words/2)) // Every other one has an ID that is known.
	case Nudge:
		e.env.SignalWorkflow(workflows.SignalNudge, nil)
	case Jump:
		w.pass(event.For)
	case Edge:
		w.passUntil(w.traits.Window-w.traits.Margin, event.For)
	case Forgotten:
		w.passUntil(w.traits.Window, event.For)
	case Person:
		e.person(event.Choice)
	case BrakeOn, BrakeOff:
		w.brake(event.Kind == BrakeOn)
	case Happens:
		news := w.subject.News[event.Choice%len(w.subject.News)]
		w.note("  %s", news.Name)
		news.Happen()
	case Second:
		w.rival(event.For)
	}
	w.look("after an event")
}

// passUntil lets time pass until so long after the first send, and a little
// more or less.
func (w *world) passUntil(since, by time.Duration) {
	p, ok := w.payout()
	if !ok || p.FirstSentAt.IsZero() {
		return
	}
	if d := p.FirstSentAt.Add(since + by).Sub(w.clock.Now()); d > 0 {
		w.pass(d)
	}
}

// lastLife runs the fulfilment to its end, with a person who helps.
func (w *world) lastLife() {
	e := w.newExecution()
	var help func()
	rounds := 0
	help = func() {
		if rounds++; rounds == 2 {
			// What still repeats itself does so until the window is closed: a 500
			// that is kept for the key, say.
			w.passUntil(w.traits.Window, time.Hour)
		}
		if !w.status().Final() {
			if w.subject.Deliver != nil {
				w.subject.Deliver()
			}
			e.env.SignalWorkflow(workflows.SignalNudge, nil)
			// The nudge has the ledger read again, and nobody is heard meanwhile.
			e.later(apart, func() {
				if !w.status().Final() {
					e.help()
				}
			})
			e.later(10*time.Minute+2*apart, help)
		}
	}
	e.later(10*time.Minute+apart, help)
	e.execute(12 * time.Hour)
	if !w.status().Final() {
		w.wrong("the reward does not end, though all is well: it is %s", w.status())
	}
}

// instruct sends a person's instruction.
func (e *execution) instruct(in workflows.Instruction) {
	w := e.w
	w.words++
	in.ID, in.By = fmt.Sprintf("word-%d", w.words), "alice"
	w.note("  alice says %s %s%s", in.Action, in.Provider, in.Reference)
	e.env.UpdateWorkflow(workflows.UpdateResolve, in.ID, &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { w.note("  she hears: %v", err) },
		OnComplete: func(result any, err error) {
			out, _ := result.(activities.ResolveResult)
			w.note("  she hears: %q, %v", out.Refusal, err)
		},
	}, in)
}

// person does what an honest person could do about a reward that waits for
// one; what she marks as paid is paid.
func (e *execution) person(choice int) {
	w := e.w
	p, _ := w.payout()
	if w.status().Final() {
		return
	}
	switch {
	case p.State == payout.Refused:
		switch choice % 5 {
		case 0, 1:
			e.instruct(workflows.Instruction{Action: reward.ActionRetry})
		case 2:
			e.instruct(workflows.Instruction{Action: reward.ActionReroute, Provider: w.calls.Name()})
		case 3:
			e.paysOutside()
		case 4:
			e.instruct(workflows.Instruction{Action: reward.ActionReject})
		}
	case choice == 5:
		e.instruct(workflows.Instruction{Action: reward.ActionAbandon})
	case choice == 4:
		e.instruct(workflows.Instruction{Action: reward.ActionReject})
	case choice == 3 && w.effects() == 1:
		e.seesIt()
	default:
		e.instruct(workflows.Instruction{Action: reward.ActionRetry})
	}
}

// help leads a reward to its end that waits for a person.
func (e *execution) help() {
	w := e.w
	p, _ := w.payout()
	switch {
	case p.State == payout.Refused:
		e.instruct(workflows.Instruction{Action: reward.ActionRetry})
	case w.status() != reward.Attention:
	case p.State == payout.Returned:
		e.instruct(workflows.Instruction{Action: reward.ActionAbandon})
	case p.State == payout.Paid, p.State == payout.Reserved && p.Doubt == "":
	case w.effects() == 1:
		e.seesIt()
	case w.wire.underWay():
	case p.State == "":
		e.instruct(workflows.Instruction{Action: reward.ActionRetry})
	case p.State == payout.Unknown && w.words%2 == 0:
		// Nothing is there, and nothing can come any more.
		e.paysOutside()
	default:
		e.instruct(workflows.Instruction{Action: reward.ActionAbandon})
	}
}

// seesIt marks as paid what the provider has paid.
func (e *execution) seesIt() {
	reference := fmt.Sprintf("seen-%d", e.w.words)
	e.w.seen[reference] = true
	e.instruct(workflows.Instruction{Action: reward.ActionPaid, Reference: reference})
}

// paysOutside pays by other means once the ledger has noted it.
func (e *execution) paysOutside() {
	reference := fmt.Sprintf("bank-%d", e.w.words)
	e.w.outside[reference] = true
	e.instruct(workflows.Instruction{Action: reward.ActionPaid, Reference: reference})
}
