package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/rewardflow/rewardflow/release"
)

func TestBothProgramsAreReleased(t *testing.T) {
	t.Parallel()

	programs, err := release.Programs(root)
	require.NoError(t, err)
	require.Len(t, programs, 2)
	for i, name := range []string{"rewardflow", "standalone"} {
		p := programs[i]
		require.Equal(t, name, p.Name)
		require.Equal(t, "./cmd/"+name, p.Package)
		require.DirExists(t, filepath.Join(root, p.Package))
		require.Equal(t, []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64"}, p.Platforms())
		require.Equal(t, []string{"CGO_ENABLED=0"}, p.Env)
		require.NotContains(t, strings.Join(p.BuildArgs("v1.2.3", "abc"), " "), "{{", "a template that the tests do not fill in")
	}
}

// TestImagesAreBuiltAsTheArchivesAre holds the Dockerfiles' flags against those of
// GoReleaser: what docs/dependencies.md says is true of both.
func TestImagesAreBuiltAsTheArchivesAre(t *testing.T) {
	t.Parallel()

	programs, err := release.Programs(root)
	require.NoError(t, err)
	args := programs[0].BuildArgs("$VERSION", "$COMMIT")
	require.Equal(t, args, programs[1].BuildArgs("$VERSION", "$COMMIT"))
	// Docker's version has its v; GoReleaser's template has it in front.
	ldflags := strings.ReplaceAll(args[len(args)-1], "v$VERSION", "$VERSION")
	want := "go " + strings.Join(args[:len(args)-1], " ") + ` "` + ldflags + `" -o /out/`
	for _, dockerfile := range []string{"Dockerfile", "Dockerfile.standalone"} {
		content := read(t, dockerfile)
		require.Contains(t, content, want, dockerfile)
		require.Contains(t, content, "ENV "+programs[0].Env[0], dockerfile)
	}
}

func TestArchivesHoldWhatTheyPromise(t *testing.T) {
	t.Parallel()

	const made = "bin/LICENSES-of-dependencies.txt"
	var config struct {
		Before   struct{ Hooks []string }
		Archives []struct {
			IDs   []string
			Files []struct{ Src string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, release.File)), &config))
	require.Equal(t, []string{"go -C release run ./dependencies -texts " + made}, config.Before.Hooks)
	require.Len(t, config.Archives, 2)
	require.Equal(t, []string{"rewardflow"}, config.Archives[0].IDs)
	require.Equal(t, []string{"rewardflow", "standalone"}, config.Archives[1].IDs, "the lean program has the operator's commands")
	for _, archive := range config.Archives {
		var sources []string
		for _, file := range archive.Files {
			sources = append(sources, file.Src)
			if file.Src != made {
				_, err := os.Stat(filepath.Join(root, file.Src))
				require.NoError(t, err)
			}
		}
		require.Equal(t, []string{"LICENSE", "README.md", "CHANGELOG.md", "docs/dependencies.md", made, "examples"}, sources)
	}
}

func TestProgramsSaysWhatIsWrong(t *testing.T) {
	t.Parallel()

	_, err := release.Programs(t.TempDir())
	require.ErrorContains(t, err, "reading what a release builds")
	for content, want := range map[string]string{
		"builds: 7":  "reading .goreleaser.yaml",
		"builds: []": ".goreleaser.yaml builds nothing",
		"builds: [{binary: x, main: ./x, goos: [linux], goarch: [arm64]}, {binary: y, main: ./y, goarch: [arm64]}]": "build 2 needs binary, main, goos and goarch",
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, release.File), []byte(content), 0o600))
		_, err := release.Programs(dir)
		require.ErrorContains(t, err, want)
	}
}
