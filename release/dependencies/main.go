// Command dependencies writes docs/dependencies.md: what the programs of a
// release hold, with versions and licences. It fails, with every reason at once,
// when a licence is missing, unknown, or not one that is allowed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/release"
)

func main() {
	root := flag.String("root", "..", "the root of the repository")
	out := flag.String("out", "docs/dependencies.md", "the list to write, below the root")
	texts := flag.String("texts", "", "the file to write the licences' texts to instead, below the root")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *out, *texts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out, texts string) error {
	programs, rows, err := gather(ctx, root, newJudgements(judged()))
	if err != nil {
		return err
	}
	content := page(programs, rows)
	if texts != "" {
		out, content = texts, notices(rows)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, out)), 0o755); err != nil {
			return fmt.Errorf("making room for the licences' texts: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(root, out), []byte(content), 0o644) //nolint:gosec // It is for everybody to read.
}

// gather returns the programs of the repository at root, and what they hold.
func gather(ctx context.Context, root string, known *judgements) ([]release.Program, []row, error) {
	programs, err := release.Programs(root)
	if err != nil {
		return nil, nil, err
	}
	own, modules, err := linked(ctx, root, programs)
	if err != nil {
		return nil, nil, err
	}
	everywhere := map[string][]string{}
	for _, program := range programs {
		everywhere[program.Name] = program.Platforms()
	}
	library, err := standardLibrary(ctx, root)
	if err != nil {
		return nil, nil, err
	}
	rows := []row{library}
	copies, err := copied(own, known)
	if err != nil {
		return nil, nil, err
	}
	rows = append(rows, copies...)
	for i := range rows {
		rows[i].platforms = everywhere
	}
	var errs []error
	for _, m := range modules {
		l, err := known.judge(m)
		errs = append(errs, err)
		rows = append(rows, row{name: m.path, version: m.version, licence: l, platforms: m.platforms})
	}
	if err := errors.Join(append(errs, known.stale())...); err != nil {
		return nil, nil, err
	}
	return programs, rows, nil
}

// standardLibrary is Go's own row: every program holds a part of it. The version
// is go.mod's, which the release uses.
func standardLibrary(ctx context.Context, root string) (row, error) {
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return row{}, fmt.Errorf("reading Go's version: %w", err)
	}
	said := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(content)
	if said == nil {
		return row{}, errors.New("go.mod does not say which Go it is for")
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return row{}, fmt.Errorf("looking for Go's licence: %w", err)
	}
	goroot := strings.TrimSpace(string(out))
	m := module{path: "Go's standard library", version: "go" + string(said[1]), dir: goroot, dirs: []string{goroot}}
	l, err := newJudgements(nil).judge(m)
	return row{name: m.path, version: m.version, licence: l}, err
}

// version is how the scripts that pages use name their version.
var version = regexp.MustCompile(`\bversion:"([0-9][^"]*)"`)

// copied are scripts of others that the programs embed: NAME.min.js, each with
// its licence beside it, LICENSE-NAME, and with its version in it.
func copied(own module, known *judgements) ([]row, error) {
	var rows []row
	for _, script := range own.embedded {
		name, ok := strings.CutSuffix(filepath.Base(script), ".min.js")
		if !ok {
			continue
		}
		content, err := os.ReadFile(script)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		said := version.FindSubmatch(content)
		if said == nil {
			return nil, fmt.Errorf("%s does not say its version", script)
		}
		text := filepath.Join(filepath.Dir(script), "LICENSE-"+name)
		if !slices.Contains(own.embedded, text) {
			return nil, fmt.Errorf("%s is embedded without its licence: put %s beside it", script, filepath.Base(text))
		}
		l, err := known.read(own, text)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{name: name, version: string(said[1]), licence: l})
	}
	return rows, nil
}
