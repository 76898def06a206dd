package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/nemesis"
	"github.com/rewardflow/rewardflow/internal/sources"
)

// exitBroken says that an invariant was broken, or that a mutant was not
// caught. Code 2 is for a run that says nothing.
const exitBroken = 1

const long = `Attack rewardflow's real processes, and count the money afterwards.

It starts doubles of FirstPromoter and of a provider, which keep append-only
books; a Temporal server; and one or two processes each of "rewardflow api" and
"rewardflow worker", with a proxy on every wire. From the seed it draws traffic,
decisions of several people, and faults, and plays them. Then it lets everything
come to rest, reads the books, and holds them against the invariants.

The same seed draws the same schedule. What the machine makes of it differs from
run to run: a seed that broke something is run again until it does so again.

Exit code: 0 nothing is broken; 1 an invariant is broken, with its history, and
the directory with all books and logs; 2 the run could not be made.`

func newCommand(code *int) *cobra.Command {
	var o nemesis.Options
	var asJSON, plan, mutants bool
	var only string
	root := &cobra.Command{
		Use: "nemesis", Short: "Attack rewardflow's real processes, and count the money afterwards", Long: long,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				o.Seed = rand.Uint64N(1_000_000)
			}
			if plan {
				return json.NewEncoder(os.Stdout).Encode(nemesis.Draw(o.Seed, o.Rewards, o.For, o.Database != "sqlite"))
			}
			if err := place(&o); err != nil {
				return err
			}
			if mutants {
				return tryMutants(cmd, o, only, asJSON, code)
			}
			return attack(cmd, o, asJSON, code)
		},
	}
	flags := root.Flags()
	flags.Uint64Var(&o.Seed, "seed", 0, "what the schedule is drawn from (default: a random one, which is printed)")
	flags.IntVar(&o.Rewards, "rewards", 100, "how many rewards FirstPromoter will owe")
	flags.DurationVar(&o.For, "for", time.Minute, "how long the traffic and the faults last; the rest comes on top")
	flags.StringVar(&o.Database, "database", "sqlite", `the ledger's database: "sqlite"; "postgres", a server of the run's own from this machine's binaries; or the URL of an empty PostgreSQL database`)
	flags.StringVar(&o.Program, "program", "", "a rewardflow to attack that was built from these very sources (default: it is built)")
	flags.BoolVar(&asJSON, "json", false, "print the verdict as one JSON document")
	flags.BoolVar(&plan, "plan", false, "print the schedule as JSON, and attack nothing")
	flags.BoolVar(&o.Keep, "keep", false, "keep the books and logs of a run that broke nothing, too")
	flags.StringVar(&o.Drill, "drill", "", "play a schedule made by hand for one weakness, instead of a drawn one")
	flags.BoolVar(&mutants, "mutants", false, "break the program on purpose, one promise at a time, and show what catches it")
	flags.StringVar(&only, "mutant", "", "with --mutants: only those whose name has this in it")
	root.AddCommand(doubleCommand(), engineCommand(), limitedCommand())
	return root
}

// attack runs one seed and prints its verdict.
func attack(cmd *cobra.Command, o nemesis.Options, asJSON bool, code *int) error {
	cmd.PrintErrf("seed %d, %d rewards, %s of faults\n", o.Seed, o.Rewards, o.For)
	o.Log = cmd.ErrOrStderr()
	v, err := nemesis.Run(cmd.Context(), o)
	if err != nil {
		return err
	}
	if !v.OK() {
		*code = exitBroken
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	v.Write(os.Stdout)
	return nil
}

// tryMutants prints what catches each mutant.
func tryMutants(cmd *cobra.Command, o nemesis.Options, only string, asJSON bool, code *int) error {
	table := cmd.OutOrStdout()
	if asJSON {
		table = cmd.ErrOrStderr()
	}
	caught, all, err := nemesis.RunMutants(cmd.Context(), o, only, table)
	if err != nil {
		return err
	}
	if !all || len(caught) == 0 {
		*code = exitBroken
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(caught)
	}
	return nil
}

// place finds this program and the module's sources.
func place(o *nemesis.Options) error {
	var err error
	if o.Self, err = os.Executable(); err != nil {
		return err
	}
	if o.For <= 0 || o.Rewards < 1 {
		return errors.New("--for and --rewards must be above zero")
	}
	if o.Program != "" {
		if o.Program, err = filepath.Abs(o.Program); err != nil {
			return err
		}
	}
	o.Module, err = sources.Root()
	return err
}
