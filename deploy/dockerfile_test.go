package deploy_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/stretchr/testify/require"
)

// parseDockerfile reads a Dockerfile with BuildKit's own parser.
func parseDockerfile(t *testing.T, name string) []instructions.Stage {
	t.Helper()
	file, err := os.Open(filepath.Join(root, name))
	require.NoError(t, err)
	defer file.Close()
	result, err := parser.Parse(file)
	require.NoError(t, err)
	require.Empty(t, result.Warnings)
	stages, _, err := instructions.Parse(result.AST, nil)
	require.NoError(t, err)
	require.Len(t, stages, 2, "one stage builds, the other is the image")
	return stages
}

// ignored returns what .dockerignore keeps out of an image's context.
func ignored(t *testing.T) *patternmatcher.PatternMatcher {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	require.NoError(t, err)
	matcher, err := patternmatcher.New(patterns)
	require.NoError(t, err)
	return matcher
}

// builder does on this machine what an engine does in containers, for the
// instructions that our Dockerfiles use; any other is an error. It stands in for
// the base images by the host's Go and by an empty file system.
type builder struct {
	t *testing.T
	// context is what .dockerignore leaves of the repository, out is /out of the
	// first stage, and rootfs is what the second adds to its base image.
	context, out, rootfs string
	env                  []string
	image                image
}

// image is what an engine would know of it.
type image struct {
	base       string
	rootfs     string
	user       string
	workdir    string
	entrypoint []string
	cmd        []string
	health     []string
	volumes    []string
	env        []string
	labels     map[string]string
}

func buildImage(t *testing.T, name string, args map[string]string) image {
	t.Helper()
	b := &builder{t: t, context: t.TempDir(), out: t.TempDir(), rootfs: t.TempDir()}
	b.image = image{rootfs: b.rootfs, labels: map[string]string{}}
	require.NoError(t, b.copyContext())
	require.NoError(t, os.Chmod(b.rootfs, 0o755))
	for i, stage := range parseDockerfile(t, name) {
		b.env = []string{"TARGETOS=linux", "TARGETARCH=" + runtime.GOARCH}
		b.image.base = stage.BaseName
		for _, command := range stage.Commands {
			require.NoError(t, b.do(command, i == 1, args), "%s: %v", name, command)
		}
	}
	return b.image
}

func (b *builder) copyContext() error {
	matcher := ignored(b.t)
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil || relative == "." {
			return err
		}
		skip, err := matcher.MatchesOrParentMatches(relative)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skip && !matcher.Exclusions(), entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case skip || entry.IsDir():
			return nil
		}
		return copyFile(name, filepath.Join(b.context, relative), 0o644)
	})
}

// do carries out one instruction; last says that it is the image's own stage.
func (b *builder) do(command instructions.Command, last bool, args map[string]string) error {
	lex := shell.NewLex('\\')
	expand := func(word string) (string, error) {
		expanded, _, err := lex.ProcessWord(word, shell.EnvsFromSlice(b.env))
		return expanded, err
	}
	if _, isRun := command.(*instructions.RunCommand); !isRun {
		if c, ok := command.(instructions.SupportsSingleWordExpansion); ok {
			if err := c.Expand(expand); err != nil {
				return err
			}
		}
	}
	switch c := command.(type) {
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			if value, ok := args[arg.Key]; ok {
				b.env = append(b.env, arg.Key+"="+value)
			} else if arg.Value != nil {
				b.env = append(b.env, arg.Key+"="+*arg.Value)
			}
		}
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			b.env = append(b.env, pair.Key+"="+pair.Value)
			if last {
				b.image.env = append(b.image.env, pair.Key+"="+pair.Value)
			}
		}
	case *instructions.CopyCommand:
		return b.copy(c, last)
	case *instructions.RunCommand:
		if last {
			return fmt.Errorf("the base image has no shell to RUN anything")
		}
		return b.run(c)
	default:
		return b.describe(command, last)
	}
	return nil
}

// describe takes what only the image's description holds.
func (b *builder) describe(command instructions.Command, last bool) error {
	switch c := command.(type) {
	case *instructions.WorkdirCommand:
		b.image.workdir = c.Path
	case *instructions.LabelCommand:
		for _, pair := range c.Labels {
			b.image.labels[pair.Key] = pair.Value
		}
	case *instructions.UserCommand:
		b.image.user = c.User
	case *instructions.VolumeCommand:
		b.image.volumes = append(b.image.volumes, c.Volumes...)
	case *instructions.HealthCheckCommand:
		b.image.health = c.Health.Test
	case *instructions.EntrypointCommand:
		b.image.entrypoint = c.CmdLine
	case *instructions.CmdCommand:
		b.image.cmd = c.CmdLine
	case *instructions.ExposeCommand:
	default:
		return fmt.Errorf("the test does not know %s", command.Name())
	}
	if !last && b.image.workdir != "/src" {
		return fmt.Errorf("the first stage works in %s, not in /src", b.image.workdir)
	}
	return nil
}

// run runs a command of the first stage with the host's Go and caches.
func (b *builder) run(c *instructions.RunCommand) error {
	line := strings.ReplaceAll(strings.Join(c.CmdLine, " "), "/out", b.out)
	cmd := exec.CommandContext(b.t.Context(), "sh", "-euc", line)
	cmd.Dir = b.context
	cmd.Env = append(os.Environ(), b.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// copy copies what COPY names: files under their names into a directory, one
// file to a name, the content of a directory.
func (b *builder) copy(c *instructions.CopyCommand, last bool) error {
	for _, source := range c.SourcePaths {
		from := filepath.Join(b.context, source)
		if c.From != "" {
			if c.From != "build" || !strings.HasPrefix(source, "/out/") {
				return fmt.Errorf("the test does not know %s of %s", source, c.From)
			}
			from = filepath.Join(b.out, strings.TrimPrefix(source, "/out/"))
		}
		info, err := os.Stat(from)
		if err != nil {
			return err
		}
		if !last {
			continue // The context is there already.
		}
		to := filepath.Join(b.rootfs, c.DestPath)
		if strings.HasSuffix(c.DestPath, "/") && !info.IsDir() {
			to = filepath.Join(to, filepath.Base(from))
		}
		mode := info.Mode().Perm()
		if c.Chmod != "" {
			parsed, err := strconv.ParseUint(c.Chmod, 8, 32)
			if err != nil {
				return err
			}
			mode = fs.FileMode(parsed)
		}
		if info.IsDir() {
			if entries, err := os.ReadDir(from); err != nil || len(entries) > 0 {
				return fmt.Errorf("the test copies empty directories only: %w", err)
			}
			err = errorsOf(os.MkdirAll(to, 0o755), os.Chmod(to, mode))
		} else {
			err = copyFile(from, to, mode)
		}
		if err != nil {
			return err
		}
		if err := b.own(to, c.Chown); err != nil {
			return err
		}
	}
	return nil
}

// own gives a path to the account that --chown names, where this process may.
func (b *builder) own(name, chown string) error {
	if os.Geteuid() != 0 || chown == "" {
		return nil
	}
	uid, gid, err := account(chown)
	if err != nil {
		return err
	}
	return os.Chown(name, uid, gid)
}

func account(user string) (uid, gid int, err error) {
	_, err = fmt.Sscanf(user, "%d:%d", &uid, &gid)
	return uid, gid, err
}

func errorsOf(errs ...error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) (err error) {
	if err := os.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errorsOf(err, out.Chmod(mode), out.Close())
}
