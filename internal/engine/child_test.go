package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/internal/engine"
)

const (
	// childOptions tells the test binary to be a child, which runs an engine
	// with these options, as JSON.
	childOptions  = "REWARDFLOW_ENGINE_TEST_OPTIONS"
	childWorkflow = "left-open"
)

func TestMain(m *testing.M) {
	options, child := os.LookupEnv(childOptions)
	if !child {
		os.Exit(m.Run())
	}
	if err := runChild(options); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// runChild starts an engine and a workflow, says so, and waits to be killed,
// or for its parent to end.
func runChild(encoded string) error {
	ctx := context.Background()
	var place childPlace
	if err := json.Unmarshal([]byte(encoded), &place); err != nil {
		return err
	}
	e, err := engine.Start(ctx, engine.Options{
		Dir:              place.Dir,
		Database:         place.Database,
		HistoryShards:    place.Shards,
		UIPort:           engine.NoPort,
		MetricsPort:      engine.NoPort,
		SearchAttributes: []temporal.SearchAttributeKey{rewardStatus},
		Retention:        24 * time.Hour,
	})
	if err != nil {
		return err
	}
	c, err := client.DialContext(ctx, clientOptions(e))
	if err != nil {
		return err
	}
	_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                    childWorkflow,
		TaskQueue:             "nobody-polls",
		TypedSearchAttributes: temporal.NewSearchAttributes(rewardStatus.ValueSet("held")),
	}, "Fulfilment")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childPlace is where a child's engine keeps everything.
type childPlace struct {
	Dir, Database string
	Shards        int
}

// child is another process with an engine.
type child struct {
	cmd *exec.Cmd
}

func startChild(t *testing.T, place childPlace) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	encoded, err := json.Marshal(place)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childOptions+"="+string(encoded))
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return &child{cmd: cmd}
}

// kill ends the process without giving it a chance to do anything.
func (c *child) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	require.Error(t, c.cmd.Wait())
}
