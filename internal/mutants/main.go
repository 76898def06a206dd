// Command mutants breaks the program on purpose, one promise at a time, and
// shows that a test sees it. A test that no mutant ever failed proves little.
//
//	go run ./internal/mutants            all of them
//	go run ./internal/mutants -list      what there is
//	go run ./internal/mutants -run cap   those whose name matches
//
// A mutant is a file in internal/mutants/catalogue; CONTRIBUTING.md says how
// to write one. It is compiled with the go command's -overlay, so that nothing
// in the work tree is touched.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"

	"github.com/rewardflow/rewardflow/internal/sources"
)

// The exit codes.
const (
	exitCaught   = 0 // Every mutant was caught.
	exitSurvived = 1 // One was not, or could not be tried.
	exitUsage    = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what the flags say.
type options struct {
	root    string
	names   *regexp.Regexp
	list    bool
	jobs    int
	timeout time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := readFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitCaught
	case err != nil:
		fmt.Fprintln(stderr, "mutants:", err)
		return exitUsage
	}
	mutants, err := load(o.root, o.names)
	if err != nil {
		fmt.Fprintln(stderr, "mutants:", err)
		return exitSurvived
	}
	if o.list {
		list(stdout, mutants)
		return exitCaught
	}
	tester := tester{root: o.root, timeout: o.timeout}
	if err := tester.clean(ctx, mutants); err != nil {
		fmt.Fprintln(stderr, "mutants:", err)
		return exitSurvived
	}
	if !report(stdout, mutants, tester.tryAll(ctx, mutants, o.jobs)) {
		return exitSurvived
	}
	return exitCaught
}

func readFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	var names string
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&names, "run", "", "try only the mutants whose name matches this `pattern`")
	flags.BoolVar(&o.list, "list", false, "show the mutants and the tests that must catch them, and try none")
	flags.IntVar(&o.jobs, "jobs", max(1, runtime.GOMAXPROCS(0)/2), "how many mutants are tried at once")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long the tests of one mutant may run")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not a flag: -run chooses mutants by name", flags.Arg(0))
	}
	if o.jobs < 1 || o.timeout <= 0 {
		return o, errors.New("-jobs and -timeout must be above zero")
	}
	var err error
	if o.names, err = regexp.Compile(names); err != nil {
		return o, fmt.Errorf("the pattern of -run: %w", err)
	}
	o.root, err = sources.Root()
	return o, err
}
