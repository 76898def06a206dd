package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
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

// verdict is what the flags of approve and reject say.
type verdict struct {
	decision reward.Verdict
	digest   string
	comment  string
}

func (p *Program) decideCommand(decision reward.Verdict) *cobra.Command {
	v := verdict{decision: decision}
	c := &cobra.Command{
		Use:     "approve ID",
		Short:   "Approve a reward, as it is shown to you",
		Example: "  rewardflow approvals approve 2429153",
		Args:    oneArgument("the ID of a reward"),
	}
	comment := "why, for whoever asks about this later"
	if decision == reward.Reject {
		c.Use, c.Short = "reject ID --comment TEXT", "Reject a reward, which ends it unpaid"
		c.Example = `  rewardflow approvals reject 2429153 --comment "the referral was refunded"`
		comment += "; needed"
	}
	c.Flags().StringVar(&v.comment, "comment", "", comment)
	c.Flags().StringVar(&v.digest, "digest", "", "digest of what you were shown; without it, of what is shown now")
	c.RunE = func(c *cobra.Command, args []string) error { return p.decide(c.Context(), args[0], v) }
	return c
}

// decide shows a reward, asks, and sends the decision on what was shown.
func (p *Program) decide(ctx context.Context, arg string, v verdict) error {
	id, err := rewardID(arg)
	if err != nil {
		return err
	}
	if v.decision == reward.Reject && v.comment == "" {
		return usage("--comment is missing: say why, for whoever asks about this rejection later")
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	shown, err := p.present(ctx, api, id)
	if err != nil {
		return err
	}
	if v.digest == "" {
		v.digest = string(shown.Digest)
	}
	if v.digest == "" {
		return about(id, &failure{code: exitConflict,
			message: fmt.Sprintf("reward %s is %s, and there is nothing to decide about it yet", id, plain(string(shown.Status)))})
	}
	if v.digest != string(shown.Digest) {
		p.note("note: the digest that you gave is not the digest of this; it has changed since")
	}
	if err := p.confirm(ctx, fmt.Sprintf("%s reward %s?", capital(string(v.decision)), id)); err != nil {
		return err
	}
	raw, err := api.send(ctx, http.MethodPost, rewardPath(id)+"/decision", map[string]string{
		"decision": string(v.decision), "digest": v.digest, "comment": v.comment,
	})
	if err != nil {
		return about(id, err)
	}
	tally, err := decode[tallyDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "reward %s: %s\n", id, tally.words())
		return err
	})
}

// present reads a reward, and shows what is about to be decided.
func (p *Program) present(ctx context.Context, api *operatorAPI, id reward.ID) (detailDocument, error) {
	raw, err := api.get(ctx, rewardPath(id), nil)
	if err != nil {
		return detailDocument{}, err
	}
	d, err := decode[detailDocument](raw)
	if err != nil {
		return detailDocument{}, err
	}
	t := newTable(p.env.Stderr)
	t.row("reward", id.String())
	standing(t, d)
	t.row("quantity", d.Quantity.String())
	t.row("promoter", strconv.FormatInt(d.Promoter.ID, 10))
	t.row("provider", d.Provider)
	t.field("digest", string(d.Digest))
	return d, t.end()
}

func (d tallyDocument) words() string {
	switch {
	case d.Rejected:
		return "rejected"
	case d.Approved:
		return fmt.Sprintf("approved, %s approvals", approvalsOf(d.Approvals, d.Needed))
	}
	return fmt.Sprintf("your approval counts; %s approvals, and it waits for %d more",
		approvalsOf(d.Approvals, d.Needed), d.Needed-d.Approvals)
}

// capital is for ASCII words.
func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }
