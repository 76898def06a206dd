package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errLocked is what lockFile returns when somebody else holds the lock.
var errLocked = errors.New("locked")

// LockedError says that another process uses the directory.
type LockedError struct {
	Dir string
}

// Error names the directory.
func (e *LockedError) Error() string {
	return fmt.Sprintf("another process runs on %s: stop it, or choose another directory with --data-dir", e.Dir)
}

// lockDir takes the lock of a directory. The lock ends with the process, even
// when that is killed.
func lockDir(path string) (*os.File, error) {
	f, err := lockFile(filepath.Join(path, "lock"))
	if errors.Is(err, errLocked) {
		return nil, &LockedError{Dir: path}
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}
