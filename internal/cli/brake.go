package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/ledger"
)

func (p *Program) brakeCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:   "brake",
		Short: "Stop payouts, or let them go on",
	})
	c.AddCommand(p.brakeShowCommand(), p.brakeMoveCommand(true), p.brakeMoveCommand(false))
	return c
}

func (p *Program) brakeShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the brake and the caps",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := p.operatorAPI()
			if err != nil {
				return err
			}
			raw, err := api.get(c.Context(), brakePath, nil)
			if err != nil {
				return err
			}
			return p.emitBrake(raw)
		},
	}
}

// move is a move of one switch of the brake.
type move struct {
	paused   bool
	provider string
	reason   string
}

func (p *Program) brakeMoveCommand(pause bool) *cobra.Command {
	m := move{paused: pause}
	c := &cobra.Command{
		Use:   "resume",
		Short: "Let payouts go on",
		Args:  noArguments,
	}
	if pause {
		c.Use, c.Short = "pause --reason TEXT", "Stop payouts; nothing is lost, rewards are held"
		c.Example = `  rewardflow brake pause --reason "the provider double-booked yesterday"
  rewardflow brake pause --provider billing --reason "invoices are wrong"`
	}
	c.Flags().StringVar(&m.provider, "provider", "", "this provider only; all without it")
	c.Flags().StringVar(&m.reason, "reason", "", "why, for whoever finds payouts stopped")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.moveBrake(c.Context(), m) }
	return c
}

func (p *Program) moveBrake(ctx context.Context, m move) error {
	if m.paused && m.reason == "" {
		return usage("--reason is missing: say why, for whoever finds payouts stopped")
	}
	if m.provider == ledger.AllProviders {
		m.provider = ""
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	if m.paused {
		question := "Stop every payout?"
		if m.provider != "" {
			question = fmt.Sprintf("Stop every payout by %s?", plain(m.provider))
		}
		if err := p.confirm(ctx, question); err != nil {
			return err
		}
	}
	raw, err := api.send(ctx, http.MethodPut, brakePath, map[string]any{
		"scope": cmp.Or(m.provider, ledger.AllProviders), "paused": m.paused, "reason": m.reason,
	})
	if err != nil {
		return err
	}
	return p.emitBrake(raw)
}

func (p *Program) emitBrake(raw []byte) error {
	b, err := decode[brakeDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error { return writeBrake(out, b) })
}

func writeBrake(out io.Writer, b brakeDocument) error {
	if _, err := fmt.Fprintln(out, b.words()); err != nil {
		return err
	}
	if err := section(out, "switches", []string{"PROVIDER", "PAYOUTS", "SINCE", "BY", "REASON"}, b.Switches,
		func(s switchDocument) []string {
			payouts := "go on"
			if s.Paused {
				payouts = "stopped"
			}
			return []string{s.Scope, payouts, stamp(s.At), s.By, s.Reason}
		}); err != nil {
		return err
	}
	return section(out, "caps", []string{"CAP", "UNIT", "AMOUNT"}, b.caps(), func(row []string) []string { return row })
}

// words says in one line whether payouts are made.
func (b brakeDocument) words() string {
	if b.Paused {
		return "Payouts are stopped."
	}
	if slices.ContainsFunc(b.Switches, func(s switchDocument) bool { return s.Paused }) {
		return "Payouts are made, except by the providers that are stopped."
	}
	return "Payouts are made."
}

// caps returns a row for each cap.
func (b brakeDocument) caps() [][]string {
	var rows [][]string
	for _, group := range []struct {
		name   string
		limits map[string]int64
	}{
		{"single payout", b.Caps.MaxSingle},
		{"per day", b.Caps.MaxPerDay},
		{"per promoter and day", b.Caps.MaxPerPromoterPerDay},
		{"per campaign and day", b.Caps.MaxPerCampaignPerDay},
	} {
		for _, unit := range slices.Sorted(maps.Keys(group.limits)) {
			rows = append(rows, []string{group.name, unit, strconv.FormatInt(group.limits[unit], 10)})
		}
	}
	return rows
}
