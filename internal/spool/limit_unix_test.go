//go:build unix

package spool_test

import (
	"fmt"
	"os/signal"
	"syscall"
)

// limitFiles makes every write beyond the given length of a file fail, which
// is as near to a full disk as a process can come by itself.
func limitFiles(length uint64) error {
	if length == 0 {
		return nil
	}
	// Without the signal the write itself fails, with EFBIG.
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: length, Max: length}); err != nil {
		return fmt.Errorf("limiting the length of files: %w", err)
	}
	return nil
}
