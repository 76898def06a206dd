package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/encryption"
)

// keyDocument is a new key and the ID that goes with it.
type keyDocument struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

func (p *Program) keysCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:   "keys",
		Short: "Make keys for encryption, and change to another one",
	})
	c.AddCommand(p.keysNewCommand())
	return c
}

func (p *Program) keysNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new",
		Short: "Make a key for encryption",
		Long: `Makes a key for encryption, and shows it once, with an ID for it. Nothing is
stored or sent. What was encrypted with a key that is lost is lost: keep it where
your other secrets are, apart from the backups of the databases.

The first key: put it into encryption.keys of every process, and restart them.
A later one: put it there beside the others, restart every process, then name it
in encryption.active and restart them again. So no process meets something that
it cannot read.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			k, text := encryption.NewKey(p.env.Now())
			raw, err := json.Marshal(keyDocument{ID: k.ID, Key: text})
			if err != nil {
				return fmt.Errorf("writing the key: %w", err)
			}
			return p.emit(raw, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "id   %s\nkey  %s\n", k.ID, text)
				return err
			})
		},
	}
}
