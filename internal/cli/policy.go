package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/policy"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func (p *Program) policyCommand() *cobra.Command {
	c := p.group(&cobra.Command{Use: "policy", Short: "See which rule decides, and why"})
	c.AddCommand(p.policyTestCommand(), p.policyExplainCommand())
	return c
}

// ruleDocument is one rule on the way to a verdict.
type ruleDocument struct {
	Rule    string `json:"rule"`
	When    string `json:"when"`
	Then    string `json:"then"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
}

// saidDocument is what the rules of one version say.
type saidDocument struct {
	PolicyVersion string         `json:"policy_version"`
	Verdict       string         `json:"verdict"`
	Reason        string         `json:"reason"`
	Rules         []ruleDocument `json:"rules"`
}

// explanationDocument is the API's answer about one reward.
type explanationDocument struct {
	Rule          string                     `json:"rule"`
	PolicyVersion string                     `json:"policy_version"`
	Facts         map[string]json.RawMessage `json:"facts"` // Numbers are whole, and may be large.
	Now           saidDocument               `json:"now"`
}

func (p *Program) policyTestCommand() *cobra.Command {
	var source configSource
	var file string
	c := &cobra.Command{
		Use:   "test --reward FILE",
		Short: "Say what the rules of a configuration decide about a reward that you make up",
		Long: `Say what the rules of a configuration decide about a reward that you make up.

FILE holds facts as a JSON object, by the names that rules use; - is standard
input. A fact that is left out is empty, zero or unknown, and the provider is
that of the first route that matches. Nothing is asked over the network.`,
		Example: `  echo '{"unit":"credits","amount":800,"promoter_age":12}' | rewardflow policy test --config rewardflow.yaml --reward -`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				return usage("--reward is missing: name a file with the facts of a reward as JSON")
			}
			return p.testPolicy(source, file)
		},
	}
	source.flags(c, p)
	c.Flags().StringVar(&file, "reward", "", "file with the facts of a reward as JSON; - is standard input")
	return c
}

func (p *Program) testPolicy(source configSource, file string) error {
	cfg, err := p.load(source)
	if err != nil {
		return err
	}
	facts, err := p.readFacts(file)
	if err != nil {
		return err
	}
	if facts.Provider == "" {
		facts.Provider, facts.Currency = routed(cfg, facts)
	}
	compiled, err := policy.Compile(cfg.Policy)
	if err != nil {
		return err
	}
	result, steps, err := compiled.Explain(facts)
	if err != nil {
		return err
	}
	said := saidDocument{PolicyVersion: compiled.Version(), Verdict: string(result.Verdict), Reason: result.Reason}
	for _, s := range steps {
		said.Rules = append(said.Rules, ruleDocument{Rule: s.Rule, When: s.When, Then: string(s.Then), Outcome: string(s.Outcome), Why: s.Why})
	}
	raw, err := json.MarshalIndent(said, "", "  ")
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error { return said.write(out) })
}

// routed is the provider and the currency of the first route that matches.
func routed(cfg *config.Config, f policy.Facts) (provider, currency string) {
	for _, route := range cfg.Routes {
		if route.Matches(reward.Unit(f.Unit), f.CampaignID) {
			if f.Currency == "" {
				return route.Provider, route.Currency
			}
			return route.Provider, f.Currency
		}
	}
	return "", f.Currency
}

func (p *Program) readFacts(file string) (policy.Facts, error) {
	var facts policy.Facts
	data, err := io.ReadAll(p.env.Stdin)
	if file != "-" {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return facts, fmt.Errorf("reading the reward: %w", err)
	}
	if err := json.Unmarshal(data, &facts); err != nil {
		return facts, usage("the reward in %s: %s", plain(file), plain(err.Error()))
	}
	if facts.Unit == "" {
		return facts, usage("the reward in %s: the fact unit is missing", plain(file))
	}
	return facts, nil
}

func (p *Program) policyExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Say which rule decided about a reward, on which facts, and what the rules say now",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("name one reward: %s", c.UseLine())
			}
			id, err := rewardID(args[0])
			if err != nil {
				return err
			}
			return p.explainPolicy(c.Context(), id)
		},
	}
}

func (p *Program) explainPolicy(ctx context.Context, id reward.ID) error {
	api, err := p.operatorAPI()
	if err != nil {
		return err
	}
	raw, err := api.get(ctx, rewardPath(id)+"/policy", nil)
	if err != nil {
		return about(id, err)
	}
	d, err := decode[explanationDocument](raw)
	if err != nil {
		return err
	}
	return p.emit(raw, func(out io.Writer) error { return d.write(out, id) })
}

func (d explanationDocument) write(out io.Writer, id reward.ID) error {
	_, err := fmt.Fprintf(out, "reward %s was decided by %s of policy %s, on these facts:\n\n", id, plain(d.Rule), plain(d.PolicyVersion))
	t := newTable(out)
	for _, fact := range policy.FactList() {
		value, known := d.Facts[fact.Name]
		var text string
		switch {
		case !known:
			text = "unknown"
		case json.Unmarshal(value, &text) != nil:
			text = string(value)
		}
		t.row("  "+fact.Name, plain(text))
	}
	if err := errors.Join(err, t.end()); err != nil {
		return err
	}
	if d.Now.PolicyVersion != d.PolicyVersion {
		_, err = fmt.Fprintf(out, "\nThe policy has changed since. The rules as they are now say of the same facts:\n\n")
	} else {
		_, err = fmt.Fprintln(out)
	}
	return errors.Join(err, d.Now.write(out))
}

func (s saidDocument) write(out io.Writer) error {
	t := newTable(out)
	t.row("RULE", "THEN", "OUTCOME", "WHEN")
	for _, r := range s.Rules {
		outcome := map[string]string{
			string(policy.Matches): "decides", string(policy.Differs): "does not match",
			string(policy.NotReached): "not reached", string(policy.Fails): "cannot be evaluated: " + r.Why,
		}[r.Outcome]
		when := r.When
		if when == "" {
			when = "every reward"
		}
		t.row(r.Rule, r.Then, outcome, when)
	}
	err := t.end()
	_, failed := fmt.Fprintf(out, "\npolicy %s: %s\n", plain(s.PolicyVersion), plain(s.Reason))
	return errors.Join(err, failed)
}
