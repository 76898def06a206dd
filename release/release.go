// Package release reads what a release of rewardflow consists of: the programs
// that .goreleaser.yaml builds, with their flags and platforms. It is a module of
// its own, so that nothing which only a release needs is a dependency of the
// programs.
package release

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is GoReleaser's configuration, below the root of the repository.
const File = ".goreleaser.yaml"

// Program is one program of a release, as .goreleaser.yaml has it
// (https://goreleaser.com/customization/build/).
type Program struct {
	// Name is what the file is called, without an extension.
	Name string `yaml:"binary"`
	// Package is the program's package, as ./cmd/rewardflow.
	Package string `yaml:"main"`
	// Env is added to the environment of the go command.
	Env []string `yaml:"env"`
	// Flags and Tags are given to go build, Tags joined by commas.
	Flags []string `yaml:"flags"`
	Tags  []string `yaml:"tags"`
	// Ldflags are given to the linker, joined by spaces; they hold GoReleaser's
	// templates.
	Ldflags []string `yaml:"ldflags"`
	// GOOS and GOARCH are the platforms: each of one with each of the other.
	GOOS   []string `yaml:"goos"`
	GOARCH []string `yaml:"goarch"`
}

// Programs reads the programs of a release from .goreleaser.yaml below root. A
// program without a name, a package or a platform is an error.
func Programs(root string) ([]Program, error) {
	content, err := os.ReadFile(filepath.Join(root, File))
	if err != nil {
		return nil, fmt.Errorf("reading what a release builds: %w", err)
	}
	var config struct {
		Builds []Program `yaml:"builds"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&config); err != nil {
		return nil, fmt.Errorf("reading %s: %w", File, err)
	}
	if len(config.Builds) == 0 {
		return nil, fmt.Errorf("%s builds nothing", File)
	}
	for i, p := range config.Builds {
		if p.Name == "" || p.Package == "" || len(p.GOOS) == 0 || len(p.GOARCH) == 0 {
			return nil, fmt.Errorf("%s: build %d needs binary, main, goos and goarch", File, i+1)
		}
	}
	return config.Builds, nil
}

// Platforms returns GOOS/GOARCH of everything that is built of the program,
// sorted.
func (p Program) Platforms() []string {
	var platforms []string
	for _, goos := range p.GOOS {
		for _, goarch := range p.GOARCH {
			platforms = append(platforms, goos+"/"+goarch)
		}
	}
	slices.Sort(platforms)
	return platforms
}

// Environment returns this process's environment with what the program's build
// adds for a platform, GOOS/GOARCH.
func (p Program) Environment(platform string) []string {
	goos, goarch, _ := strings.Cut(platform, "/")
	return slices.Concat(os.Environ(), p.Env, []string{"GOOS=" + goos, "GOARCH=" + goarch})
}

// BuildArgs returns the arguments of the go command that builds the program, up
// to its output and its package, with version (v1.2.3) and commit in place of
// GoReleaser's templates. A template that is none of the two stays as it is.
func (p Program) BuildArgs(version, commit string) []string {
	known := strings.NewReplacer("{{ .Version }}", strings.TrimPrefix(version, "v"), "{{ .FullCommit }}", commit)
	return slices.Concat([]string{"build"}, p.Flags,
		[]string{"-tags", strings.Join(p.Tags, ","), "-ldflags", known.Replace(strings.Join(p.Ldflags, " "))})
}
