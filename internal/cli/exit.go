package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes. They are an interface: scripts branch on them.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitAuth     = 4
	exitNotFound = 5
	exitConflict = 6
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `The exit codes of every command:

  0  it was done
  1  it failed: the API cannot be reached, a check of doctor failed, ...
  2  what was typed is wrong, or the question was answered with no;
     nothing was done
  4  the token is missing, wrong, or lacks the role
  5  there is no such reward, or no such event
  6  the reward does not allow it: it is decided already, has changed since it
     was shown, or has ended; of several, that is so for some, and the others
     were decided

3 is not used.`,
	}
}

// failure is an error with an exit code.
type failure struct {
	code int
	// message says in one line what happened.
	message string
	// next says what to do or to type; empty when nothing can be said.
	next string
	// doubt says that what was asked for may have been done all the same.
	doubt bool
}

// Error returns the message.
func (f *failure) Error() string { return f.message }

// usage says what is wrong with what was typed.
func usage(format string, args ...any) *failure {
	return &failure{code: exitUsage, message: fmt.Sprintf(format, args...)}
}

// failureOf gives every error its exit code.
func (p *Program) failureOf(ctx context.Context, c *cobra.Command, err error) *failure {
	f, ok := errors.AsType[*failure](err)
	switch {
	case ok:
	case !p.started:
		f = usage("%s", err.Error())
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		f = &failure{code: exitFailure, message: "interrupted"}
	default:
		f = &failure{code: exitFailure, message: err.Error()}
	}
	if f.code == exitUsage && f.next == "" {
		return &failure{code: f.code, message: f.message, next: c.CommandPath() + " --help"}
	}
	return f
}
