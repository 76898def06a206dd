package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// verdict is what the flags of approve and reject say.
type verdict struct {
	decision reward.Verdict
	digest   string
	comment  string
}

// noun is what the decision is called.
func (v verdict) noun() string {
	if v.decision == reward.Reject {
		return "rejection"
	}
	return "approval"
}

func (p *Program) decideCommand(decision reward.Verdict) *cobra.Command {
	v := verdict{decision: decision}
	c := &cobra.Command{
		Use:   "approve ID...",
		Short: "Approve rewards, as they are shown to you",
		Long: `Approve rewards, as they are shown to you: the decision does not count when the
reward has changed since.

Several are shown together with the sum of each unit and currency, and asked
about once; above ` + strconv.Itoa(reward.TypedAbove) + ` you type how many they are. Each gets a decision of its own,
one after the other. Those that count stay when others do not: the exit code is
6 then, and standard output says which and why. Where an ID is unknown nothing
is decided at all. Ctrl-C stops before the next one.`,
		Example: `  rewardflow approvals approve 2429153
  rewardflow approvals approve 2429153 2429160 2429161
  rewardflow approvals approve $(rewardflow approvals list -o json | jq '.approvals[] | select(.quantity.unit == "points") | .id')`,
		Args: someArguments("the ID of a reward"),
	}
	comment := "why, for whoever asks about this later"
	if decision == reward.Reject {
		c.Use, c.Short = "reject ID... --comment TEXT", "Reject rewards, which ends them unpaid"
		c.Long = "Reject rewards, which ends them unpaid. Several are decided as approve does it,\nfor the same reason."
		c.Example = `  rewardflow approvals reject 2429153 --comment "the referral was refunded"`
		comment += "; needed"
	}
	c.Flags().StringVar(&v.comment, "comment", "", comment)
	c.Flags().StringVar(&v.digest, "digest", "", "digest of what you were shown, for one reward; without it, of what is shown now")
	c.RunE = func(c *cobra.Command, args []string) error { return p.decide(c.Context(), args, v) }
	return c
}

// decide reads what was typed, and decides about one reward or several.
func (p *Program) decide(ctx context.Context, args []string, v verdict) error {
	var ids []reward.ID
	for _, arg := range args {
		id, err := rewardID(arg)
		if err != nil {
			return err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if v.decision == reward.Reject && v.comment == "" {
		return usage("--comment is missing: say why, for whoever asks about this rejection later")
	}
	if len(ids) > 1 && v.digest != "" {
		return usage("--digest is for one reward: of several, each is bound to the digest that is shown")
	}
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		return p.decideOne(ctx, api, ids[0], v)
	}
	return p.decideMany(ctx, api, ids, v)
}

// decideOne shows a reward, asks, and sends the decision on what was shown.
func (p *Program) decideOne(ctx context.Context, api *operatorAPI, id reward.ID, v verdict) error {
	shown, err := p.present(ctx, api, id)
	if err != nil {
		return err
	}
	if v.digest == "" {
		v.digest = string(shown.Digest)
	}
	if v.digest == "" {
		return about(id, &failure{
			code:    exitConflict,
			message: fmt.Sprintf("reward %s is %s, and there is nothing to decide about it yet", id, plain(string(shown.Status))),
		})
	}
	if v.digest != string(shown.Digest) {
		p.note("note: the digest that you gave is not the digest of this; it has changed since")
	}
	if err := p.confirm(ctx, fmt.Sprintf("%s reward %s?", capital(string(v.decision)), id)); err != nil {
		return err
	}
	raw, tally, err := api.decide(ctx, id, v)
	if err != nil {
		return about(id, err)
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "reward %s: %s\n", id, tally.words())
		return err
	})
}

// decide sends a decision, and returns where the approval stands then: as it
// was answered, and as it was read.
func (a *operatorAPI) decide(ctx context.Context, id reward.ID, v verdict) ([]byte, tallyDocument, error) {
	raw, err := a.send(ctx, http.MethodPost, rewardPath(id)+"/decision", map[string]string{
		"decision": string(v.decision), "digest": v.digest, "comment": v.comment,
	})
	if err != nil {
		return nil, tallyDocument{}, err
	}
	tally, err := decode[tallyDocument](raw)
	return raw, tally, err
}

// reward reads a reward with everything that led to where it stands.
func (a *operatorAPI) reward(ctx context.Context, id reward.ID) (detailDocument, error) {
	raw, err := a.get(ctx, rewardPath(id), nil)
	if err != nil {
		return detailDocument{}, err
	}
	return decode[detailDocument](raw)
}

// present reads a reward, and shows what is about to be decided.
func (p *Program) present(ctx context.Context, api *operatorAPI, id reward.ID) (detailDocument, error) {
	d, err := api.reward(ctx, id)
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
