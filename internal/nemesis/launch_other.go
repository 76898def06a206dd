//go:build unix && !linux

package nemesis

import (
	"os/exec"
	"strings"
	"syscall"
)

// launch starts a child that Ctrl-C does not reach.
func launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}

// standsStill reports whether a process was stopped by SIGSTOP.
func standsStill(pid int) bool {
	out, err := exec.Command("ps", "-o", "state=", "-p", itoa(pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(out)), "T")
}
