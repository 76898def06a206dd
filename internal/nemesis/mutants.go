package nemesis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:embed catalogue/*.txtar
var catalogue embed.FS

// Mutant is a program in which one promise is broken on purpose.
type Mutant struct {
	Name string
	// Promise says what is broken, as it is while the program is whole.
	Promise string
	// Drill is the schedule that must catch it, and CaughtBy the invariant.
	Drill, CaughtBy string
	// Memory is how long the provider of its world remembers a key, and World
	// makes rewardflow know of that. The zero values change nothing.
	Memory time.Duration
	World  []Edit
	// Edits break the promise.
	Edits []Edit
}

// Mutants reads the catalogue, sorted by name.
func Mutants() ([]Mutant, error) {
	files, err := catalogue.ReadDir("catalogue")
	if err != nil {
		return nil, err
	}
	var all []Mutant
	for _, file := range files {
		text, err := catalogue.ReadFile(path.Join("catalogue", file.Name()))
		if err != nil {
			return nil, err
		}
		m, err := parseMutant(strings.TrimSuffix(file.Name(), ".txtar"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		all = append(all, m)
	}
	return all, nil
}

// parseMutant reads a header of "key: value" lines, then pairs of sections "old
// FILE" and "new", where "world old FILE" and "world new" are no part of what is
// broken.
func parseMutant(name string, text []byte) (Mutant, error) {
	m := Mutant{Name: name}
	archive := txtar.Parse(text)
	imports := map[string][]string{}
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "promise":
			m.Promise = value
		case "drill":
			m.Drill = value
		case "caught by":
			m.CaughtBy = value
		case "memory":
			var err error
			if m.Memory, err = time.ParseDuration(value); err != nil {
				return m, err
			}
		case "import":
			file, imported, _ := strings.Cut(value, " ")
			imports[file] = append(imports[file], imported)
		default:
			return m, fmt.Errorf("%q is not a key: promise, drill, caught by, memory, import", key)
		}
	}
	if err := m.readEdits(archive.Files, imports); err != nil {
		return m, err
	}
	switch {
	case m.Promise == "" || len(m.Edits) == 0:
		return m, errors.New("it needs a promise and an edit")
	case !slices.Contains(Drills(), m.Drill):
		return m, fmt.Errorf("%q is no drill", m.Drill)
	case !slices.ContainsFunc(invariants(), func(in invariant) bool { return in.name == m.CaughtBy }):
		return m, fmt.Errorf("%q is no invariant", m.CaughtBy)
	}
	return m, nil
}

func (m *Mutant) readEdits(sections []txtar.File, imports map[string][]string) error {
	for i := 0; i+1 < len(sections); i += 2 {
		name, world := strings.CutPrefix(sections[i].Name, "world ")
		file, ok := strings.CutPrefix(name, "old ")
		if after, _ := strings.CutPrefix(sections[i+1].Name, "world "); !ok || after != "new" {
			return fmt.Errorf("section %d is %q, and the next %q: there must be pairs of old and new", i+1, sections[i].Name, sections[i+1].Name)
		}
		e := Edit{File: file, Old: string(sections[i].Data), New: string(sections[i+1].Data)}
		if world {
			m.World = append(m.World, e)
			continue
		}
		e.Imports = imports[file]
		delete(imports, file)
		m.Edits = append(m.Edits, e)
	}
	if len(sections)%2 != 0 || len(imports) != 0 {
		return errors.New("there must be pairs of old and new, and imports only for what they change")
	}
	return nil
}

// Caught is what became of one mutant.
type Caught struct {
	Mutant   string  `json:"mutant"`
	Promise  string  `json:"promise"`
	Drill    string  `json:"drill"`
	Seed     uint64  `json:"seed"`
	By       string  `json:"by,omitempty"`
	Why      string  `json:"why,omitempty"`
	Trouble  string  `json:"trouble,omitempty"`
	Elapsed  float64 `json:"elapsed_seconds"`
	Survived bool    `json:"survived,omitempty"`
}

// mutantSeeds are tried one after the other until one catches.
var mutantSeeds = []uint64{7, 8, 9}

// RunMutants tries every mutant whose name contains the word, each with a few
// seeds until one catches it, and first the same drill in the same world on the
// program as it is, which must break nothing. It reports whether all were caught.
func RunMutants(ctx context.Context, o Options, word string, out io.Writer) (all []Caught, ok bool, err error) {
	mutants, err := Mutants()
	if err != nil {
		return nil, false, err
	}
	if o.Program == "" {
		dir, err := os.MkdirTemp("", "rewardflow-nemesis-")
		if err != nil {
			return nil, false, err
		}
		defer os.RemoveAll(dir)
		o.Program = filepath.Join(dir, "rewardflow")
		if err := build(ctx, o.Module, o.Program, nil); err != nil {
			return nil, false, err
		}
	}
	ok = true
	controlled := map[string]bool{}
	fmt.Fprintf(out, "%-29s %-20s %-18s %5s %8s\n", "MUTANT", "DRILL", "CAUGHT BY", "SEED", "SECONDS")
	for _, m := range mutants {
		if !strings.Contains(m.Name, word) {
			continue
		}
		c := Caught{Mutant: m.Name, Promise: m.Promise, Drill: m.Drill}
		began := time.Now()
		if world := fmt.Sprint(m.Drill, m.Memory); !controlled[world] {
			controlled[world] = true
			c.Trouble, err = o.control(ctx, m)
		}
		if err == nil && c.Trouble == "" {
			err = o.try(ctx, m, &c)
		}
		if err != nil {
			return all, false, fmt.Errorf("%s: %w", m.Name, err)
		}
		c.Elapsed = time.Since(began).Seconds()
		all = append(all, c)
		by := c.By
		if by == "" {
			ok, by = false, "NOT CAUGHT"
		}
		fmt.Fprintf(out, "%-29s %-20s %-18s %5d %8.0f\n", m.Name, m.Drill, by, c.Seed, c.Elapsed)
		if c.Trouble != "" {
			fmt.Fprintf(out, "    %s\n", strings.ReplaceAll(strings.TrimSpace(c.Trouble), "\n", "\n    "))
		}
	}
	return all, ok, nil
}

// control plays a mutant's drill in its world on the program as it is.
func (o Options) control(ctx context.Context, m Mutant) (trouble string, err error) {
	o.Drill, o.Seed, o.ProviderMemory, o.Edits = m.Drill, mutantSeeds[0], m.Memory, m.World
	v, err := Run(ctx, o)
	if err != nil || v.OK() {
		return "", err
	}
	var words strings.Builder
	v.Write(&words)
	return "the program without the mutant breaks it:\n" + words.String(), nil
}

func (o Options) try(ctx context.Context, m Mutant, c *Caught) error {
	o.Drill, o.ProviderMemory, o.Edits = m.Drill, m.Memory, append(slices.Clone(m.World), m.Edits...)
	for _, seed := range mutantSeeds {
		o.Seed, c.Seed = seed, seed
		v, err := Run(ctx, o)
		if err != nil {
			return err
		}
		for _, b := range v.Broken {
			if b.Invariant == m.CaughtBy {
				c.By, c.Why = b.Invariant, b.Why
			}
		}
		if c.By != "" {
			c.Trouble = ""
			return removed(v)
		}
		c.Trouble = "no invariant was broken"
		if !v.OK() {
			c.Trouble = fmt.Sprintf("it broke %s and not %s", v.Broken[0].Invariant, m.CaughtBy)
		}
		if err := removed(v); err != nil {
			return err
		}
	}
	c.Survived = true
	return nil
}
