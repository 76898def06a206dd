// Command rewardflow runs rewardflow's processes, and the commands of the
// people who operate it. docs/cli.md describes them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rewardflow/rewardflow/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	defer context.AfterFunc(ctx, stop)()

	return cli.New(cli.System()).Execute(ctx)
}
