package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/lockfile"
)

const (
	// suffix is how a spool file's name ends.
	suffix = ".spool"
	// kept is added to the name of a file that a person has to look at. Taking
	// it away folds the file again.
	kept = ".kept"
)

// errGone says that an open file has no name any more.
var errGone = errors.New("another process removed the file")

// file is one spool file, open and locked.
type file struct {
	*lockfile.File
	// size is the length of its whole records. The active file's is changed
	// under both writing and mu.
	size int64
	// waiting is how many records were not folded, oldest is the first one's time.
	waiting int
	oldest  time.Time
	// folded is up to where the records were taken.
	folded int64
	// odd says that a record could not be read, or was refused.
	odd bool
	// why says why the file was set aside.
	why error
}

func (f *file) name() string { return filepath.Base(f.Name()) }

// create makes a file that only its owner may read, and waits until its name
// is on the disk.
//
// Between its making and its locking another process may take the file for one
// that was left behind, and remove it; then the next one is tried.
func create(dir string, now time.Time) (f *file, err error) {
	const attempts = 20
	for range attempts {
		f, err = createOnce(dir, now)
		if !errors.Is(err, lockfile.ErrLocked) && !errors.Is(err, errGone) {
			break
		}
	}
	return f, err
}

func createOnce(dir string, now time.Time) (*file, error) {
	name := fmt.Sprintf("%013d-%d-%s%s", now.UnixMilli(), os.Getpid(), strings.ToLower(rand.Text()[:8]), suffix)
	path := filepath.Join(dir, name)
	opened, err := lockfile.Open(path, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	f := &file{File: opened}
	if !f.isAt(path) {
		return nil, errors.Join(errGone, f.Close())
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

// isAt reports whether the open file is the one that its path leads to.
func (f *file) isAt(path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

func (f *file) close() error { return f.Close() }

// keep leaves the file for a person, under a name that is not folded again.
func (f *file) keep() error {
	path := f.Name()
	if err := os.Rename(path, path+kept); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(syncDir(filepath.Dir(path)), f.Close())
}

// makeDir makes a directory, and those above it, and waits until their names
// are on the disk.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if above := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := makeDir(above); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}
