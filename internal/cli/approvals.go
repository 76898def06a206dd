package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/reward"
)

func (p *Program) approvalsCommand() *cobra.Command {
	c := p.group(&cobra.Command{
		Use:     "approvals",
		Short:   "Decide rewards that wait for approval",
		Aliases: []string{"approval"},
	})
	c.AddCommand(
		p.approvalsListCommand(),
		p.approvalsShowCommand(),
		p.decideCommand(reward.Approve),
		p.decideCommand(reward.Reject),
	)
	return c
}

func (p *Program) approvalsListCommand() *cobra.Command {
	var pg page
	var watch time.Duration
	c := &cobra.Command{
		Use:   "list",
		Short: "List what waits for your decision, newest first",
		Args:  noArguments,
	}
	pg.flags(c)
	c.Flags().DurationVar(&watch, "watch", 0, "look again this often, until Ctrl-C, and write the list when it has changed; 5s when nothing is said")
	c.Flags().Lookup("watch").NoOptDefVal = "5s"
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := p.operatorAPI()
		if err != nil {
			return err
		}
		look := func() ([]byte, error) { return api.get(c.Context(), approvalsPath, pg.query()) }
		switch {
		case !c.Flags().Changed("watch"):
			raw, err := look()
			if err != nil {
				return err
			}
			return p.writeApprovals(c, raw)
		case watch < 100*time.Millisecond:
			return usage("--watch takes a time of at least 100ms, such as 5s")
		}
		return p.watchApprovals(c, look, watch)
	}
	return c
}

// watchApprovals writes the list whenever it has changed, until the context
// ends. Only the first look must succeed.
func (p *Program) watchApprovals(c *cobra.Command, look func() ([]byte, error), every time.Duration) error {
	var shown []byte
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		raw, err := look()
		switch {
		case c.Context().Err() != nil:
			return nil
		case err != nil && shown == nil:
			return err
		case err != nil:
			p.note("the list cannot be read, and is tried again: %v", err)
		case !bytes.Equal(raw, shown):
			if shown != nil {
				p.note("changed at %s", stamp(p.env.Now()))
			}
			shown = raw
			if err := p.writeApprovals(c, raw); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-c.Context().Done():
			return nil
		}
	}
}

func (p *Program) writeApprovals(c *cobra.Command, raw []byte) error {
	list, err := decode[approvalsDocument](raw)
	if err != nil {
		return err
	}
	if len(list.Approvals) == 0 {
		p.note("nothing waits for your decision")
	}
	err = p.emit(raw, func(out io.Writer) error {
		if len(list.Approvals) == 0 {
			return nil
		}
		t := newTable(out)
		t.row("ID", "QUANTITY", "PROMOTER", "PROVIDER", "APPROVALS", "ROLE", "RECEIVED", "REASON")
		for _, a := range list.Approvals {
			t.row(a.ID.String(), a.Quantity.String(), strconv.FormatInt(a.Promoter.ID, 10), a.Provider,
				approvalsOf(a.Approvals, a.Needed), cmp.Or(a.Role, "any"), stamp(a.ReceivedAt), a.Reason)
		}
		return t.end()
	})
	if err != nil {
		return err
	}
	p.noteMore(c, list.NextCursor)
	return nil
}

func approvalsOf(have, needed int) string { return fmt.Sprintf("%d of %d", have, needed) }

func (p *Program) approvalsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show what a decision about a reward would be about",
		Args:  oneArgument("the ID of a reward"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.showReward(c.Context(), args[0], p.writeQuestion)
		},
	}
}

// writeQuestion writes what people are asked about a reward.
func (p *Program) writeQuestion(out io.Writer, d detailDocument) error {
	t := newTable(out)
	standing(t, d)
	identity(t, d)
	if d.Needed > 0 {
		t.row("approvals", approvalsOf(d.Approvals, d.Needed)+", "+roleOf(d.Role))
	}
	t.field("digest", string(d.Digest))
	if err := t.end(); err != nil {
		return err
	}
	return writeDecisions(out, d.Decisions)
}

func roleOf(role string) string {
	if role == "" {
		return "role approver or finance"
	}
	return "role " + role
}
