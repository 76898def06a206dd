package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// checkBudget bounds one check.
const checkBudget = 15 * time.Second

// The results of a check.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// finding is what one check found.
type finding struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Detail string `json:"detail"`
	// Next says what to do; only where the check failed.
	Next string `json:"next,omitempty"`
}

// findings is the document of doctor.
type findings struct {
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`
}

// check looks at one thing. Its run returns what it saw; an error may be a
// *failure, which says what to do.
type check struct {
	name string
	run  func(ctx context.Context) (string, error)
}

// skipped is the error of a check that had nothing to look at.
type skipped string

func (s skipped) Error() string { return string(s) }

func (p *Program) doctorCommand() *cobra.Command {
	var source configSource
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check the configuration and everything that it names",
		Long: `Check the configuration and everything that it names: the data directory,
FirstPromoter, the clock, the providers, Temporal, a worker, the API, and the
webhook's address where public_url is set.

Run it where the processes run, with their environment. It pays nothing: the
providers are asked by calls that have no effect. Where the ledger exists, it is
opened, and its schema is brought up to date.`,
		Args: noArguments,
	}
	source.flags(c, p)
	c.RunE = func(c *cobra.Command, _ []string) error { return p.examine(c.Context(), source) }
	return c
}

// examine runs every check, and fails when one of them does.
func (p *Program) examine(ctx context.Context, source configSource) error {
	all := findings{OK: true}
	for _, check := range p.checks(source) {
		f := check.examine(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all.OK = all.OK && f.Result != checkFailed
		all.Checks = append(all.Checks, f)
	}
	return p.report(all, failure{message: "not everything is in order", next: "do what stands under the checks that failed"})
}

// report writes the findings, and fails in the given words when one of them does.
func (p *Program) report(all findings, failed failure) error {
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("writing the findings: %w", err)
	}
	if err := p.emit(raw, all.write); err != nil {
		return err
	}
	if !all.OK {
		failed.code = exitFailure
		return &failed
	}
	return nil
}

func (c check) examine(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, checkBudget)
	defer cancel()
	detail, err := c.run(ctx)
	f := finding{Name: c.name, Result: checkOK, Detail: detail}
	if err == nil {
		return f
	}
	f.Result, f.Detail = checkFailed, err.Error()
	if reason, ok := errors.AsType[skipped](err); ok {
		f.Result, f.Detail = checkSkipped, string(reason)
	} else if known, ok := errors.AsType[*failure](err); ok {
		f.Next = known.next
	}
	return f
}

func (all findings) write(out io.Writer) error {
	t := newTable(out)
	for _, f := range all.Checks {
		detail := f.Detail
		if f.Next != "" {
			detail += "\nnext: " + f.Next
		}
		first, more, _ := strings.Cut(detail, "\n")
		t.row(f.Result, f.Name, first)
		for line := range strings.Lines(more) {
			t.row(" ", " ", strings.TrimSpace(line))
		}
	}
	return t.end()
}
