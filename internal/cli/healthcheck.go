package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/egress"
)

// healthBudget bounds one look. Container engines ask every few seconds.
const healthBudget = 5 * time.Second

func (p *Program) healthcheckCommand() *cobra.Command {
	var (
		source configSource
		worker bool
		codec  bool
	)
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the process of this machine or container whether it is ready",
		Long: `Ask the process of this machine or container whether it is ready, for a health
check that has no shell and no curl. It reads the same configuration as the
process. The exit code is 0 when it is ready, and 1 when it is not.

Without a flag it asks /readyz at the configured address of the API. With
--worker it asks Temporal whether a worker of this host takes tasks, and with
--codec-server /readyz at the address of the codec server.`,
		Args: noArguments,
	}
	source.flags(c, p)
	c.Flags().BoolVar(&worker, "worker", false, "look for the worker of this host, which listens nowhere")
	c.Flags().BoolVar(&codec, "codec-server", false, "ask the codec server of this machine or container")
	c.MarkFlagsMutuallyExclusive("worker", "codec-server")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := p.load(source)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), healthBudget)
		defer cancel()
		if worker {
			return p.workerHealth(ctx, cfg)
		}
		if codec {
			return readyHealth(ctx, "codec server", cfg.Encryption.CodecServer.Listen)
		}
		return readyHealth(ctx, "API", cfg.Listen)
	}
	return c
}

// readyHealth asks a process on this machine that serves HTTP.
func readyHealth(ctx context.Context, what, listen string) error {
	address := reachable(listen)
	unready := func(format string, args ...any) error {
		return &failure{code: exitFailure, message: fmt.Sprintf("the %s at %s ", what, address) + fmt.Sprintf(format, args...), next: "look into its log"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+readyPath, nil)
	if err != nil {
		return unready("cannot be asked: %v", err)
	}
	resp, err := egress.NewClient(egress.Options{Timeout: healthBudget}).Do(req)
	if err != nil {
		return unready("does not answer")
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return unready("is not ready (status %d)", resp.StatusCode)
	}
	return nil
}

// workerHealth asks Temporal for a worker of this host: the SDK names a worker
// for its process and its host, "17@web-1@".
func (p *Program) workerHealth(ctx context.Context, cfg *config.Config) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("reading the name of this host: %w", err)
	}
	options, err := temporalOptions(p.env)
	if err != nil {
		return err
	}
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return &failure{
			code: exitFailure, message: "Temporal cannot be reached at " + cmp.Or(options.HostPort, client.DefaultHostPort),
			next: "see that it runs; a worker that cannot reach it goes on trying",
		}
	}
	defer c.Close()
	queue, err := c.DescribeTaskQueue(ctx, cfg.Temporal.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return errors.Join(errors.New("asking Temporal who takes tasks"), err)
	}
	for _, poller := range queue.GetPollers() {
		if strings.Contains(poller.GetIdentity()+"@", "@"+host+"@") {
			return nil
		}
	}
	return &failure{
		code: exitFailure, message: fmt.Sprintf("no worker of this host (%s) takes tasks from the queue %s", host, cfg.Temporal.TaskQueue),
		next: "look into the worker's log",
	}
}
