package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rewardflow/rewardflow/internal/lockfile"
)

// LockedError says that another process uses the directory.
type LockedError struct {
	Dir string
}

// Error names the directory.
func (e *LockedError) Error() string {
	return fmt.Sprintf("another process runs on %s: stop it, or choose another directory with --data-dir", e.Dir)
}

// lockDir takes the lock of a directory.
func lockDir(path string) (*lockfile.File, error) {
	f, err := lockfile.Open(filepath.Join(path, "lock"), os.O_CREATE)
	if errors.Is(err, lockfile.ErrLocked) {
		return nil, &LockedError{Dir: path}
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}
