//go:build unix

package crashpoint

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain is also the process that stops itself.
func TestMain(m *testing.M) {
	if os.Getenv(Variable) == "" {
		os.Exit(m.Run())
	}
	armed, err := Read(os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// The first thread, which the system prefers for a signal, sleeps, and waking
	// it takes its time while others are at work.
	runtime.LockOSThread()
	for range 4 * runtime.NumCPU() {
		go func() {
			for {
				runtime.Gosched()
			}
		}()
	}
	passed := make(chan struct{})
	go func() {
		armed.Pass(BeforeClaim)
		fmt.Print("on")
		close(passed)
	}()
	<-passed
	os.Exit(0)
}

// TestNobodyPassesWhileTheProcessStands starts processes that stop themselves.
// None may have gone past the point when it stands still, and each does when it
// is told to go on.
func TestNobodyPassesWhileTheProcessStands(t *testing.T) {
	t.Parallel()

	for range 10 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		// A program built with the race detector would sleep a second at its end.
		child.Env = append(os.Environ(), Setting(BeforeClaim, 1, Stop), "GORACE=atexit_sleep_ms=0")
		said, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		child.Stdout = said
		require.NoError(t, child.Start())

		var status syscall.WaitStatus
		_, err = syscall.Wait4(child.Process.Pid, &status, syscall.WUNTRACED, nil)
		require.NoError(t, err)
		require.True(t, status.Stopped(), "%v", status)
		text, err := os.ReadFile(said.Name())
		require.NoError(t, err)
		require.Empty(t, string(text), "it went past the point")

		require.NoError(t, child.Process.Signal(syscall.SIGCONT))
		require.NoError(t, child.Wait())
		text, err = os.ReadFile(said.Name())
		require.NoError(t, err)
		require.Equal(t, "on", string(text))
		require.NoError(t, said.Close())
	}
}
