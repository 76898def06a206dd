package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// emit writes a document to standard output: as it is, or as text.
func (p *Program) emit(document []byte, text func(out io.Writer) error) error {
	if p.output == outputText {
		return text(p.env.Stdout)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", "  "); err != nil {
		return fmt.Errorf("writing the document: %w", err)
	}
	indented.WriteByte('\n')
	_, err := indented.WriteTo(p.env.Stdout)
	return err
}

// note tells the person something that is no part of the output.
func (p *Program) note(format string, args ...any) {
	fmt.Fprintf(p.env.Stderr, format+"\n", args...)
}

// table writes aligned columns.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer) table {
	return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
}

// row writes one line. Its cells are made safe to show.
func (t table) row(cells ...string) {
	for i, cell := range cells {
		if cells[i] = plain(cell); cells[i] == "" {
			cells[i] = "-"
		}
	}
	// What goes wrong is told by end.
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// field writes a label and its value, and nothing when there is no value.
func (t table) field(label, value string) {
	if value != "" {
		t.row(label, value)
	}
}

func (t table) end() error { return t.w.Flush() }

// plain makes a text safe to show: some of it was written by strangers, and a
// terminal obeys control characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// stamp writes a time; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ago writes a time with its distance from now; empty for none.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return ""
	case d < 0:
		return fmt.Sprintf("%s (in %s)", stamp(t), span(-d))
	default:
		return fmt.Sprintf("%s (%s ago)", stamp(t), span(d))
	}
}

// span writes a length of time in its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// oneArgument is the rule for commands that take exactly one argument; what
// names it.
func oneArgument(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usage("%s is missing: %s", what, c.UseLine())
		case len(args) > 1:
			return usage("%q is one argument too many: %s", plain(args[1]), c.UseLine())
		}
		return nil
	}
}

// someArguments is the rule for commands that take one argument or more; what
// names them.
func someArguments(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s is missing: %s", what, c.UseLine())
		}
		return nil
	}
}

// noArguments is the rule for commands that take none.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%q is one argument too many: %s", plain(args[0]), c.UseLine())
	}
	return nil
}
