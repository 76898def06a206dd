//go:build unix

package crashpoint

import (
	"os"
	"os/signal"
	"syscall"
)

func signalSelf(how How) error {
	if how == Stop {
		return stopSelf()
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {} // The signal is on its way.
}

// stopSelf returns when the process was told to go on. The signal that stops it
// may take a moment, in which whoever passes the point would be on its way into
// what comes next: a claim, say, that locks the database for as long as the
// process stands still.
func stopSelf() error {
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	defer signal.Stop(goOn)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-goOn
	return nil
}
