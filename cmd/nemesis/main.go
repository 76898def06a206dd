// Command nemesis attacks rewardflow's real processes from a seed and counts the
// money afterwards. docs/nemesis.md describes it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once; its children end with it.
	context.AfterFunc(ctx, stop)
	var code int
	command := newCommand(&code)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "nemesis:", err)
		return 2
	}
	return code
}
