package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	tokens "github.com/rewardflow/rewardflow/internal/identity"
)

// tokenDocument is a new token and what the configuration holds of it.
type tokenDocument struct {
	Token  string `json:"token"`
	SHA256 string `json:"token_sha256"`
}

func (p *Program) tokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Make a token for an operator",
		Long: `Makes a token for an operator, and shows it once. The operator keeps the token;
the configuration gets its SHA-256. Nothing is stored or sent.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			token, sum := tokens.NewToken()
			raw, err := json.Marshal(tokenDocument{Token: token, SHA256: sum})
			if err != nil {
				return fmt.Errorf("writing the token: %w", err)
			}
			return p.emit(raw, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "token         %s\ntoken_sha256  %s\n", token, sum)
				return err
			})
		},
	}
}
