package protocoltest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// Schedule is everything that goes wrong, and everything that people and
// others do meanwhile. Where a list is used up, all is well.
type Schedule struct {
	// Sends is what happens to the requests that can have the effect, in the
	// order in which they reach the wire; Reads is for all others.
	Sends, Reads []Fault
	// Steps is what happens to the process at the points that activities pass:
	// their begin, before and after each write of the payout, and before their
	// result reaches the workflow.
	Steps []Step
	// Lives are the executions of the workflow, one after the other on the same
	// ledger. Each is cut off when its time is over, as by a reset or a
	// termination. After them comes one in which nothing goes wrong any more.
	Lives []Life
}

// Fault is what happens to one HTTP exchange.
type Fault struct {
	Kind FaultKind
	// After is how long after its client gave up a late request arrives.
	After time.Duration
	// Mishap picks one of the subject's own, modulo their number.
	Mishap int
}

// FaultKind names a fault.
type FaultKind int

// The faults.
const (
	Healthy FaultKind = iota
	// ResetBefore and FailsBefore (a 503) happen in the place of the effect.
	ResetBefore
	FailsBefore
	// ResetAfter, FailsAfter, Garbage and Truncated happen to its answer.
	ResetAfter
	FailsAfter
	Garbage
	Truncated
	// NeverArrives is a request that is lost: its client waits, and gives up.
	NeverArrives
	// NeverAnswers has its effect at once: its client waits, and gives up.
	NeverAnswers
	// ArrivesLate has its effect after its client gave up.
	ArrivesLate
	Throttled
	Unauthorized
	// Own is one of the subject's mishaps.
	Own
)

var faultNames = [...]string{
	"well", "reset before the effect", "503 before the effect", "reset after the effect", "503 after the effect",
	"garbage after the effect", "answer truncated after the effect", "lost, client times out",
	"effect, client times out", "client times out, effect later", "429", "401", "own",
}

// Step is what happens to the process at one point.
type Step struct {
	Kind StepKind
	// For is how long a stall or a rival takes.
	For time.Duration
}

// StepKind names what happens at a point.
type StepKind int

// The kinds of step.
const (
	GoesOn StepKind = iota
	// Dies ends the activity: its workflow hears of it by its timeout.
	Dies
	// Stalls suspends the process, which goes on later as if nothing had been.
	Stalls
	// Rival suspends the process while another execution of the workflow runs
	// on the same ledger.
	Rival
	// Fails ends the activity, and its workflow hears of it at once, as from a
	// worker that is shut down.
	Fails
)

var stepNames = [...]string{"goes on", "dies", "stalls", "stalls while a rival runs", "fails at once"}

// Life is one execution of the workflow.
type Life struct {
	// Lasts is how long it takes in its own time; what stalls comes on top.
	Lasts  time.Duration
	Events []Event
}

// Event is something that happens while the workflow rests.
type Event struct {
	// After counts from the event before it, or from the life's beginning.
	After time.Duration
	Kind  EventKind
	// For is how long a jump or a rival takes. For Edge it is the distance from
	// the end of the time in which the key may be sent again, and for Forgotten
	// from the moment at which the provider forgets it.
	For time.Duration
	// Choice picks what a person does, or which news there are.
	Choice int
}

// EventKind names an event.
type EventKind int

// The events.
const (
	// Again is a fulfilment_pending event that is delivered once more.
	Again EventKind = iota
	Nudge
	// Jump lets time pass in which nothing runs.
	Jump
	Edge
	Forgotten
	// Person looks at the reward and, where it waits for one, does something
	// that an honest person could do.
	Person
	BrakeOn
	BrakeOff
	// Happens is news at the provider.
	Happens
	// Second runs another execution while this one rests.
	Second
)

var eventNames = [...]string{
	"the event again", "a nudge", "time passes", "to the end of sending", "to the end of the key",
	"a person", "brake on", "brake off", "news", "a rival runs",
}

// schedules draws schedules that fit a provider: its own windows and delays
// are where mistakes would be.
func schedules(traits payout.Traits, s Subject) *rapid.Generator[Schedule] {
	return rapid.Custom(func(rt *rapid.T) Schedule {
		return Schedule{
			Sends: rapid.SliceOfN(faults(traits, len(s.Mishaps), true), 0, 6).Draw(rt, "sends"),
			Reads: rapid.SliceOfN(faults(traits, 0, false), 0, 6).Draw(rt, "reads"),
			Steps: rapid.SliceOfN(steps(traits), 0, 16).Draw(rt, "steps"),
			Lives: rapid.SliceOfN(lives(traits, len(s.News)), 0, 3).Draw(rt, "lives"),
		}
	})
}

func faults(traits payout.Traits, mishaps int, send bool) *rapid.Generator[Fault] {
	kinds := []FaultKind{
		Healthy, Healthy, ResetBefore, FailsBefore, ResetAfter, FailsAfter, Garbage, Truncated, NeverArrives, NeverAnswers,
		Throttled, Unauthorized,
	}
	if send {
		kinds = append(kinds, ResetAfter, NeverAnswers, ArrivesLate, ArrivesLate)
	} else {
		kinds = append(kinds, Healthy, Healthy, Healthy, Healthy)
	}
	if mishaps > 0 {
		kinds = append(kinds, Own, Own, Own)
	}
	// A request may be under way for as long as look-ups wait for it.
	late := []time.Duration{0, traits.SettleDelay / 2, max(traits.SettleDelay-2*time.Second, 0)}
	return rapid.Custom(func(rt *rapid.T) Fault {
		f := Fault{Kind: rapid.SampledFrom(kinds).Draw(rt, "fault")}
		switch f.Kind {
		case ArrivesLate:
			f.After = rapid.SampledFrom(late).Draw(rt, "late by")
		case Own:
			f.Mishap = rapid.IntRange(0, mishaps-1).Draw(rt, "which")
		}
		return f
	})
}

