package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/reward"
)

func (p *Program) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all that is known of a reward",
		Args:  oneArgument("the ID of a reward"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.showReward(c.Context(), args[0], p.writeReward)
		},
	}
}

// showReward reads one reward and writes it.
func (p *Program) showReward(ctx context.Context, arg string, write func(io.Writer, detailDocument) error) error {
	id, err := rewardID(arg)
	if err != nil {
		return err
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	raw, err := api.get(ctx, rewardPath(id), nil)
	if err != nil {
		return err
	}
	d, err := decode[detailDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error { return write(out, d) })
}

// writeReward writes everything.
func (p *Program) writeReward(out io.Writer, d detailDocument) error {
	t := newTable(out)
	standing(t, d)
	t.field("next timer", ago(d.NextTimer, p.env.Now()))
	identity(t, d)
	t.field("digest", string(d.Digest))
	if d.Needed > 0 {
		t.row("approvals", approvalsOf(d.Approvals, d.Needed)+", "+roleOf(d.Role))
	}
	t.field("held until", stamp(d.HoldUntil))
	if d.Payout != nil {
		t.row("payout", d.Payout.words())
		t.row("key", d.Payout.Key)
	}
	t.row("closing", d.closing())
	t.field("retry budget", d.RetryBudget.words())
	t.row("received", ago(d.ReceivedAt, p.env.Now()))
	t.row("updated", ago(d.UpdatedAt, p.env.Now()))
	t.row("workflow", strings.TrimSpace(d.WorkflowID+" "+d.Links.Workflow))
	if err := t.end(); err != nil {
		return err
	}
	for _, write := range []func() error{
		func() error { return writeDecisions(out, d.Decisions) },
		func() error { return writeResolutions(out, d.Resolutions) },
		func() error { return writeAttempts(out, d.Attempts) },
		func() error { return writeDeliveries(out, d.Deliveries) },
		func() error { return writeHistory(out, d.History) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// standing writes where a reward stands.
func standing(t table, d detailDocument) {
	t.row("status", string(d.Status))
	t.field("reason", d.Reason)
	t.field("defect", d.Defect)
	label := "waiting for"
	for _, line := range d.waits() {
		t.row(label, line)
		label = " "
	}
}

// waits returns what the reward waits for, without repeating the reason.
func (d detailDocument) waits() []string {
	var lines []string
	for _, line := range d.WaitingFor {
		if line = strings.TrimSuffix(line, ": "+d.Reason); line != d.Reason {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return d.WaitingFor
	}
	return lines
}

// identity writes what a digest binds: what is paid to whom by whom, and why.
func identity(t table, d detailDocument) {
	t.row("quantity", d.Quantity.String())
	t.row("promoter", promoterWords(d.Promoter))
	t.row("campaign", strings.TrimSpace(strconv.FormatInt(d.Campaign.ID, 10)+" "+d.Campaign.Name))
	t.field("provider", d.Provider)
	if d.Verified {
		t.row("verified", "compared with FirstPromoter")
	} else {
		t.row("verified", "no: these are the event's claims")
	}
	if d.PolicyVersion != "" {
		t.row("policy", fmt.Sprintf("%s (version %s)", d.Rule, d.PolicyVersion))
	}
}

func promoterWords(p reward.Promoter) string {
	words := strconv.FormatInt(p.ID, 10)
	if p.CustID != "" {
		words += ", cust_id " + p.CustID
	}
	if p.Email != "" {
		words += ", " + p.Email
	}
	return words
}

func (p *payoutDocument) words() string {
	words := fmt.Sprintf("%s by %s, generation %d", p.State, p.Provider, p.Generation)
	if p.Reference != "" {
		words += ", reference " + p.Reference
	}
	if p.Detail != "" {
		words += ": " + p.Detail
	}
	return words
}

func writeDecisions(out io.Writer, decisions []decisionDocument) error {
	return section(out, "decisions", []string{"AT", "BY", "DECISION", "COUNTED", "COMMENT"}, decisions,
		func(d decisionDocument) []string {
			by, counted := d.By, "yes"
			if !d.Verified {
				by += " (unverified)"
			}
			if !d.Counted {
				counted = "no: " + d.Refusal
			}
			return []string{stamp(d.At), by, string(d.Decision), counted, d.Comment}
		})
}

func writeResolutions(out io.Writer, resolutions []resolutionDocument) error {
	return section(out, "instructions", []string{"AT", "BY", "ACTION", "WITH", "COMMENT"}, resolutions,
		func(r resolutionDocument) []string {
			with := r.Provider + r.Reference
			if r.Evidence != "" {
				with += " (" + r.Evidence + ")"
			}
			return []string{stamp(r.At), r.By, string(r.Action), with, r.Comment}
		})
}

func writeAttempts(out io.Writer, attempts []attemptDocument) error {
	return section(out, "attempts", []string{"NUMBER", "AT", "KIND", "PROVIDER", "OUTCOME", "REFERENCE", "DETAIL"}, attempts,
		func(a attemptDocument) []string {
			return []string{
				strconv.FormatInt(a.Number, 10), stamp(a.StartedAt), string(a.Kind), a.Provider,
				a.Outcome, a.Reference, a.Detail,
			}
		})
}

func writeDeliveries(out io.Writer, deliveries []deliveryDocument) error {
	return section(out, "deliveries", []string{"AT", "TYPE", "EVENT", "ANSWER", "WORKFLOW"}, deliveries,
		func(d deliveryDocument) []string {
			return []string{stamp(d.At), d.Type, d.EventID, strconv.Itoa(d.Answer), d.WorkflowID}
		})
}

func writeHistory(out io.Writer, history []changeDocument) error {
	return section(out, "history", []string{"AT", "FROM", "TO", "BY", "REASON"}, history,
		func(ch changeDocument) []string {
			return []string{stamp(ch.At), string(ch.From), string(ch.To), ch.Actor, ch.Reason}
		})
}

// section writes a table under its name, and nothing when it has no rows.
func section[Row any](out io.Writer, name string, header []string, rows []Row, cells func(Row) []string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(out, "\n%s\n", name); err != nil {
		return err
	}
	t := newTable(out)
	t.row(header...)
	for _, r := range rows {
		t.row(cells(r)...)
	}
	return t.end()
}
