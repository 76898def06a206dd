// Command bench runs rewardflow and what else a team might pick side by side, on
// this machine and in one run, and writes docs/benchmarks.md from the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
	"github.com/rewardflow/rewardflow/bench/internal/disk"
	"github.com/rewardflow/rewardflow/bench/internal/report"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		return 1
	}
	return 0
}

// arguments are what the command line says.
type arguments struct {
	options contest.Options
	only    string
	out     string
	dir     string
}

func parse(args []string) (arguments, error) {
	var a arguments
	o := &a.options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.IntVar(&o.Rewards, "rewards", 1500, "how many rewards each contender gets in each round")
	set.IntVar(&o.Concurrency, "concurrency", 32, "how many events are sent at once")
	set.IntVar(&o.Rounds, "rounds", 3, "how many rounds there are; each goes the other way around")
	set.IntVar(&o.Warmup, "warmup", 20, "how many rewards go before those that are measured")
	set.IntVar(&o.Kills, "kills", 5, "how often each contender is killed; 0 leaves that part out")
	set.IntVar(&o.Batch, "batch", 20, "how many rewards are sent in each life of a contender that is killed")
	set.Uint64Var(&o.Seed, "seed", 7, "draws the schedule of kills")
	set.DurationVar(&o.Quiet, "quiet", 90*time.Second, "how long nothing may happen before what is unfinished counts as lost")
	set.StringVar(&a.only, "only", "", "contenders, with commas (default: all)")
	set.StringVar(&a.out, "out", "", "file to write the report to (default: standard output)")
	set.StringVar(&a.dir, "dir", os.TempDir(), "where databases are kept during the run: the disk that is measured")
	if err := set.Parse(args); err != nil {
		return a, err
	}
	if set.NArg() > 0 {
		return a, fmt.Errorf("%q is not expected; see -help", set.Arg(0))
	}
	if o.Rewards < 1 || o.Concurrency < 1 || o.Rounds < 1 || o.Warmup < 0 || o.Kills < 0 || o.Batch < 1 || o.Quiet <= 0 {
		return a, errors.New("rewards, concurrency, rounds, batch and quiet are above zero, warmup and kills not below")
	}
	return a, nil
}

func bench(ctx context.Context, args []string) (failed error) {
	a, err := parse(args)
	if err != nil {
		return err
	}
	var names []string
	if a.only != "" {
		names = strings.Split(a.only, ",")
	}
	contenders, err := contest.Choose(names)
	if err != nil {
		return err
	}
	if disk.InMemory(a.dir) {
		return fmt.Errorf("%s is in memory, where a sync costs nothing; name a directory on a disk with -dir", a.dir)
	}
	// PostgreSQL makes its directory there, too.
	if err := os.Setenv("TMPDIR", a.dir); err != nil {
		return err
	}
	a.options.Dir, err = os.MkdirTemp("", "rewardflow-bench-")
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, os.RemoveAll(a.options.Dir)) }()
	a.options.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if a.options.Programs, err = contest.Build(ctx, a.options.Dir); err != nil {
		return err
	}
	r := report.Report{Day: time.Now().UTC(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Options: a.options}
	if r.Sync, err = disk.Sync(a.options.Dir); err != nil {
		return err
	}
	if r.Results, err = contest.Run(ctx, a.options, contenders); err != nil {
		return err
	}
	text, err := r.Markdown()
	if err != nil {
		return err
	}
	if a.out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(a.out, text, 0o644) //nolint:gosec // A page of the documentation is for everybody.
}
