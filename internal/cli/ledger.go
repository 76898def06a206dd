package cli

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/app"
	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/fault"
)

func (p *Program) ledgerCommand() *cobra.Command {
	c := p.group(&cobra.Command{Use: "ledger", Short: "Move the ledger to another database"})
	c.AddCommand(p.ledgerCopyCommand())
	return c
}

func (p *Program) ledgerCopyCommand() *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use:   "copy --from CONFIG --to CONFIG",
		Short: "Copy the ledger of one configuration into the empty one of another",
		Long: `Copy the ledger of one configuration into the empty one of another: from the
file of a standalone installation into PostgreSQL, say. Stop every process on
the first ledger before, and run rewardflow migrate on the second one.

Everything comes along: events, rewards, decisions, attempts, the brake. The
copy is one transaction. The first ledger's payouts are paused at the end, so
that a process that is started on it by mistake pays nothing. Then start the
processes of the second configuration: what was waiting goes on, also with
another Temporal. Events in <data_dir>/spool stay where they are: move the
directory along, or let the old API take them in before it is stopped.`,
		Args: noArguments,
	}
	c.Flags().StringVar(&from, "from", "", "configuration file whose ledger is copied")
	c.Flags().StringVar(&to, "to", "", "configuration file whose ledger is filled")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if from == "" || to == "" {
			return usage("--from and --to name two configuration files")
		}
		var configs [2]*config.Config
		for i, path := range []string{from, to} {
			var err error
			if configs[i], err = p.load(configSource{path: path}); err != nil {
				return err
			}
		}
		if _, err := os.Stat(app.LedgerFile(configs[0])); !configs[0].OnPostgres() && err != nil {
			return &failure{code: exitFailure, message: "there is no ledger at " + app.LedgerFile(configs[0]), next: "see data_dir in " + from}
		}
		done, err := app.CopyLedger(c.Context(), configs[0], configs[1], slog.New(slog.DiscardHandler), "rewardflow ledger copy")
		if err != nil {
			return &failure{code: exitFailure, message: fault.Message(err), next: "nothing was copied; once that is mended, run it again"}
		}
		fmt.Fprintf(p.env.Stdout, "copied %d rewards and %d events; payouts on the first ledger are paused\n", done.Rewards, done.Events)
		return nil
	}
	return c
}
