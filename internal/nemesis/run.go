package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say what is attacked, and how.
type Options struct {
	// Self is the path of this program, which starts itself in other roles.
	Self string
	// Module is the root of rewardflow's module.
	Module string
	// Program is the lean binary to attack; empty builds it from Module.
	Program string
	Seed    uint64
	// Rewards is how many are owed, and For how long the faults last.
	Rewards int
	For     time.Duration
	// Database is "sqlite", Postgres for a server of the run's own, or the URL of
	// an empty PostgreSQL database.
	Database string
	// Keep leaves the directory of a run that broke nothing, too.
	Keep bool
	// Log gets a few lines for people; nil gets none.
	Log io.Writer

	// Drill plays a schedule made by hand instead of one that is drawn.
	Drill string
	// ProviderMemory shortens how long the provider remembers a key; zero is
	// for ever. Only for programs that know of it.
	ProviderMemory time.Duration
	// Edits change the program before it is built.
	Edits []Edit
}

// Verdict is how a run ended.
type Verdict struct {
	Seed     uint64        `json:"seed"`
	Drill    string        `json:"drill,omitempty"`
	Rewards  int           `json:"rewards"`
	For      time.Duration `json:"for_ns"`
	Database string        `json:"database"`
	APIs     int           `json:"apis"`
	Workers  int           `json:"workers"`
	Broken   []Broken      `json:"broken"`
	// Counts are from the oracle's books.
	Counts Counts `json:"counts"`
	// Dir is where the books and logs are; empty when they were removed.
	Dir     string  `json:"dir,omitempty"`
	Elapsed float64 `json:"elapsed_seconds"`
}

// OK reports whether nothing was broken.
func (v Verdict) OK() bool { return len(v.Broken) == 0 }

// Run draws a schedule, plays it, and judges. The error says that the run says
// nothing: it could not be begun or was interrupted.
func Run(ctx context.Context, o Options) (Verdict, error) {
	began := time.Now()
	schedule, err := o.schedule()
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{
		Seed: o.Seed, Drill: o.Drill, Rewards: len(schedule.Rewards), For: schedule.For,
		Database: o.databaseName(), APIs: schedule.APIs, Workers: schedule.Workers,
	}
	dir, err := os.MkdirTemp("", "rewardflow-nemesis-")
	if err != nil {
		return v, err
	}
	e, err := o.attack(ctx, schedule, dir)
	v.Elapsed = time.Since(began).Seconds()
	if err != nil {
		if ctx.Err() != nil {
			return v, errors.Join(ctx.Err(), os.RemoveAll(dir))
		}
		return v, fmt.Errorf("%w\nthe books and logs are in %s", err, dir)
	}
	v.Broken, v.Counts = judge(&e), count(&e)
	if v.Dir = dir; v.OK() && !o.Keep {
		v.Dir, err = "", os.RemoveAll(dir)
	}
	return v, err
}

func (o Options) schedule() (Schedule, error) {
	if o.Drill == "" {
		return Draw(o.Seed, o.Rewards, o.For, o.onPostgres()), nil
	}
	s, err := drill(o.Drill, o.Seed)
	s.Postgres = o.onPostgres()
	return s, err
}

func (o Options) onPostgres() bool { return o.Database != "" && o.Database != "sqlite" }

func (o Options) databaseName() string {
	if o.onPostgres() {
		return Postgres
	}
	return "sqlite"
}

func (o Options) say(format string, args ...any) {
	if o.Log != nil {
		fmt.Fprintf(o.Log, format+"\n", args...)
	}
}

// attack builds, starts, plays, heals, waits, and reads the books.
func (o Options) attack(ctx context.Context, s Schedule, dir string) (e evidence, err error) {
	o.say("building the program under attack")
	bin, err := buildPrograms(ctx, o, s, filepath.Join(dir, "bin"))
	if err != nil {
		return e, err
	}
	o.say("starting %d API and %d worker processes, Temporal, and the doubles", s.APIs, s.Workers)
	w, err := newWorld(ctx, o, s, dir, bin)
	defer w.close()
	if err != nil {
		return e, err
	}
	o.say("playing %d rewards and %d acts for %s", len(s.Rewards), len(s.Acts), s.For)
	w.play(ctx)
	if err := ctx.Err(); err != nil {
		return e, err
	}
	o.say("the faults are over: waiting for every reward to rest")
	if err := w.heal(ctx); err != nil {
		return e, err
	}
	if e, err = w.readBooks(); err != nil {
		return e, err
	}
	if err := w.settle(ctx, &e); err != nil {
		return e, err
	}
	settled := e
	if e, err = w.readBooks(); err != nil {
		return e, err
	}
	e.shows, e.late, e.stuck = settled.shows, settled.late, settled.stuck
	if err := w.collect(ctx, &e); err != nil {
		return e, err
	}
	if e.leaks, err = w.leaks(ctx); err != nil {
		return e, err
	}
	// What was decided and answered while the API was asked is in the books now.
	w.close()
	final, err := w.readBooks()
	e.facts, e.wire, e.effects, e.requests = final.facts, final.wire, final.effects, final.requests
	e.shown, e.spoken, e.probes, e.happened = final.shown, final.spoken, final.probes, final.happened
	return e, err
}

// removed removes what a run that broke something has left.
func removed(v Verdict) error {
	if v.Dir == "" {
		return nil
	}
	return os.RemoveAll(v.Dir)
}
