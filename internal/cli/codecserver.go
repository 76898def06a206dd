package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

func (p *Program) codecServerCommand() *cobra.Command {
	path := ""
	c := &cobra.Command{
		Use:   "codec-server",
		Short: "Decrypt what the Temporal UI shows, for people who may see it",
		Long: `Run the codec server, which decrypts what the Temporal UI shows, and encrypts
what is typed into it. It runs until SIGINT or SIGTERM, and needs neither the
ledger nor Temporal. Name it in the Temporal UI as the codec endpoint.

Only pages of encryption.codec_server.ui_origin may ask, for people who prove who
they are: by an operator's token, by an access token that the Temporal UI passes
on (encryption.codec_server.ui_client_id), or by auth.proxy. Every role may
decrypt; operator and admin may encrypt.`,
		Args: noArguments,
	}
	c.Flags().StringVar(&path, "config", p.variable(configVariable, defaultConfig),
		"configuration file; empty to read the environment only ($"+configVariable+")")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.runCodecServer(c.Context(), configSource{path: path})
	}
	return c
}

func (p *Program) runCodecServer(ctx context.Context, source configSource) error {
	cfg, err := p.load(source)
	if err != nil {
		return err
	}
	format := telemetry.FormatJSON
	if p.env.StderrTerminal {
		format = telemetry.FormatText
	}
	log := telemetry.NewLogger(p.env.Stderr, format, nil)
	server, err := app.NewCodecServer(ctx, cfg, log)
	if err != nil {
		return &failure{code: exitFailure, message: err.Error(), next: "correct " + source.name() + "; docs/security.md says how the codec server is set up"}
	}
	log.InfoContext(ctx, "process.starting", "version", p.env.Version, "codec_server", true, "config", cfg)
	if err := server.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
