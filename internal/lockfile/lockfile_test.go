package lockfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/lockfile"
)

func TestOneHolder(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "file")
	_, err := lockfile.Open(path, 0)
	require.ErrorIs(t, err, os.ErrNotExist)

	held, err := lockfile.Open(path, os.O_CREATE)
	require.NoError(t, err)
	_, err = lockfile.Open(path, 0)
	require.ErrorIs(t, err, lockfile.ErrLocked)
	_, err = lockfile.Open(path, os.O_CREATE)
	require.ErrorIs(t, err, lockfile.ErrLocked)

	require.NoError(t, held.Close())
	require.ErrorIs(t, held.Close(), os.ErrClosed)
	again, err := lockfile.Open(path, 0)
	require.NoError(t, err)
	require.NoError(t, again.Close())

	_, err = lockfile.Open(path, os.O_CREATE|os.O_EXCL)
	require.ErrorIs(t, err, os.ErrExist)
}

// A process that is being started has every descriptor of this one for a moment.
func TestAClosedFileIsFreeWhileProcessesAreStarted(t *testing.T) {
	t.Parallel()

	self, err := os.Executable()
	require.NoError(t, err)
	var starting sync.WaitGroup
	defer starting.Wait()
	stop := make(chan struct{})
	defer close(stop)
	for range 2 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.CommandContext(t.Context(), self, "-test.run", "^$").Run()
				}
			}
		})
	}

	path := filepath.Join(t.TempDir(), "file")
	for range 20_000 {
		f, err := lockfile.Open(path, os.O_CREATE)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}
