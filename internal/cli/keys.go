package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

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
	c.AddCommand(p.keysNewCommand(), p.keysRotateCommand())
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

// rotationDocument is where the change to the active key stands.
type rotationDocument struct {
	Active            string         `json:"active"`
	Done              int            `json:"done"`
	Left              map[string]int `json:"left"`
	Unneeded          []string       `json:"unneeded"`
	TemporalRetention string         `json:"temporal_retention,omitempty"`
}

func (p *Program) keysRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Have the ledger need the active key alone",
		Long: `Has the ledger need the active key alone: the data keys of its personal data are
encrypted anew with it, in small batches. Nothing stops meanwhile, and it may be
broken off and begun again. Needs the role admin.

Do it when every process has the new key, and encryption.active names it. It says
then which keys the ledger does not need any more, and until when Temporal does.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.rotateKeys(c.Context()) },
	}
}

func (p *Program) rotateKeys(ctx context.Context) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	total := 0
	for {
		raw, err := api.send(ctx, http.MethodPost, "/api/v1/keys/rotate", struct{}{})
		if err != nil {
			return err
		}
		r, err := decode[rotationDocument](raw)
		if err != nil {
			return err
		}
		total += r.Done
		if r.Done > 0 && len(r.Left) > 0 {
			continue
		}
		r.Done = total
		whole, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("writing what was done: %w", err)
		}
		return p.emit(whole, func(out io.Writer) error { return writeRotation(out, r, p.env.Now()) })
	}
}

func writeRotation(out io.Writer, r rotationDocument, now time.Time) error {
	lines := []string{fmt.Sprintf("%d data keys were encrypted anew with %s, which writes.", r.Done, plain(r.Active))}
	for _, id := range slices.Sorted(maps.Keys(r.Left)) {
		lines = append(lines, fmt.Sprintf("The ledger still needs %s, for %d data keys: a process still writes with it. Restart it, then do this again.", plain(id), r.Left[id]))
	}
	for _, id := range r.Unneeded {
		line := fmt.Sprintf("The ledger does not need %s any more. Temporal does for what it keeps", plain(id))
		if retention, err := time.ParseDuration(r.TemporalRetention); err == nil {
			line += fmt.Sprintf(": what ended by now until %s, and workflows that are open now until as long after their end",
				now.Add(retention).UTC().Format(time.RFC3339))
		}
		lines = append(lines, line+".")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
