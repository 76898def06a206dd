//go:build !unix

package nemesis

import (
	"errors"
	"os/exec"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func launch(*exec.Cmd) error { return errors.New("the nemesis needs the signals of a Unix system") }

func standsStill(int) bool { return false }

func suspend(int, time.Duration) {}

func wake(int) {}

// Limited needs a Unix system.
func Limited(uint64, []string, []string) error {
	return errors.New("the nemesis needs the limits of a Unix system")
}
