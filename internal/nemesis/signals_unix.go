//go:build unix

package nemesis

import (
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// suspend stops a process and lets it go on after a while.
func suspend(pid int, length time.Duration) {
	if pid == 0 || syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return
	}
	time.Sleep(length)
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// wake lets a process go on.
func wake(pid int) {
	if pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// Limited replaces this process by a command whose files cannot grow beyond a
// length in bytes: as near to a full disk as one process can come by itself.
func Limited(length uint64, argv, environ []string) error {
	signal.Ignore(syscall.SIGXFSZ) // Inherited: the write itself fails, with EFBIG.
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: length, Max: length}); err != nil {
		return err
	}
	return syscall.Exec(argv[0], argv, environ)
}
