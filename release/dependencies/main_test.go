package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/release"
)

const root = "../.."

// TestTheListIsWhatTheCommandWrites fails also when a module came in whose
// licence is missing, unknown or not allowed.
func TestTheListIsWhatTheCommandWrites(t *testing.T) {
	t.Parallel()

	committed, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	require.NoError(t, err)
	programs, rows, err := gather(t.Context(), root, newJudgements(judged()))
	require.NoError(t, err)
	now := page(programs, rows)
	// Line by line, because the whole is long.
	was, is := strings.Split(string(committed), "\n"), strings.Split(now, "\n")
	for _, line := range slices.Concat(was, is) {
		if slices.Contains(was, line) != slices.Contains(is, line) {
			t.Errorf("docs/dependencies.md is out of date, run make dependencies: %s", line)
		}
	}
	require.True(t, slices.Equal(was, is), "docs/dependencies.md is out of date: make dependencies")

	texts := notices(rows)
	for _, r := range rows {
		require.Contains(t, texts, "\n"+r.name+" "+r.version+": ")
		require.True(t, len(r.licence.texts) > 0 || len(r.licence.notes) > 0, "%s has neither a text nor a word about it", r.name)
		for _, l := range r.licence.texts {
			require.True(t, strings.Contains(texts, strings.TrimSpace(l.content)), "%s: %s", r.name, l.file)
		}
	}
}

func TestScriptsOfOthersHaveALicenceAndAVersion(t *testing.T) {
	t.Parallel()

	zero, err := os.ReadFile(filepath.Join(root, "api", "console", "static", "LICENSE-htmx"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"whole":             {map[string]string{"x.min.js": `var x={version:"1.2.3"}`, "LICENSE-x": string(zero), "own.js": "let y"}, ""},
		"without a licence": {map[string]string{"x.min.js": `var x={version:"1.2.3"}`}, "x.min.js is embedded without its licence: put LICENSE-x beside it"},
		"without a version": {map[string]string{"x.min.js": "var x", "LICENSE-x": string(zero)}, "x.min.js does not say its version"},
		"an unknown text":   {map[string]string{"x.min.js": `var x={version:"1.2.3"}`, "LICENSE-x": "mine"}, "LICENSE-x is no licence that is known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			own := module{path: "own", dir: plant(t, c.files)}
			for file := range c.files {
				own.embedded = append(own.embedded, filepath.Join(own.dir, file))
			}
			rows, err := copied(own, newJudgements(nil))
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []row{{name: "x", version: "1.2.3", licence: licence{ids: []string{"0BSD"}, texts: []text{{file: "LICENSE-x", content: string(zero)}}}}}, rows)
		})
	}
}

func TestLinkedModules(t *testing.T) {
	t.Parallel()

	programs := []release.Program{{Name: "p", Package: "./p", GOOS: []string{"linux", "darwin"}, GOARCH: []string{"amd64"}, Env: []string{"GOFLAGS=-mod=mod", "GOWORK=off"}}}
	files := map[string]string{
		"go.mod":           "module own\n\ngo 1.26\n",
		"p/main.go":        "package main\n\nimport _ \"own/inside/deep\"\n\nfunc main() {}\n",
		"p/text.txt":       "embedded",
		"p/embed_linux.go": "package main\n\nimport _ \"embed\"\n\n//go:embed text.txt\nvar text string\n",
		"inside/deep/x.go": "package deep\n",
		"elsewhere/x.go":   "package elsewhere\n",
	}
	dir := plant(t, files)
	own, others, err := linked(t.Context(), dir, programs)
	require.NoError(t, err)
	require.Empty(t, others)
	require.Equal(t, "own", own.path)
	require.Equal(t, map[string][]string{"p": {"darwin/amd64", "linux/amd64"}}, own.platforms)
	require.Equal(t, []string{dir, filepath.Join(dir, "inside"), filepath.Join(dir, "inside", "deep"), filepath.Join(dir, "p")}, own.dirs)
	require.Equal(t, []string{filepath.Join(dir, "inside", "deep", "x.go"), filepath.Join(dir, "p", "embed_linux.go"), filepath.Join(dir, "p", "main.go")}, own.files)
	require.Equal(t, []string{filepath.Join(dir, "p", "text.txt")}, own.embedded)

	files["go.mod"] += "\nrequire other v1.0.0\n\nreplace other => ./other\n"
	files["other/go.mod"] = "module other\n\ngo 1.26\n"
	files["other/x.go"] = "package other\n"
	files["p/main.go"] = "package main\n\nimport _ \"other\"\n\nfunc main() {}\n"
	_, _, err = linked(t.Context(), plant(t, files), programs)
	require.ErrorContains(t, err, "module other is replaced by the directory ./other")

	files["p/main.go"] = "package main\n\nimport _ \"own/nowhere\"\n\nfunc main() {}\n"
	_, _, err = linked(t.Context(), plant(t, files), programs)
	require.ErrorContains(t, err, "listing the packages of ./p for darwin/amd64")
	require.ErrorContains(t, err, "own/nowhere")
}

func TestWhere(t *testing.T) {
	t.Parallel()

	all := []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64"}
	for want, held := range map[string][]string{
		"":                          nil,
		"yes":                       all,
		"darwin":                    all[:2],
		"linux":                     all[2:],
		"linux/arm64":               all[3:],
		"darwin, linux/amd64":       all[:3],
		"darwin/amd64, linux/arm64": {all[0], all[3]},
	} {
		require.Equal(t, want, where(held, all))
	}
}

// plant writes files below a new directory and returns it.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}
