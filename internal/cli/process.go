package cli

import (
	"context"
	"net"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

// defaultConfig is the file that is read unless another is named.
const defaultConfig = "rewardflow.yaml"

// configSource is where the configuration comes from, and what overrides it.
type configSource struct {
	path    string
	listen  string
	dataDir string
}

func (s *configSource) flags(c *cobra.Command, p *Program) {
	c.Flags().StringVar(&s.path, "config", p.variable(configVariable, defaultConfig),
		"configuration file; empty to read the environment only ($"+configVariable+")")
	c.Flags().StringVar(&s.listen, "listen", "", "host:port of the API, instead of the configured one")
	c.Flags().StringVar(&s.dataDir, "data-dir", "", "directory of the ledger, instead of the configured one")
}

func (s *configSource) name() string {
	if s.path == "" {
		return "the environment"
	}
	return s.path
}

// load reads the configuration and lays the flags over it.
func (p *Program) load(source configSource) (*config.Config, error) {
	cfg, err := config.Load(source.path, p.env.Lookup, p.env.Environ()...)
	if err != nil {
		return nil, &failure{code: exitFailure, message: err.Error(), next: "correct it; docs/configuration.md describes every key"}
	}
	if source.listen != "" {
		if _, _, err := net.SplitHostPort(source.listen); err != nil {
			return nil, usage("--listen is not host:port, such as 127.0.0.1:8080 or :8080")
		}
		cfg.Listen = source.listen
	}
	if source.dataDir != "" {
		cfg.DataDir = source.dataDir
	}
	return cfg, nil
}

func (p *Program) apiCommand() *cobra.Command {
	return p.processCommand(&cobra.Command{
		Use:   "api",
		Short: "Run the API: take webhooks in, serve the operators",
		Long: `Run the API: take FirstPromoter's webhooks in, hand them to Temporal, and serve
the operator API. It runs until SIGINT or SIGTERM. Temporal is named by its own
TEMPORAL_* variables and profiles; while it is down, events are still accepted.`,
	}, app.Options{API: true})
}

func (p *Program) workerCommand() *cobra.Command {
	return p.processCommand(&cobra.Command{
		Use:   "worker",
		Short: "Run a worker: verify, decide, pay, close",
		Long: `Run a worker, which carries out the workflows: verify, decide, pay, close. It
runs until SIGINT or SIGTERM. Temporal is named by its own TEMPORAL_* variables
and profiles; while it is down, the worker goes on trying.`,
	}, app.Options{Worker: true})
}

func (p *Program) processCommand(c *cobra.Command, options app.Options) *cobra.Command {
	var source configSource
	source.flags(c, p)
	c.Flags().StringVar(&options.TemporalUIURL, "temporal-ui", p.variable(temporalUIVariable, ""),
		"address of the Temporal UI, for links ($"+temporalUIVariable+")")
	c.Args = noArguments
	c.RunE = func(c *cobra.Command, _ []string) error { return p.run(c.Context(), source, options) }
	return c
}

// run runs a process until its context ends.
func (p *Program) run(ctx context.Context, source configSource, options app.Options) error {
	cfg, err := p.load(source)
	if err != nil {
		return err
	}
	if options.Temporal, err = temporalOptions(p.env); err != nil {
		return err
	}
	format := telemetry.FormatJSON
	if p.env.StderrTerminal {
		format = telemetry.FormatText
	}
	log := telemetry.NewLogger(p.env.Stderr, format, nil)
	for _, w := range cfg.Warnings() {
		log.WarnContext(ctx, "config.odd", "warning", w)
	}
	log.InfoContext(ctx, "process.starting", "version", p.env.Version, "api", options.API, "worker", options.Worker, "config", cfg)

	options.Config, options.Version, options.Logger, options.Lookup = cfg, p.env.Version, log, p.env.Lookup
	options.DrainFor, options.Cluster = cfg.DrainFor, true
	if options.Worker {
		options.Deployment = deploymentOf(cfg, p.env)
		log.InfoContext(ctx, "worker.version", "deployment", options.Deployment.Name, "build", options.Deployment.Build)
	}
	process, err := app.New(ctx, options)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // It was told to stop before it had begun.
	case err != nil:
		return err
	}
	return process.Run(ctx)
}
