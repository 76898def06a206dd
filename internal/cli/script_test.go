package cli_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rewardflow/rewardflow/internal/cli"
	"github.com/rewardflow/rewardflow/internal/postgrestest"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rewardflow": program})
}

// program is cmd/rewardflow, with a clock that a script may set.
func program() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	env := cli.System()
	env.Version = "v0.0.0-test"
	if now, err := time.Parse(time.RFC3339, os.Getenv("TEST_NOW")); err == nil {
		env.Now = func() time.Time { return now }
	}
	code := cli.New(env).Execute(ctx)
	stop()
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	t.Parallel()

	runScripts(t, "testdata/script", newWorld)
}

// What the command line says where the ledger is in PostgreSQL.
func TestScriptsOnPostgres(t *testing.T) {
	t.Parallel()

	server := postgrestest.New(t, postgrestest.Options{})
	runScripts(t, "testdata/postgres", func(env *testscript.Env) error {
		address := server.Database(t)
		parsed, err := url.Parse(address)
		if err != nil {
			return err
		}
		password, _ := parsed.User.Password()
		env.Setenv("DATABASE", address)
		env.Setenv("PASSWORD", password)
		return newWorld(env)
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"eventually": eventually,
			"awaits":     awaits,
			"swaps":      swaps,
		},
	})
}

// exits runs a program and requires an exit code: exits 6 rewardflow show 1.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, args[1:]); got != want {
		ts.Fatalf("the exit code is %d, not %d", got, want)
	}
}

// eventually runs a program until it succeeds: eventually rewardflow version.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually PROGRAM ARGUMENTS")
	}
	deadline := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for exitCode(ts, args) != 0 {
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("it did not succeed within %s", patience)
		}
	}
}

// awaits has rewards wait for one approval each, from the first ID to the last:
// awaits 1101 1103 1250 cash USD.
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: awaits FIRST LAST AMOUNT UNIT [CURRENCY]")
	}
	first, err := reward.ParseID(args[0])
	ts.Check(err)
	last, err := reward.ParseID(args[1])
	ts.Check(err)
	amount, err := reward.ParseAmount(args[2])
	ts.Check(err)
	for id := first; id <= last; id++ {
		r := owed(id, amount, reward.Unit(args[3]))
		r.Quantity.Currency = strings.Join(args[4:], "")
		ts.Check(worldOf(ts).await(context.Background(), r))
	}
}

// swaps has a reward change once it was shown: swaps 1102.
func swaps(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: swaps ID")
	}
	id, err := reward.ParseID(args[0])
	ts.Check(err)
	worldOf(ts).swapped.Store(int64(id))
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// patience is how long a process may take to come up on a busy machine.
const patience = time.Minute

func exitCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}
