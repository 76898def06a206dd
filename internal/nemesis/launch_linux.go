package nemesis

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// launcher starts every child from one thread that never ends: Linux kills a
// child by Pdeathsig when the thread that started it is gone, which Go may let
// happen to any other thread.
var launcher = sync.OnceValue(func() chan<- launchOrder {
	orders := make(chan launchOrder)
	go func() {
		runtime.LockOSThread()
		for o := range orders {
			o.done <- o.cmd.Start()
		}
	}()
	return orders
})

type launchOrder struct {
	cmd  *exec.Cmd
	done chan error
}

// launch starts a child that dies with this process, and that Ctrl-C does not
// reach.
func launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	launcher() <- launchOrder{cmd, done}
	return <-done
}

// standsStill reports whether a process was stopped by SIGSTOP.
func standsStill(pid int) bool {
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, found := strings.Cut(string(stat), ") ")
	return found && strings.HasPrefix(rest, "T")
}
