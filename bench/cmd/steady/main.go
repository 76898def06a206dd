// Command steady sends rewardflow events at a steady rate, with more or less of a
// past in its ledger, and says how soon they were answered and how fast rewards
// are fulfilled. The figures of several pasts can be compared: nothing may grow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/rewardflow/rewardflow/bench/internal/contest"
	"github.com/rewardflow/rewardflow/bench/internal/disk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "steady:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (failed error) {
	var (
		o      contest.Options
		a      contest.Arrivals
		pasts  string
		rounds int
		dir    string
	)
	set := flag.NewFlagSet("steady", flag.ContinueOnError)
	set.IntVar(&a.PerSecond, "rate", 1000, "events a second")
	set.DurationVar(&a.For, "for", time.Minute, "how long they come")
	set.StringVar(&pasts, "past", "0", "how many rewards the ledger holds before; several with commas, each measured by itself")
	set.IntVar(&rounds, "rounds", 1, "how often each is measured, every other round the other way around")
	set.IntVar(&o.Rewards, "rewards", 300, "how many rewards are raced at once before the events come")
	set.IntVar(&o.Rounds, "races", 5, "how often they are raced; the medians are reported")
	set.IntVar(&o.Concurrency, "concurrency", 32, "how many of these are sent at once")
	set.IntVar(&o.Warmup, "warmup", 50, "how many rewards go before, and are not measured")
	set.StringVar(&dir, "dir", os.TempDir(), "where databases are kept: the disk that is measured")
	if err := set.Parse(args); err != nil {
		return err
	}
	if a.PerSecond < 0 || a.For < 0 || rounds < 1 || o.Rewards < 1 || o.Rounds < 1 || o.Concurrency < 1 || o.Warmup < 0 {
		return errors.New("rate, for and warmup are not below zero; rounds, rewards, races and concurrency are above")
	}
	var sizes []int
	for text := range strings.SplitSeq(pasts, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("-past %s: %q is no number of rewards", pasts, text)
		}
		sizes = append(sizes, n)
	}
	if disk.InMemory(dir) {
		return fmt.Errorf("%s is in memory, where a sync costs nothing; name a directory on a disk with -dir", dir)
	}
	var err error
	if o.Dir, err = os.MkdirTemp(dir, "rewardflow-steady-"); err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, os.RemoveAll(o.Dir)) }()
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if o.Programs, err = contest.Build(ctx, o.Dir); err != nil {
		return err
	}
	return measure(ctx, o, a, sizes, rounds)
}

func measure(ctx context.Context, o contest.Options, a contest.Arrivals, sizes []int, rounds int) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "past\traced: accepted/s\tfulfilled/s\tp99\tsteady: p50\tp99\tp99.9\tslowest\tanswers\tMiB")
	for round := range rounds {
		order := slices.Clone(sizes)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, past := range order {
			a.Past = past
			s, err := contest.RunSteady(ctx, o, a)
			if err != nil {
				return fmt.Errorf("with a past of %d: %w", past, err)
			}
			raced := contest.Sum(s.Rounds)
			fmt.Fprintf(out, "%d\t%.0f\t%.1f\t%s\t%s\t%s\t%s\t%s\t%v\t%d\n", past, raced.Accepted, raced.Fulfilled, short(raced.P99),
				short(s.Quantile(0.5)), short(s.Quantile(0.99)), short(s.Quantile(0.999)), short(s.Quantile(1)), s.Answers, s.Memory>>20)
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func short(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
