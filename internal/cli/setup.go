package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rewardflow/rewardflow/internal/config"
	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/provision"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// setupBudget bounds one step: a cluster may take its time to hear of what was
// made a moment ago.
const setupBudget = 2 * time.Minute

// checkDone is the result of a step that made something.
const checkDone = "done"

type setupFlags struct {
	source      configSource
	retention   time.Duration
	makeCurrent bool
}

func (p *Program) setupCommand() *cobra.Command {
	var f setupFlags
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make what rewardflow needs of a Temporal cluster: namespace, search attributes, schedule",
		Long: `Make what rewardflow needs of the Temporal server that the TEMPORAL_* variables
name: the namespace, its search attributes, and the schedule of the
reconciliation. It may be run at any time, by every deployment: what is there
already is left as it is.

What these credentials may not do is told, with the command that somebody else
can type. The exit code is then 1, and everything else was done.

With --make-current the workers of this build get the tasks from now on, where
temporal.deployment is configured; docs/upgrading.md.`,
		Args: noArguments,
	}
	f.source.flags(c, p)
	c.Flags().DurationVar(&f.retention, "retention", provision.DefaultRetention, "how long a namespace that is made keeps closed workflows")
	c.Flags().BoolVar(&f.makeCurrent, "make-current", false, "make this build the current version of the worker deployment")
	c.RunE = func(c *cobra.Command, _ []string) error { return p.setup(c.Context(), f) }
	return c
}

// setup takes every step, also when an earlier one could not be done.
func (p *Program) setup(ctx context.Context, f setupFlags) error {
	if f.retention < 24*time.Hour {
		return usage("--retention is %s: Temporal keeps closed workflows for at least 24h", f.retention)
	}
	cfg, err := p.load(f.source)
	if err != nil {
		return err
	}
	options, err := temporalOptions(p.env)
	if err != nil {
		return err
	}
	ring, err := cfg.Encryption.Ring()
	if err != nil {
		return err
	}
	options = encryption.Apply(options, ring)
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	dial, cancel := context.WithTimeout(ctx, checkBudget)
	defer cancel()
	c, err := client.DialContext(dial, options)
	if err != nil {
		return &failure{
			code: exitFailure, message: "Temporal cannot be reached at " + cmp.Or(options.HostPort, client.DefaultHostPort),
			next: "start it, or name it by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the other TEMPORAL_* variables",
		}
	}
	defer c.Close()
	all := findings{OK: true}
	for _, s := range p.setupSteps(c, cmp.Or(options.Namespace, client.DefaultNamespace), cfg, f) {
		found := s.take(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all.OK = all.OK && found.Result != checkFailed
		all.Checks = append(all.Checks, found)
	}
	return p.report(all, failure{message: "not everything could be set up", next: "do what stands under the steps that failed, and run this again"})
}

type setupStep struct {
	name string
	run  func(ctx context.Context) (provision.Result, error)
}

func (p *Program) setupSteps(c client.Client, namespace string, cfg *config.Config, f setupFlags) []setupStep {
	steps := []setupStep{
		{"namespace", func(ctx context.Context) (provision.Result, error) {
			return provision.Namespace(ctx, c, namespace, f.retention)
		}},
		{"search attributes", func(ctx context.Context) (provision.Result, error) {
			return provision.SearchAttributes(ctx, c, namespace, workflows.SearchAttributes())
		}},
		{"schedule", func(ctx context.Context) (provision.Result, error) {
			return provision.Schedule(ctx, namespace, func(ctx context.Context) error {
				return worker.Schedule(ctx, c, cfg.Temporal.TaskQueue)
			})
		}},
	}
	version := deploymentOf(cfg, p.env)
	switch {
	case version.Name == "" && !f.makeCurrent:
	case version.Name == "":
		steps = append(steps, setupStep{"version", func(context.Context) (provision.Result, error) {
			return provision.Result{}, &provision.ByHandError{
				What: "temporal.deployment is not configured, so there is no version to make current",
				Do:   "set temporal.deployment for the workers and for this command",
			}
		}})
	default:
		step := provision.IsCurrent
		if f.makeCurrent {
			step = provision.Current
		}
		steps = append(steps, setupStep{"version", func(ctx context.Context) (provision.Result, error) {
			return step(ctx, c, version.Name, version.Build)
		}})
	}
	return steps
}

func (s setupStep) take(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, setupBudget)
	defer cancel()
	result, err := s.run(ctx)
	if err == nil {
		f := finding{Name: s.name, Result: checkOK, Detail: result.Detail}
		if result.Made {
			f.Result = checkDone
		}
		return f
	}
	f := finding{Name: s.name, Result: checkFailed, Detail: err.Error(), Next: "look into Temporal's own log, and run this again"}
	if missing, ok := errors.AsType[*provision.ByHandError](err); ok {
		f.Next = missing.Do
	}
	return f
}
