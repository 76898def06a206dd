package intake_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
)

// acceptingIn names the ledger that a child process accepts events into.
const acceptingIn = "REWARDFLOW_TEST_ACCEPT_INTO"

func TestMain(m *testing.M) {
	if path := os.Getenv(acceptingIn); path != "" {
		acceptForEver(path)
	}
	os.Exit(m.Run())
}

// acceptForEver accepts events and prints the number of each that was
// accepted, until somebody kills it.
func acceptForEver(path string) {
	l, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	in, err := intake.New(l, intake.Config{
		CloseByAnswerAfter: time.Hour, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var printing sync.Mutex
	for range 32 {
		go func() {
			for {
				n := numbers.Add(1)
				if _, err := in.Accept(context.Background(), event(n)); err != nil {
					continue
				}
				printing.Lock()
				fmt.Println(n)
				printing.Unlock()
			}
		}()
	}
	select {}
}

func TestAcceptedEventsSurviveAKill(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "ledger.db")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), acceptingIn+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())

	var answered []int64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			break // The line that the kill cut.
		}
		if answered = append(answered, n); len(answered) == 2000 {
			require.NoError(t, child.Process.Kill())
		}
	}
	require.Error(t, child.Wait(), "it was killed")
	require.GreaterOrEqual(t, len(answered), 2000)

	l, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	kept := map[int64]int{}
	for {
		rows, err := l.Lease(t.Context(), "test", 500, time.Hour)
		require.NoError(t, err)
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			kept[int64(row.RewardID)-2_000_000]++
		}
	}
	for _, n := range answered {
		require.Equal(t, 1, kept[n], "event %d was accepted", n)
	}
}
