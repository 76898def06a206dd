package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/reward"
)

// instruction is what a person wants to be done about a reward.
type instruction struct {
	action    reward.Action
	provider  string
	reference string
	evidence  string
	comment   string
}

func (p *Program) resolveCommand() *cobra.Command {
	var in instruction
	c := &cobra.Command{
		Use:   "resolve ID retry|reroute|paid|reject|abandon",
		Short: "Say how a reward goes on that does not go on by itself",
		Long: `Say how a reward goes on that does not go on by itself.

  retry     take it up again where it stands: verify again, look the payout up
            again, or, after a proven refusal, pay by a new payout
  reroute   pay by another provider, after a proven refusal; needs --provider
  paid      it was delivered by hand; needs --reference, the proof
  reject    end it unpaid, by decision; needs --comment
  abandon   end it as it is, paid or not, without closing it; needs --comment`,
		Example: `  rewardflow resolve 2429153 retry
  rewardflow resolve 2429153 reroute --provider people
  rewardflow resolve 2429153 paid --reference "bank transfer 8831" --evidence "statement of March, page 3"`,
		Args: cobra.ArbitraryArgs,
	}
	c.Flags().StringVar(&in.provider, "provider", "", "configured provider to pay by, for reroute")
	c.Flags().StringVar(&in.reference, "reference", "", "proof of a payment by hand, for paid")
	c.Flags().StringVar(&in.evidence, "evidence", "", "where the proof is kept: a statement, a ticket; for paid")
	c.Flags().StringVar(&in.comment, "comment", "", "why, for whoever asks about this later")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usage("name one reward and one action: %s", c.UseLine())
		}
		id, err := rewardID(args[0])
		if err != nil {
			return err
		}
		in.action = reward.Action(args[1])
		if err := in.check(); err != nil {
			return err
		}
		return p.resolve(c.Context(), id, in)
	}
	return c
}

// check says which flags an action needs, and which are not for it.
func (in instruction) check() error {
	switch {
	case !slices.Contains(reward.Actions(), in.action):
		return usage("%q is no action: there are %s", plain(string(in.action)), actions())
	case in.action == reward.ActionPaid && in.reference == "":
		return usage("--reference is missing: a payment by hand needs its proof")
	case in.action != reward.ActionPaid && in.reference != "":
		return usage("--reference is for the action paid only")
	case in.action != reward.ActionPaid && in.evidence != "":
		return usage("--evidence is for the action paid only")
	case in.action == reward.ActionReroute && in.provider == "":
		return usage("--provider is missing: name the provider to pay by")
	case in.action != reward.ActionReroute && in.provider != "":
		return usage("--provider is for the action reroute only")
	case in.comment == "" && (in.action == reward.ActionReject || in.action == reward.ActionAbandon):
		return usage("--comment is missing: say why, for whoever asks about this later")
	}
	return nil
}

func actions() string {
	words := make([]string, 0, len(reward.Actions()))
	for _, a := range reward.Actions() {
		words = append(words, string(a))
	}
	return strings.Join(words, ", ")
}

// final says that the action cannot be taken back.
func (in instruction) final() bool {
	switch in.action {
	case reward.ActionPaid, reward.ActionReject, reward.ActionAbandon:
		return true
	case reward.ActionRetry, reward.ActionReroute:
	}
	return false
}

func (p *Program) resolve(ctx context.Context, id reward.ID, in instruction) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	if in.final() {
		if _, err := p.present(ctx, api, id); err != nil {
			return err
		}
		if err := p.confirm(ctx, fmt.Sprintf("Resolve reward %s as %s?", id, in.action)); err != nil {
			return err
		}
	}
	raw, err := api.send(ctx, http.MethodPost, rewardPath(id)+"/resolve", map[string]string{
		"action": string(in.action), "provider": in.provider, "reference": in.reference,
		"evidence": in.evidence, "comment": in.comment,
	})
	if err != nil {
		return about(id, err)
	}
	resolved, err := decode[resolvedDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "reward %s: %s was taken, and it is %s now\n", id, in.action, plain(string(resolved.Status)))
		return err
	})
}
