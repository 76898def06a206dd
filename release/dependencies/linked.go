package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rewardflow/rewardflow/release"
)

// module is one Go module of which a program holds at least one package.
type module struct {
	path, version string
	// dir is the module's root on this machine.
	dir string
	// dirs are the directories of its linked packages, and all between them and
	// the root; files are the Go files of these packages, and embedded what they
	// hold besides. All are sorted.
	dirs, files, embedded []string
	// platforms are those of each program, by its name, that hold the module;
	// sorted.
	platforms map[string][]string
}

// listed is what the go command says of a package.
type listed struct {
	Dir                 string
	GoFiles, EmbedFiles []string
	Module              *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version, Dir string }
	}
}

// linked asks the go command which modules the programs hold, on any of their
// platforms: rewardflow itself, and the others sorted by path.
func linked(ctx context.Context, root string, programs []release.Program) (own module, others []module, err error) {
	found := map[string]*module{}
	for _, program := range programs {
		for _, platform := range program.Platforms() {
			packages, err := list(ctx, root, program, platform)
			if err != nil {
				return module{}, nil, err
			}
			for _, p := range packages {
				if p.Module == nil {
					continue // The standard library.
				}
				if err := add(found, p, program.Name, platform); err != nil {
					return module{}, nil, err
				}
				if p.Module.Main {
					own = module{path: p.Module.Path}
				}
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		m := found[path]
		for _, all := range []*[]string{&m.dirs, &m.files, &m.embedded} {
			slices.Sort(*all)
			*all = slices.Compact(*all)
		}
		if path == own.path {
			own = *m
		} else {
			others = append(others, *m)
		}
	}
	if own.path == "" {
		return module{}, nil, fmt.Errorf("the programs hold no package of the module in %s", root)
	}
	return own, others, nil
}

func list(ctx context.Context, root string, program release.Program, platform string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Module", "-tags", strings.Join(program.Tags, ","), program.Package)
	cmd.Dir, cmd.Env = root, program.Environment(platform)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return nil, fmt.Errorf("listing the packages of %s for %s: %w", program.Package, platform, err)
	}
	var packages []listed
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("reading what go list says of %s: %w", program.Package, err)
		}
		packages = append(packages, p)
	}
}

// add notes that a package is in a program on a platform.
func add(found map[string]*module, p listed, program, platform string) error {
	m := module{path: p.Module.Path, version: p.Module.Version, dir: p.Module.Dir, platforms: map[string][]string{}}
	if r := p.Module.Replace; r != nil {
		if r.Version == "" {
			return fmt.Errorf("module %s is replaced by the directory %s: a release cannot say what that is; require a version", m.path, r.Path)
		}
		m.path, m.version, m.dir = r.Path, r.Version, r.Dir
	}
	if m.dir == "" {
		return fmt.Errorf("module %s %s is not on this machine: run go mod download", m.path, m.version)
	}
	if found[m.path] == nil {
		found[m.path] = &m
	}
	known := found[m.path]
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		known.dirs = append(known.dirs, dir)
		if dir == known.dir || dir == filepath.Dir(dir) {
			break
		}
	}
	for _, file := range p.GoFiles {
		known.files = append(known.files, filepath.Join(p.Dir, file))
	}
	for _, file := range p.EmbedFiles {
		known.embedded = append(known.embedded, filepath.Join(p.Dir, file))
	}
	if !slices.Contains(known.platforms[program], platform) {
		known.platforms[program] = append(known.platforms[program], platform)
	}
	return nil
}
