package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// confirm asks before something is done that cannot be taken back. Where
// nobody can answer, --yes must have been given. The text comes from this
// package, and is safe to show.
func (p *Program) confirm(ctx context.Context, question string) error {
	return p.ask(ctx, question+" [y/N]", "answer y", "y", "yes")
}

// confirmCount asks for the number of what is about to be done: many are not
// done by a key that was pressed out of habit.
func (p *Program) confirmCount(ctx context.Context, what string, n int) error {
	count := strconv.Itoa(n)
	return p.ask(ctx, fmt.Sprintf("Type %s to %s:", count, what), "type "+count, count)
}

// ask goes on after one of the right answers only; how says how to give one.
func (p *Program) ask(ctx context.Context, question, how string, right ...string) error {
	if p.yes {
		return nil
	}
	if !p.env.StdinTerminal {
		return usage("this asks first, and standard input is not a terminal: add --yes to do it without a question")
	}
	fmt.Fprintf(p.env.Stderr, "%s ", question)
	answer, err := p.answer(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(right, strings.ToLower(strings.TrimSpace(answer))) {
		return nil
	}
	return &failure{code: exitUsage, message: "nothing was done", next: how + ", or add --yes, to do it"}
}

// answer reads one line, and gives up when the context ends: an interrupt must
// not wait for the return key. Its reader is left behind then, and ends with
// the process.
func (p *Program) answer(ctx context.Context) (string, error) {
	lines := make(chan string, 1)
	go func() {
		// A line that broke off is no yes.
		line, err := bufio.NewReader(p.env.Stdin).ReadString('\n')
		if err != nil {
			line = ""
		}
		lines <- line
	}()
	select {
	case line := <-lines:
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
