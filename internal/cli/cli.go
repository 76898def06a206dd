// Package cli is rewardflow's command line: the processes, and the commands of
// the people who operate it.
//
// The operator's commands speak to the operator API and to nothing else, so
// that identity, roles and audit are in one place. What a program may read
// goes to standard output; everything else goes to standard error.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rewardflow/rewardflow/internal/buildinfo"
	"github.com/rewardflow/rewardflow/internal/suggest"
)

// The environment variables that the command line reads itself.
const (
	urlVariable        = "REWARDFLOW_URL"
	tokenVariable      = "REWARDFLOW_TOKEN"
	configVariable     = "REWARDFLOW_CONFIG"
	temporalUIVariable = "TEMPORAL_UI_URL"
)

// defaultURL is where a process on this machine answers unless it is told
// otherwise.
const defaultURL = "http://127.0.0.1:8080"

// Env is the world around one run of a program. Every field is required.
type Env struct {
	// Args are the arguments without the program's name.
	Args   []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// StdinTerminal says that a person can answer a question.
	StdinTerminal bool
	// StderrTerminal says that a person reads the log.
	StderrTerminal bool
	// Lookup returns a variable, as os.LookupEnv does.
	Lookup func(string) (string, bool)
	// Environ returns all variables, as os.Environ does.
	Environ func() []string
	// Version is the program's version.
	Version string
	// Now is the clock.
	Now func() time.Time
}

// System returns the world of this process.
func System() Env {
	return Env{
		Args:           os.Args[1:],
		Stdin:          os.Stdin,
		Stdout:         os.Stdout,
		Stderr:         os.Stderr,
		StdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		StderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Lookup:         os.LookupEnv,
		Environ:        os.Environ,
		Version:        buildinfo.Version(),
		Now:            time.Now,
	}
}

// Program is one run of a command line.
type Program struct {
	env  Env
	root *cobra.Command

	// What the global flags say.
	url       string
	token     string
	tokenFile string
	output    string
	yes       bool

	// started says that a command was found, and its flags and arguments read:
	// what fails before that is a mistake in what was typed.
	started bool
}

// New returns the command line of the program rewardflow.
func New(env Env) *Program {
	p := &Program{env: env}
	p.root = p.group(&cobra.Command{
		Use:   "rewardflow",
		Short: "Fulfils FirstPromoter rewards: checked, approved, paid exactly once",
		Long: `rewardflow fulfils FirstPromoter rewards. Each reward is checked, approved, paid
exactly once by a provider, and closed at FirstPromoter.

Why is a reward not paid yet?   rewardflow why ID
What waits for my decision?     rewardflow approvals list
Is everything set up right?     rewardflow doctor`,
		Version:       env.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	p.root.PersistentPreRunE = p.begin
	p.root.CompletionOptions.HiddenDefaultCmd = true
	p.root.SetArgs(env.Args)
	p.root.SetIn(env.Stdin)
	p.root.SetOut(env.Stdout)
	p.root.SetErr(env.Stderr)
	p.globalFlags()
	p.root.AddCommand(
		p.apiCommand(), p.workerCommand(), p.migrateCommand(), p.ledgerCommand(), p.setupCommand(), p.codecServerCommand(),
		p.approvalsCommand(), p.rewardsCommand(), p.showCommand(), p.whyCommand(), p.resolveCommand(), p.brakeCommand(), p.policyCommand(),
		p.eventsCommand(), p.exportCommand(), p.promotersCommand(),
		p.doctorCommand(), p.healthcheckCommand(), p.tokenCommand(), p.keysCommand(), p.versionCommand(), exitCodesTopic(),
	)
	return p
}

// Execute runs the command that the arguments name, and returns the exit code.
// A failure has been written to standard error then.
func (p *Program) Execute(ctx context.Context) int {
	command, err := p.root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	f := p.failureOf(ctx, command, err)
	fmt.Fprintf(p.env.Stderr, "%s: %s\n", p.root.Name(), f.message)
	if f.next != "" {
		fmt.Fprintf(p.env.Stderr, "next: %s\n", f.next)
	}
	return f.code
}

func (p *Program) globalFlags() {
	flags := p.root.PersistentFlags()
	flags.StringVar(&p.url, "url", "", "address of the operator API (default $"+urlVariable+", else "+defaultURL+")")
	flags.StringVar(&p.token, "token", "", "operator token; other users of this machine can see it here, so prefer $"+tokenVariable)
	flags.StringVar(&p.tokenFile, "token-file", "", "file that holds the operator token")
	flags.StringVarP(&p.output, "output", "o", outputText, "text, or json: the API's document")
	flags.BoolVar(&p.yes, "yes", false, "do not ask before approving, rejecting, and the like")
}

// begin runs before every command.
func (p *Program) begin(*cobra.Command, []string) error {
	if p.output != outputText && p.output != outputJSON {
		return usage("-o %s is not known: there are %s and %s", plain(p.output), outputText, outputJSON)
	}
	p.started = true
	return nil
}

// group makes a command that only holds others: without one of them it shows
// its help.
func (p *Program) group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var names []string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		if near := suggest.Nearest(args[0], names); near != "" {
			return usage("%s has no command %q: did you mean %s?", c.CommandPath(), plain(args[0]), near)
		}
		return usage("%s has no command %q: there are %s", c.CommandPath(), plain(args[0]), strings.Join(names, ", "))
	}
	return c
}

// variable returns an environment variable, or the alternative when it is
// empty or not set.
func (p *Program) variable(name, otherwise string) string {
	if value, ok := p.env.Lookup(name); ok && value != "" {
		return value
	}
	return otherwise
}
