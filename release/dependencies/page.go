package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/release"
)

// row is one line of the list.
type row struct {
	name, version string
	licence       licence
	// platforms are as in module.
	platforms map[string][]string
}

// page writes the list as Markdown.
func page(programs []release.Program, rows []row) string {
	var b strings.Builder
	fmt.Fprint(&b, `# Dependencies

What the programs of a release hold, each with the version and the licence. Made by `+"`make dependencies`"+` from what Go links on the platforms of a release and from the licence files of these very versions; CI fails when it is out of date, and when something comes in that has no licence, or one that nobody allowed.

The licence is an SPDX expression. *AND* says that the files hold several: each is for a part, and all of them have to be kept. Where one may choose, that is not said here. *A platform instead of yes* says that the module is in the program on that platform only.

Two things that the table does not say. The pages of Temporal's web UI are inside of `+"`github.com/temporalio/ui-server/v2`"+`, made of npm packages which that project names. MPL-2.0 asks whoever passes a program on to say where the module's sources are: in the module of the version that stands here, at every Go module proxy.

[security.md](security.md#supply-chain) says how to see the same in a program that you have, with the sums, and as an SBOM. rewardflow itself is under [Apache-2.0](../LICENSE).

`)
	names := make([]string, len(programs))
	for i, program := range programs {
		names[i] = program.Name
	}
	for _, program := range programs {
		held := 0
		for _, r := range rows {
			if len(r.platforms[program.Name]) > 0 {
				held++
			}
		}
		fmt.Fprintf(&b, "- `%s` holds %d of them.\n", program.Name, held)
	}
	fmt.Fprintf(&b, "\n| what | version | licence | %s |\n| --- | --- | --- |%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |", r.name, r.version, strings.Join(r.licence.ids, " AND "))
		for _, program := range programs {
			fmt.Fprintf(&b, " %s |", where(r.platforms[program.Name], program.Platforms()))
		}
		fmt.Fprintln(&b)
	}
	notes(&b, rows)
	return b.String()
}

// where says in a word on which of a program's platforms something is in it.
func where(held, all []string) string {
	switch {
	case len(held) == 0:
		return ""
	case len(held) == len(all):
		return "yes"
	}
	systems := map[string]int{}
	for _, platform := range all {
		goos, _, _ := strings.Cut(platform, "/")
		systems[goos]++
	}
	words := slices.Clone(held)
	for _, platform := range held {
		goos, _, _ := strings.Cut(platform, "/")
		systems[goos]--
	}
	for _, goos := range slices.Sorted(maps.Keys(systems)) {
		if systems[goos] > 0 {
			continue
		}
		words = slices.DeleteFunc(words, func(word string) bool { return strings.HasPrefix(word, goos+"/") })
		words = append(words, goos)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func notes(b *strings.Builder, rows []row) {
	fmt.Fprint(b, "\n## Where a person read the licence\n\n")
	for _, r := range rows {
		for _, note := range r.licence.notes {
			fmt.Fprintf(b, "- %s: %s\n", r.name, note)
		}
	}
}

// notices writes the licences themselves, which whoever passes a program on has
// to pass on with it.
func notices(rows []row) string {
	var b strings.Builder
	fmt.Fprint(&b, "The licences of what rewardflow's programs hold: docs/dependencies.md is the list.\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "\n%s\n%s %s: %s\n", strings.Repeat("=", 80), r.name, r.version, strings.Join(r.licence.ids, " AND "))
		for _, note := range r.licence.notes {
			fmt.Fprintln(&b, note)
		}
		for _, t := range r.licence.texts {
			fmt.Fprintf(&b, "\n--- %s\n\n%s\n", t.file, strings.TrimSpace(t.content))
		}
	}
	return b.String()
}
