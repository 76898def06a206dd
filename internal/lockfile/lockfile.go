// Package lockfile opens files that one process uses at a time.
package lockfile

import (
	"errors"
	"os"
)

// ErrLocked says that another process, or somebody else in this one, has the
// file open.
var ErrLocked = errors.New("another process holds the file")

// File is an open file and its lock, which ends with Close, or with the process,
// even when that is killed. The zero value is not usable.
type File struct{ *os.File }

// Open opens a file for reading and writing and takes its lock. It never waits:
// the error is ErrLocked while the lock is somebody else's. The flags are
// os.O_CREATE and os.O_EXCL, or none; a file that is made is its owner's alone.
func Open(path string, flags int) (*File, error) { return open(path, flags) }

// Close gives the lock back and closes the file.
func (f *File) Close() error { return errors.Join(f.unlock(), f.File.Close()) }
