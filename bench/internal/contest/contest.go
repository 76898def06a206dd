// Package contest lets rewardflow and its peers do the same work on the same
// machine in one run, and counts the money afterwards.
package contest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/postgrestest"
)

// Contender is one way to get rewards fulfilled.
type Contender struct {
	// Name is what a flag calls it.
	Name string
	// Title is what the report calls it.
	Title string
	// Peer is its name among the peers; empty for rewardflow itself.
	Peer string
	// Postgres says that it keeps everything in PostgreSQL.
	Postgres bool
	// Workflow is what stands before a reward's ID in its Temporal workflow ID;
	// empty when it has no Temporal.
	Workflow string
}

// Contenders returns all of them, rewardflow first.
func Contenders() []Contender {
	return []Contender{
		{Name: "ours", Title: "rewardflow on SQLite", Workflow: "fulfilment-"},
		{Name: "ours-postgres", Title: "rewardflow on PostgreSQL", Postgres: true, Workflow: "fulfilment-"},
		{Name: "plain", Title: "plain Temporal on SQLite", Peer: "plain", Workflow: "reward-"},
		{Name: "dbos-sqlite", Title: "DBOS on SQLite", Peer: "dbos"},
		{Name: "dbos-postgres", Title: "DBOS on PostgreSQL", Peer: "dbos", Postgres: true},
		{Name: "river-sqlite", Title: "River on SQLite", Peer: "river-sqlite"},
		{Name: "river-postgres", Title: "River on PostgreSQL", Peer: "river-postgres", Postgres: true},
		{Name: "naive", Title: "the naive handler", Peer: "naive"},
	}
}

// Choose returns the contenders of the given names; none means all.
func Choose(names []string) ([]Contender, error) {
	if len(names) == 0 {
		return Contenders(), nil
	}
	var chosen []Contender
	for _, c := range Contenders() {
		if slices.Contains(names, c.Name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) != len(names) {
		var known []string
		for _, c := range Contenders() {
			known = append(known, c.Name)
		}
		return nil, fmt.Errorf("not all of %s are contenders, each once; there are %s", strings.Join(names, ", "), strings.Join(known, ", "))
	}
	return chosen, nil
}

// Options say how much is done. None may be zero but Kills, which leaves the
// kills out.
type Options struct {
	// Rewards are sent in each round, by Concurrency senders.
	Rewards, Concurrency, Rounds int
	// Warmup rewards go before, and are not measured.
	Warmup int
	// Kills is how often each contender is killed, and Batch how many rewards
	// are sent in each of its lives.
	Kills, Batch int
	// Seed draws the schedule of kills.
	Seed uint64
	// Quiet is how long nothing may happen before what is unfinished counts as
	// lost.
	Quiet time.Duration
	// Programs are what Build built.
	Programs Programs
	// Dir is an empty directory for everything that contenders keep. It lies on
	// the disk that is to be measured.
	Dir string
	// Logger hears what is going on.
	Logger *slog.Logger
}

// Result is what one contender did.
type Result struct {
	Contender Contender
	// Skipped says why it did not run; empty when it did.
	Skipped string `json:",omitempty"`
	Rounds  []Round
	// Cost is of the last round.
	Cost Cost
	// Kills is nil without kills.
	Kills *Kills `json:",omitempty"`
}

// errRefused says that a contender ended by itself before it ever served.
var errRefused = errors.New("it does not start")

type contest struct {
	Options

	postgres *postgrestest.Server
	// absent is why there is no PostgreSQL.
	absent error
	worlds int
}

// Run runs every contender, round by round and each round the other way around,
// and then kills each by the same schedule. A contender that does not start is
// skipped; one that loses or doubles a reward without being killed is an error,
// because its figures would be worth nothing.
func Run(ctx context.Context, o Options, contenders []Contender) ([]Result, error) {
	c := &contest{Options: o}
	if err := c.startPostgres(ctx, contenders); err != nil {
		return nil, err
	}
	if c.postgres != nil {
		defer func() { _ = c.postgres.Close() }()
	}
	results := make([]Result, len(contenders))
	for i := range contenders {
		results[i].Contender = contenders[i]
	}
	for round := range o.Rounds {
		for i := range results {
			if round%2 == 1 {
				i = len(results) - 1 - i
			}
			if err := c.round(ctx, round, &results[i]); err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", results[i].Contender.Name, round+1, err)
			}
		}
	}
	for i := range results {
		if o.Kills == 0 || results[i].Skipped != "" {
			continue
		}
		kills, err := c.killed(ctx, results[i].Contender)
		if err != nil {
			return nil, fmt.Errorf("%s, killed: %w", results[i].Contender.Name, err)
		}
		results[i].Kills = &kills
		o.Logger.Info("killed", "contender", results[i].Contender.Name, "paid_twice", kills.PaidTwice, "lost", kills.Lost,
			"sent_again", kills.SentAgain, "recovered", kills.Recovered.Round(10*time.Millisecond))
	}
	return results, nil
}

func (c *contest) startPostgres(ctx context.Context, contenders []Contender) error {
	if !slices.ContainsFunc(contenders, func(c Contender) bool { return c.Postgres }) {
		return nil
	}
	// A commit waits for the disk, as it does on SQLite.
	c.postgres, c.absent = postgrestest.Start(ctx, postgrestest.Options{Fsync: true})
	if c.absent != nil && !errors.Is(c.absent, postgrestest.ErrNotInstalled) {
		return fmt.Errorf("starting PostgreSQL: %w", c.absent)
	}
	return nil
}

// round measures one round of one contender.
func (c *contest) round(ctx context.Context, number int, r *Result) error {
	switch {
	case r.Skipped != "":
		return nil
	case r.Contender.Postgres && c.postgres == nil:
		r.Skipped = c.absent.Error()
	default:
		round, cost, err := c.measure(ctx, r.Contender, number == c.Rounds-1)
		if errors.Is(err, errRefused) {
			r.Skipped = err.Error()
			break
		}
		if err != nil {
			return err
		}
		r.Rounds = append(r.Rounds, round)
		if cost != nil {
			r.Cost = *cost
		}
		c.Logger.Info("round", "contender", r.Contender.Name, "round", number+1, "accepted_per_second", int(round.Accepted),
			"fulfilled_per_second", int(round.Fulfilled))
		return nil
	}
	c.Logger.Warn("skipped", "contender", r.Contender.Name, "reason", r.Skipped)
	return nil
}

// directory makes a new directory for one run of a contender.
func (c *contest) directory(contender Contender) (string, error) {
	c.worlds++
	dir := filepath.Join(c.Dir, fmt.Sprintf("%02d-%s", c.worlds, contender.Name))
	return dir, os.MkdirAll(filepath.Join(dir, "data"), 0o700)
}
