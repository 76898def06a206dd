package release_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/release"
)

const root = ".."

// TestBinaryIsItsOwnBillOfMaterials builds the lean program as a release does,
// and reads in it what go version -m shows.
func TestBinaryIsItsOwnBillOfMaterials(t *testing.T) {
	t.Parallel()

	program, platform := lean(t)
	file := build(t, root, program, platform)
	info, err := buildinfo.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "go"+goVersion(t), info.GoVersion)
	require.Equal(t, "github.com/rewardflow/rewardflow/cmd/rewardflow", info.Path)
	require.Equal(t, "github.com/rewardflow/rewardflow", info.Main.Path)
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	require.Equal(t, "true", settings["-trimpath"])
	require.Equal(t, "0", settings["CGO_ENABLED"])
	require.Equal(t, "nomsgpack,grpcnotrace", settings["-tags"])

	sums, listed := goSum(t), documented(t, program.Name, platform)
	require.Greater(t, len(listed), 50)
	for _, module := range info.Deps {
		require.Nil(t, module.Replace, "%s is not what go.mod requires", module.Path)
		require.Equal(t, listed[module.Path], module.Version, "docs/dependencies.md does not agree about %s: make dependencies", module.Path)
		require.Equal(t, sums[module.Path+" "+module.Version], module.Sum, "go.sum does not agree about %s", module.Path)
		require.NotContains(t, []string{"go.temporal.io/server", "github.com/temporalio/ui-server/v2"}, module.Path, "the lean program holds no server")
		delete(listed, module.Path)
	}
	require.Empty(t, listed, "docs/dependencies.md lists what is not in the program: make dependencies")

	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, local := range places(t) {
		require.False(t, bytes.Contains(content, []byte(local)), "the program names %s, a place on the machine that built it", local)
	}
	if runtime.GOOS == "linux" {
		binary, err := elf.NewFile(bytes.NewReader(content))
		require.NoError(t, err)
		require.Nil(t, binary.Section(".symtab"))
		require.Nil(t, binary.Section(".debug_info"))
	}
	out, err := exec.CommandContext(t.Context(), file, "version", "-o", "json").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.JSONEq(t, fmt.Sprintf(`{"version":"v1.2.3","commit":"0123456789abcdef","go":"go%s","platform":"%s"}`, goVersion(t), platform), string(out))
}

// TestSameSourcesAreTheSameBytes builds once more, in another directory.
func TestSameSourcesAreTheSameBytes(t *testing.T) {
	t.Parallel()

	program, platform := lean(t)
	elsewhere := filepath.Join(t.TempDir(), "another", "place")
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
		"go.mod", "go.sum", "activities", "api", "cmd/rewardflow", "internal", "worker", "workflows").Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if content, err := os.ReadFile(filepath.Join(root, name)); err == nil { // A file may be deleted and not yet committed.
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(elsewhere, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(elsewhere, name), content, 0o600))
		}
	}
	require.Equal(t, sum(t, build(t, root, program, platform)), sum(t, build(t, elsewhere, program, platform)))
}

// lean is the program without a Temporal server, for this machine.
func lean(t *testing.T) (release.Program, string) {
	t.Helper()
	programs, err := release.Programs(root)
	require.NoError(t, err)
	i := slices.IndexFunc(programs, func(p release.Program) bool { return p.Name == "rewardflow" })
	require.GreaterOrEqual(t, i, 0)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if !slices.Contains(programs[i].Platforms(), platform) {
		t.Skipf("nothing is released for %s", platform)
	}
	return programs[i], platform
}

func build(t *testing.T, dir string, program release.Program, platform string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), program.Name)
	cmd := exec.CommandContext(t.Context(), "go", append(program.BuildArgs("v1.2.3", "0123456789abcdef"), "-o", file, program.Package)...)
	// A work tree with changes is not what the test is about.
	cmd.Dir, cmd.Env = dir, append(program.Environment(platform), "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

func sum(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	require.NoError(t, err)
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func goVersion(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "go.mod"))[1]
}

// goSum returns the sum of each "module version".
func goSum(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(read(t, "go.sum")) {
		fields := strings.Fields(line)
		require.Len(t, fields, 3)
		sums[fields[0]+" "+fields[1]] = fields[2]
	}
	return sums
}

// documented returns the version of each module that docs/dependencies.md has in
// a program on a platform.
func documented(t *testing.T, program, platform string) map[string]string {
	t.Helper()
	goos, _, _ := strings.Cut(platform, "/")
	modules := map[string]string{}
	column := -1
	for line := range strings.Lines(read(t, "docs/dependencies.md")) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if column < 0 {
			column = slices.Index(cells, program)
			require.Positive(t, column, "docs/dependencies.md has no column for %s", program)
			continue
		}
		where := strings.Split(cells[column], ", ")
		held := slices.Contains(where, "yes") || slices.Contains(where, goos) || slices.Contains(where, platform)
		if held && strings.Contains(cells[1], "/") { // The rest are no modules.
			modules[cells[1]] = cells[2]
		}
	}
	return modules
}

// places are paths of this machine that a program must not hold.
func places(t *testing.T) []string {
	t.Helper()
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOROOT", "GOCACHE").Output()
	require.NoError(t, err)
	return append(strings.Fields(string(out)), here)
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(content)
}
