package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// RunEngine is the main function of the engine's process: the embedded Temporal
// server on its files in dir, at a fixed port. With faults its database fails
// now and then, by the server's own fault injection.
func RunEngine(dir string, port int, faults bool, seed int64) error {
	go untilOrphaned()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := engine.Options{
		Dir: dir, GRPCPort: port, UIPort: engine.NoPort, MetricsPort: engine.NoPort,
		SearchAttributes: workflows.SearchAttributes(),
		Logger:           telemetry.NewLogger(os.Stderr, telemetry.FormatText, nil),
	}
	if faults {
		o.StoreFaults = storeFaults(seed)
	}
	e, err := engine.Start(ctx, o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(say{Address: e.Address()}); err != nil {
		return errors.Join(err, e.Stop())
	}
	select {
	case <-ctx.Done():
	case err = <-e.Failed():
	}
	return errors.Join(err, e.Stop())
}

// storeFaults let one write in ten fail, half of these after it has happened:
// its caller cannot know.
func storeFaults(seed int64) []engine.StoreFault {
	var faults []engine.StoreFault
	for i, method := range []string{"CreateWorkflowExecution", "UpdateWorkflowExecution", "AppendHistoryNodes"} {
		for _, failure := range []string{"Timeout", "ExecuteAndTimeout"} {
			faults = append(faults, engine.StoreFault{
				Store: "ExecutionStore", Method: method, Error: failure, Rate: 0.05, Seed: seed + int64(i) + 1,
			})
		}
	}
	return faults
}
