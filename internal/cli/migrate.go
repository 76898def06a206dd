package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

func (p *Program) migrateCommand() *cobra.Command {
	var source configSource
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Make the ledger's schema, or bring it up to date",
		Long: `Make the ledger's schema where it is missing, and bring it up to date. Run it
before the processes of a new version start; those of the old one may go on
meanwhile. Several may run at once: one migrates, and the others wait for it.

A ledger in SQLite is brought up to date by whoever opens it, so that this is
needed for PostgreSQL only. A schema that is newer than this program is refused.`,
		Args: noArguments,
	}
	source.flags(c, p)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := p.load(source)
		if err != nil {
			return err
		}
		log := telemetry.NewLogger(p.env.Stderr, telemetry.FormatText, nil)
		said, err := app.MigrateLedger(c.Context(), cfg, log, p.env.Lookup)
		if err != nil {
			return &failure{code: exitFailure, message: fault.Message(err), next: "nothing was half done: each step is one transaction; run it again once that is mended"}
		}
		fmt.Fprintln(p.env.Stdout, said)
		return nil
	}
	return c
}
