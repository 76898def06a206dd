package spool_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/spool"
)

// childVariable makes the test binary a child, and holds its task as JSON.
const childVariable = "REWARDFLOW_TEST_SPOOL"

// task is what a child does until it is killed.
type task struct {
	Dir string
	// Into is the file that records are folded into; empty appends instead.
	Into string
	// MaxFile is how long a file may grow, in bytes; zero means no limit.
	MaxFile uint64
}

func TestMain(m *testing.M) {
	encoded, child := os.LookupEnv(childVariable)
	if !child {
		os.Exit(m.Run())
	}
	var do task
	err := json.Unmarshal([]byte(encoded), &do)
	if err == nil {
		err = do.run()
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

func (k task) run() error {
	s, err := spool.Open(k.Dir, spool.Options{})
	if err != nil {
		return err
	}
	if k.Into != "" {
		return k.fold(s)
	}
	if err := limitFiles(k.MaxFile); err != nil {
		return err
	}
	var (
		printing sync.Mutex
		number   atomic.Int64
		failed   atomic.Bool
		clients  sync.WaitGroup
	)
	for range 16 {
		clients.Go(func() {
			for !failed.Load() {
				n := number.Add(1)
				err := s.Append(context.Background(), fmt.Appendf(nil, "record %d %s", n, strings.Repeat("x", int(n%700))))
				printing.Lock()
				if err != nil {
					failed.Store(true)
				} else {
					fmt.Println(n)
				}
				printing.Unlock()
			}
		})
	}
	clients.Wait()
	// What was too much at once may leave room for one more.
	for {
		n := number.Add(1)
		if s.Append(context.Background(), fmt.Appendf(nil, "record %d", n)) != nil {
			break
		}
		fmt.Println(n)
	}
	fmt.Println("failed", fault.KindOf(s.Check(context.Background())))
	select {} // It is killed with its file open.
}

// fold writes every record to a file before it says that it took it.
func (k task) fold(s *spool.Spool) error {
	into, err := os.OpenFile(k.Into, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Println("folding")
	_, err = s.Fold(context.Background(), func(_ context.Context, records []spool.Record) (int, error) {
		for _, r := range records {
			if _, err := fmt.Fprintf(into, "%s\n", r.Data); err != nil {
				return 0, err
			}
		}
		fmt.Println("took", len(records))
		return 0, nil
	})
	if err != nil {
		return err
	}
	fmt.Println("done")
	select {}
}

// child starts a child and returns what it prints; kill ends it.
func child(t *testing.T, do task) (said *bufio.Scanner, kill func()) {
	t.Helper()
	encoded, err := json.Marshal(do)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(encoded))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return bufio.NewScanner(out), func() {
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
}

// answered reads the numbers of the records that a child was told are kept,
// until it has said enough, and what it said otherwise.
func answered(said *bufio.Scanner, enough int) (numbers []string, otherwise string) {
	for len(numbers) < enough && said.Scan() {
		if strings.Contains(said.Text(), " ") {
			return numbers, said.Text()
		}
		numbers = append(numbers, said.Text())
	}
	return numbers, ""
}

// requireKept folds what is left and looks for every number among it and what
// was taken before.
func requireKept(t *testing.T, dir string, numbers []string, before ...string) {
	t.Helper()
	kept := map[string]bool{}
	for _, record := range append(before, fold(t, open(t, dir, spool.Options{}))...) {
		kept[strings.Fields(record)[1]] = true
	}
	for _, n := range numbers {
		require.True(t, kept[n], "record %s was answered", n)
	}
}

func TestAppendedRecordsSurviveAKill(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	said, kill := child(t, task{Dir: dir})
	numbers, _ := answered(said, 2000)
	kill()
	require.Len(t, numbers, 2000)
	requireKept(t, dir, numbers)
	require.Empty(t, files(t, dir))
}

func TestKilledWhileFoldingLosesNothing(t *testing.T) {
	t.Parallel()

	dir, into := t.TempDir(), filepath.Join(t.TempDir(), "taken")
	said, kill := child(t, task{Dir: dir})
	numbers, _ := answered(said, 3000)
	kill()

	for range 3 {
		said, kill := child(t, task{Dir: dir, Into: into})
		for said.Scan() && said.Text() == "folding" {
		}
		kill() // After the first batch, at the latest.
	}
	before, err := os.ReadFile(into)
	require.NoError(t, err)
	require.NotEmpty(t, before)
	taken := strings.Split(strings.TrimSuffix(string(before), "\n"), "\n")
	if !strings.HasSuffix(string(before), "\n") {
		taken = taken[:len(taken)-1] // The line that the kill cut.
	}
	requireKept(t, dir, numbers, taken...)
	require.Empty(t, files(t, dir))
}

func TestFullDiskRefusesAndKeepsWhatItAnswered(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	said, kill := child(t, task{Dir: dir, MaxFile: 200_000})
	numbers, last := answered(said, 1_000_000)
	require.Equal(t, "failed unavailable", last, "neither a record nor a check passes")
	require.Greater(t, len(numbers), 100)
	_, err := spool.Open(dir, spool.Options{})
	require.NoError(t, err)
	kill()
	requireKept(t, dir, numbers)
	require.Empty(t, files(t, dir))
}
