package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// list shows the mutants and what must catch them.
func list(w io.Writer, mutants []mutant) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MUTANT\tPROMISE\tMUST BE CAUGHT BY")
	for _, m := range mutants {
		for i, t := range m.tests {
			name, promise := m.name, m.promise
			if i > 0 {
				name, promise = "", ""
			}
			fmt.Fprintf(table, "%s\t%s\t%s %s\n", name, promise, t.pkg, t.name)
		}
	}
	_ = table.Flush()
}

// report prints each result as soon as it and those before it are there, then
// what there is to know about the mutants that were not caught. It reports
// whether all were.
func report(w io.Writer, mutants []mutant, results []chan result) bool {
	began := time.Now()
	names, promises, tests := len("MUTANT"), len("PROMISE"), len("CAUGHT BY")
	for _, m := range mutants {
		names, promises, tests = max(names, len(m.name)), max(promises, len(m.promise)), max(tests, len(caughtBy(m)))
	}
	row := func(name, promise, test, seconds string) {
		fmt.Fprintf(w, "%-*s  %-*s  %-*s  %s\n", names, name, promises, promise, tests, test, seconds)
	}
	row("MUTANT", "PROMISE", "CAUGHT BY", "SECONDS")
	var missed []string
	for i, m := range mutants {
		r := <-results[i]
		said := caughtBy(m)
		if r.trouble != "" {
			said = "not caught: " + r.trouble
			missed = append(missed, fmt.Sprintf("%s, %s:\n%s", m.name, r.trouble, indent(r.output)))
		}
		row(m.name, m.promise, said, fmt.Sprintf("%.1f", r.took.Seconds()))
	}
	for _, m := range missed {
		fmt.Fprintf(w, "\n%s\n", m)
	}
	fmt.Fprintf(w, "\n%d of %d mutants caught in %.0f seconds\n", len(mutants)-len(missed), len(mutants), time.Since(began).Seconds())
	return len(missed) == 0
}

// caughtBy names the tests that catch a mutant.
func caughtBy(m mutant) string {
	var names []string
	for _, t := range m.tests {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
