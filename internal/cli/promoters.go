package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
)

// erasureDocument is what an erasure came to.
type erasureDocument struct {
	Promoter int64 `json:"promoter"`
	Rewards  int   `json:"rewards"`
	Events   int   `json:"events"`
	Payouts  int   `json:"payouts"`
	Keys     int   `json:"keys"`
}

func (p *Program) promotersCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:   "promoters",
		Short: "Erase what is known of a promoter's person",
	})
	c.AddCommand(&cobra.Command{
		Use:   "erase PROMOTER_ID",
		Short: "Erase a promoter's personal data, and keep the record of the money",
		Long: `Erases what the ledger holds of a promoter's person: e-mail address, customer ID,
the bodies of events, destinations and requests of payouts. Amounts, dates,
decisions, keys and references stay, under the promoter's ID. It cannot be taken
back, needs the role admin, and is recorded. While a reward of the promoter has not
ended it is refused.

FirstPromoter and the providers have copies of their own, which this does not
reach, and Temporal keeps histories for the namespace's retention; docs/security.md
says more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.erasePromoter(c.Context(), args[0]) },
	})
	return c
}

func (p *Program) erasePromoter(ctx context.Context, text string) error {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return usage("%q is not a promoter's ID: it is a whole number above zero", plain(text))
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	if err := p.confirm(ctx, fmt.Sprintf("Erase the personal data of promoter %d for ever?", id)); err != nil {
		return err
	}
	raw, err := api.send(ctx, http.MethodPost, fmt.Sprintf("/api/v1/promoters/%d/erase", id), struct{}{})
	if err != nil {
		return err
	}
	done, err := decode[erasureDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "The personal data of promoter %d is erased: %d rewards, %d events, %d payouts and %d data keys. The record of the money stays.\n",
			done.Promoter, done.Rewards, done.Events, done.Payouts, done.Keys)
		return err
	})
}
