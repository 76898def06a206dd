package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rewardflow/rewardflow/internal/sources"
)

// catalogue is where the mutants are, below the module's root.
const catalogue = "internal/mutants/catalogue"

// mutant is one broken promise: a change of one file, and the tests that must
// fail because of it.
type mutant struct {
	// name is the file's name without its extension.
	name string
	// promise says what the mutant breaks, as it is while the program is whole.
	promise string
	// file is the path of the Go file that is changed, below the module's root.
	file string
	// edits are made one after the other.
	edits []sources.Edit
	// imports are paths that the changed file needs in addition.
	imports []string
	tests   []test
}

// test names one test exactly, subtests as go test prints them.
type test struct{ pkg, name string }

// load reads the mutants whose name matches, sorted by name.
func load(root string, names *regexp.Regexp) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(catalogue), "*.txtar"))
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	var broken []error
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if !names.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m, err := parse(name, text)
		if err == nil {
			// A text that has moved on is told before anything slow is begun.
			_, err = m.mutate(root)
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", name, err))
		}
		mutants = append(mutants, m)
	}
	if len(mutants) == 0 {
		return nil, fmt.Errorf("no mutant of %s matches", catalogue)
	}
	return mutants, errors.Join(broken...)
}

// parse reads a mutant: a header of "key: value" lines, then pairs of sections
// "old" and "new". Lines of the header that begin with # are comments.
func parse(name string, text []byte) (mutant, error) {
	m := mutant{name: name}
	archive := txtar.Parse(text)
	for line := range strings.Lines(string(archive.Comment)) {
		if err := m.read(strings.TrimSpace(line)); err != nil {
			return m, err
		}
	}
	for i, section := range archive.Files {
		want := []string{"old", "new"}[i%2]
		if section.Name != want {
			return m, fmt.Errorf("section %d is %q, and %q was to come", i+1, section.Name, want)
		}
		if want == "old" {
			m.edits = append(m.edits, sources.Edit{Old: string(section.Data)})
			continue
		}
		m.edits[len(m.edits)-1].New = string(section.Data)
	}
	switch {
	case m.promise == "" || m.file == "" || len(m.tests) == 0:
		return m, errors.New("it needs the keys promise, file and test")
	case len(m.edits) == 0 || len(archive.Files)%2 != 0:
		return m, errors.New("it needs sections old and new, in pairs")
	}
	return m, nil
}

// read takes one line of the header.
func (m *mutant) read(line string) error {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "promise":
		m.promise = value
	case "file":
		m.file = value
	case "import":
		m.imports = append(m.imports, value)
	case "test":
		pkg, name, ok := strings.Cut(value, " ")
		if !ok || strings.Contains(name, " ") || !strings.HasPrefix(pkg, "./") {
			return fmt.Errorf("%q is not a package and the name of one test", value)
		}
		m.tests = append(m.tests, test{pkg, name})
	default:
		return fmt.Errorf("%q is not a key: promise, file, import, test", key)
	}
	return nil
}

// mutate returns the changed file.
func (m mutant) mutate(root string) ([]byte, error) {
	whole, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, err
	}
	changed, err := sources.Apply(m.file, string(whole), m.edits, m.imports)
	return []byte(changed), err
}

// packages returns the packages of the tests, sorted.
func packages(tests []test) []string {
	var pkgs []string
	for _, t := range tests {
		pkgs = append(pkgs, t.pkg)
	}
	slices.Sort(pkgs)
	return slices.Compact(pkgs)
}

// namesIn returns the names of the tests in a package, sorted.
func namesIn(pkg string, tests []test) []string {
	var names []string
	for _, t := range tests {
		if t.pkg == pkg {
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
