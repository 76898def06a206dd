//go:build unix

package e2e_test

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
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

// peakMemory is how much memory a process that has ended took at most, in
// bytes.
func peakMemory(ended *os.ProcessState) int64 {
	usage, ok := ended.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // In bytes there, and in KiB elsewhere.
	}
	return usage.Maxrss << 10
}
