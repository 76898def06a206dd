//go:build unix

package lockfile

import (
	"errors"
	"os"
	"syscall"
)

func open(path string, flags int) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, os.NewSyscallError("flock", err)
	}
	return &File{f}, nil
}

// unlock ends the lock for every copy of the descriptor. Closing ends it with the
// last copy, and a process that is being started by another goroutine has one
// until it executes its program.
func (f *File) unlock() error {
	return os.NewSyscallError("flock", syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
}
