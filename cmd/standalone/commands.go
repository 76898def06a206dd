package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/buildinfo"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/demo"
	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// flags override what a second start on one machine needs.
type flags struct {
	config       string
	listen       string
	dataDir      string
	temporalPort int
	uiPort       int
}

func newCommand() *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:           "standalone",
		Short:         "All of rewardflow in one process, with an embedded Temporal server and its web UI",
		Version:       buildinfo.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	set := root.PersistentFlags()
	set.StringVar(&f.listen, "listen", "", "address of the HTTP surface (default 127.0.0.1:8080)")
	set.StringVar(&f.dataDir, "data-dir", "", "where everything is kept (default .rewardflow)")
	set.IntVar(&f.temporalPort, "temporal-port", 7233, "port of the embedded Temporal server")
	set.IntVar(&f.uiPort, "ui-port", 8233, "port of the Temporal UI")
	root.AddCommand(serveCommand(&f), demoCommand(&f))
	return root
}

func serveCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a FirstPromoter campaign, on a configuration file",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), *f) },
	}
	cmd.Flags().StringVar(&f.config, "config", "rewardflow.yaml", "configuration file")
	return cmd
}

func demoCommand(f *flags) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show rewards on their way, with doubles of FirstPromoter and of a provider",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Chosen = cmd.Flags().Changed("rewards")
			return runDemo(cmd.Context(), *f, o)
		},
	}
	cmd.Flags().IntVar(&o.Rewards, "rewards", 12, "how many rewards to send; on a second start, how many more")
	cmd.Flags().BoolVar(&o.Exit, "exit", false, "approve what waits, print a report, and exit when every reward rests")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the report as one JSON document; with --exit")
	return cmd
}

// serve runs the process on a configuration file.
func serve(ctx context.Context, f flags) error {
	cfg, err := config.Load(f.config, f.lookup, os.Environ()...)
	if err != nil {
		return err
	}
	logger := telemetry.NewLogger(os.Stderr, logFormat(), slog.LevelInfo)
	for _, warning := range cfg.Warnings() {
		logger.WarnContext(ctx, "config.warning", "warning", warning)
	}
	codec, endpoint, err := listenCodec(ctx, cfg)
	if err != nil {
		return err
	}
	where := engine.Options{
		Dir: engineDir(cfg.DataDir), Database: cfg.Engine.PostgresURL(), HistoryShards: cfg.Engine.HistoryShards, CodecEndpoint: endpoint,
	}
	return f.withEngine(ctx, where, logger, func(ctx context.Context, e *engine.Engine) error {
		process, err := app.New(ctx, app.Options{
			Config: cfg, API: true, Worker: true, Migrate: true,
			Temporal:      client.Options{HostPort: e.Address(), Namespace: e.Namespace()},
			CodecListener: codec, CodecOrigin: valueOr(cfg.Encryption.CodecServer.UIOrigin, e.UIURL()),
			TemporalUIURL: e.UIURL(), Version: buildinfo.Version(), Logger: logger, Lookup: os.LookupEnv, Started: printLogin,
		})
		if err != nil {
			return err
		}
		logger.InfoContext(ctx, "standalone.starting", "listen", cfg.Listen, "temporal", e.Address(), "temporal_ui", e.UIURL(), "data_dir", cfg.DataDir)
		return process.Run(ctx)
	})
}

// listenCodec opens where the codec server will answer: the Temporal UI has to
// know that before anything else runs. Without keys there is none.
func listenCodec(ctx context.Context, cfg *config.Config) (net.Listener, string, error) {
	if !cfg.Encryption.On() {
		return nil, "", nil
	}
	listener, err := app.ListenCodec(ctx, cfg.Encryption.CodecServer.Listen)
	if err != nil {
		return nil, "", err
	}
	address := listener.Addr().String()
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && addr.IP.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
	}
	return listener, "http://" + address, nil
}

// printLogin tells whoever started the process how to open the console. The
// link goes to the terminal and not into the log, which others may read.
func printLogin(ctx context.Context, process *app.App) {
	link, err := process.LoginLink(ctx)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThere is no login link: %v\n", err)
	case link != "":
		fmt.Fprintf(os.Stderr, "\nOpen the console as admin. This link works once, within an hour:\n\n  %s\n\n", link)
	}
}

// runDemo runs the process and the doubles.
func runDemo(ctx context.Context, f flags, o demo.Options) error {
	if o.JSON && !o.Exit {
		return errors.New("--json goes with --exit")
	}
	o.DataDir, o.Listen = valueOr(f.dataDir, ".rewardflow"), valueOr(f.listen, "127.0.0.1:8080")
	o.Out, o.Version = os.Stdout, buildinfo.Version()
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(o.DataDir, "demo.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer file.Close()
	o.Logger = telemetry.NewLogger(file, "text", slog.LevelInfo)
	return f.withEngine(ctx, engine.Options{Dir: engineDir(o.DataDir)}, o.Logger, func(ctx context.Context, e *engine.Engine) error {
		o.Temporal = client.Options{HostPort: e.Address(), Namespace: e.Namespace()}
		o.TemporalUIURL = e.UIURL()
		return demo.Run(ctx, o)
	})
}

// withEngine runs a program beside an embedded Temporal server, and stops the
// program when the server gives up.
// The options say where it keeps everything.
func (f flags) withEngine(
	ctx context.Context, o engine.Options, logger *slog.Logger, program func(context.Context, *engine.Engine) error,
) (err error) {
	o.GRPCPort, o.UIPort, o.MetricsPort = f.temporalPort, f.uiPort, engine.NoPort
	o.SearchAttributes, o.Logger = workflows.SearchAttributes(), logger
	e, err := engine.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ctx.Done():
		case failure := <-e.Failed():
			cancel(failure)
		}
	}()
	err = program(ctx, e)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(fmt.Errorf("the embedded Temporal server gave up: %w", cause), err)
	}
	return err
}

// engineDir is where an embedded server keeps its files.
func engineDir(dataDir string) string { return filepath.Join(dataDir, "temporal") }

// lookup reads the environment; flags go before it.
func (f flags) lookup(name string) (string, bool) {
	switch {
	case name == "REWARDFLOW_LISTEN" && f.listen != "":
		return f.listen, true
	case name == "REWARDFLOW_DATA_DIR" && f.dataDir != "":
		return f.dataDir, true
	}
	return os.LookupEnv(name)
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// logFormat is text for people and JSON for programs.
func logFormat() string {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return "text"
	}
	return "json"
}