func steps(traits payout.Traits) *rapid.Generator[Step] {
	kinds := []StepKind{GoesOn, GoesOn, GoesOn, GoesOn, GoesOn, GoesOn, Dies, Stalls, Rival, Rival, Fails}
	return rapid.Custom(func(rt *rapid.T) Step {
		s := Step{Kind: rapid.SampledFrom(kinds).Draw(rt, "step")}
		switch s.Kind {
		case Stalls:
			s.For = spans(traits).Draw(rt, "for")
		case Rival:
			s.For = lifespans().Draw(rt, "for")
		}
		return s
	})
}

// lifespans are how long an execution runs; half a second more, so that it is
// cut off between the moments at which it acts. What comes to pass within hours
// is left to jumps: a workflow that rests and looks again costs time here.
func lifespans() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.OneOf(rapid.IntRange(1, 90), rapid.SampledFrom([]int{30, 300, 1200})), func(seconds int) time.Duration {
		return time.Duration(seconds)*time.Second + 500*time.Millisecond
	})
}

// spans are how long nothing runs.
func spans(traits payout.Traits) *rapid.Generator[time.Duration] {
	return rapid.SampledFrom([]time.Duration{
		time.Second, 10 * time.Second, 20 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 7 * time.Hour, 24 * time.Hour,
		traits.Window - traits.Margin, traits.Window - time.Minute, traits.Window, traits.Window + time.Hour,
	})
}

func lives(traits payout.Traits, news int) *rapid.Generator[Life] {
	return rapid.Custom(func(rt *rapid.T) Life {
		return Life{
			Lasts:  lifespans().Draw(rt, "lasts"),
			Events: rapid.SliceOfN(events(traits, news), 0, 4).Draw(rt, "events"),
		}
	})
}

func events(traits payout.Traits, news int) *rapid.Generator[Event] {
	kinds := []EventKind{Again, Nudge, Jump, Jump, Edge, Edge, Forgotten, Person, Person, Person, BrakeOn, BrakeOff, Second}
	if news > 0 {
		kinds = append(kinds, Happens, Happens)
	}
	return rapid.Custom(func(rt *rapid.T) Event {
		e := Event{
			After: rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Minute, 4 * time.Minute}).Draw(rt, "after"),
			Kind:  rapid.SampledFrom(kinds).Draw(rt, "event"),
		}
		switch e.Kind {
		case Jump:
			e.For = spans(traits).Draw(rt, "for")
		case Edge, Forgotten:
			e.For = rapid.SampledFrom([]time.Duration{-time.Minute, -time.Second, 0, time.Second, time.Minute}).Draw(rt, "by")
		case Second:
			e.For = lifespans().Draw(rt, "for")
		case Person:
			e.Choice = rapid.IntRange(0, 5).Draw(rt, "choice")
		case Happens:
			e.Choice = rapid.IntRange(0, news-1).Draw(rt, "which")
		}
		return e
	})
}

// String says what happens to an exchange.
func (f Fault) String() string {
	switch f.Kind {
	case ArrivesLate:
		return fmt.Sprintf("%s by %s", faultNames[f.Kind], f.After)
	case Own:
		return fmt.Sprintf("its own mishap %d", f.Mishap)
	}
	return faultNames[f.Kind]
}

// String says what happens to the process.
func (s Step) String() string {
	if s.For > 0 {
		return fmt.Sprintf("%s for %s", stepNames[s.Kind], s.For)
	}
	return stepNames[s.Kind]
}

// String says what happens.
func (e Event) String() string {
	text := fmt.Sprintf("%s later: %s", e.After, eventNames[e.Kind])
	switch e.Kind {
	case Jump, Second:
		return fmt.Sprintf("%s for %s", text, e.For)
	case Edge, Forgotten:
		return fmt.Sprintf("%s %+v", text, e.For)
	case Person, Happens:
		return fmt.Sprintf("%s %d", text, e.Choice)
	}
	return text
}

// GoString tells the schedule as a story; rapid prints it.
func (s Schedule) GoString() string {
	var b strings.Builder
	numbered := func(what string, n int, item func(int) string) {
		for i := range n {
			fmt.Fprintf(&b, "\n  %s %d: %s", what, i+1, item(i))
		}
	}
	numbered("send", len(s.Sends), func(i int) string { return s.Sends[i].String() })
	numbered("read", len(s.Reads), func(i int) string { return s.Reads[i].String() })
	numbered("step", len(s.Steps), func(i int) string { return s.Steps[i].String() })
	numbered("life", len(s.Lives), func(i int) string {
		text := "lasts " + s.Lives[i].Lasts.String()
		for _, e := range s.Lives[i].Events {
			text += "\n    " + e.String()
		}
		return text
	})
	if b.Len() == 0 {
		return "nothing goes wrong"
	}
	return b.String()
}
