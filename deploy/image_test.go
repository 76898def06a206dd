package deploy_test

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/stretchr/testify/require"
)

// dataDir is where an image keeps what has to last.
const dataDir = "/var/lib/rewardflow"

// nonroot is the account of the base image.
const nonroot = "65532:65532"

func dockerfiles() []string { return []string{"Dockerfile", "Dockerfile.standalone"} }

func TestDockerfilesAreAsTheyShould(t *testing.T) {
	t.Parallel()

	pinned := regexp.MustCompile(`^[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$`)
	for _, name := range dockerfiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			stages := parseDockerfile(t, name)
			require.Regexp(t, pinned, stages[0].BaseName)
			require.Regexp(t, pinned, stages[1].BaseName)
			require.Contains(t, stages[1].BaseName, "gcr.io/distroless/static-debian13:nonroot@")
			require.Contains(t, stages[0].BaseName, "golang:"+goVersion(t)+"-", "the Go of go.mod")
			require.Equal(t, "$BUILDPLATFORM", stages[0].Platform, "it cross-compiles, which needs no emulator")

			var run []*instructions.RunCommand
			for _, command := range stages[0].Commands {
				if c, ok := command.(*instructions.RunCommand); ok {
					run = append(run, c)
				}
			}
			require.Len(t, run, 3)
			download, build := run[0].String(), run[1].String()
			require.Contains(t, download, "go mod download")
			require.Contains(t, download, "--mount=type=cache,target=/go/pkg/mod")
			require.Contains(t, build, "--mount=type=cache,target=/root/.cache/go-build")
			require.Contains(t, build, "-trimpath")
			for _, command := range slices.Concat(stages[0].Commands, stages[1].Commands) {
				require.NotContains(t, []string{"add", "onbuild", "shell"}, strings.ToLower(command.Name()))
			}
		})
	}
}

func goVersion(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(content))[1]
}

func TestContextHoldsSourcesOnly(t *testing.T) {
	t.Parallel()

	matcher := ignored(t)
	for name, want := range map[string]bool{
		"go.mod": false, "go.sum": false, "LICENSE": false, "cmd/rewardflow/main.go": false, "api/openapi.yaml": false,
		"internal/ledger/sqlite/migrations/00001_ledger.sql": false, "api/console/static/console.css": false, "workflows/fulfilment.go": false,
		".git/config": true, ".rewardflow/ledger.db": true, ".env": true, "rewardflow.yaml": true, "bin/rewardflow": true,
		"deploy/compose/secrets/webhook_secret": true, "docs/security.md": true, "internal/config/config_test.go": true,
		"workflows/testdata/histories/x.json": true, "coverage.out": true, "docker-compose.yml": true,
	} {
		got, err := matcher.MatchesOrParentMatches(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}

func TestLeanImage(t *testing.T) {
	t.Parallel()

	image := buildImage(t, "Dockerfile", map[string]string{"VERSION": "v1.2.3", "COMMIT": "abc123"})
	checkImageDescription(t, image)
	require.Equal(t, []string{"/rewardflow"}, image.entrypoint)
	require.Equal(t, []string{"api"}, image.cmd)
	checkLayout(t, image, "rewardflow")

	info, err := os.Stat(filepath.Join(image.rootfs, "rewardflow"))
	require.NoError(t, err)
	t.Logf("the program is %.1f MB", float64(info.Size())/1e6)
	require.Less(t, info.Size(), int64(57e6), "the image stays under 60 MB: distroless/static adds 2")

	out, err := inside(t, image, nil, "/rewardflow", "version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "rewardflow v1.2.3 (go"+goVersion(t))
	checkServes(t, image)
}

// TestStandaloneImage links the Temporal server, for which everything has to be
// compiled anew because of -trimpath: ten minutes on two cores.
func TestStandaloneImage(t *testing.T) {
	t.Parallel()

	if os.Getenv("REWARDFLOW_STANDALONE_IMAGE") == "" {
		t.Skip("REWARDFLOW_STANDALONE_IMAGE=1 builds what Dockerfile.standalone describes; it takes ten minutes")
	}
	image := buildImage(t, "Dockerfile.standalone", map[string]string{"VERSION": "v1.2.3"})
	checkImageDescription(t, image)
	require.Equal(t, []string{"/standalone"}, image.entrypoint)
	require.Equal(t, []string{"serve", "--config", "/etc/rewardflow/rewardflow.yaml"}, image.cmd)
	checkLayout(t, image, "rewardflow", "standalone")
	out, err := inside(t, image, nil, "/standalone", "--version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "v1.2.3")
}

func checkImageDescription(t *testing.T, image image) {
	t.Helper()
	require.Equal(t, nonroot, image.user, "as numbers, so that Kubernetes can see that it is not root")
	require.Equal(t, dataDir, image.workdir)
	require.Equal(t, []string{dataDir}, image.volumes)
	require.Equal(t, []string{"CMD", "/rewardflow", "healthcheck"}, image.health)
	for _, label := range []string{"title", "description", "source", "documentation", "licenses", "version"} {
		require.NotEmpty(t, image.labels["org.opencontainers.image."+label], label)
	}
	require.Equal(t, "v1.2.3", image.labels["org.opencontainers.image.version"])
	for _, env := range image.env {
		require.NotRegexp(t, `(?i)(secret|password|token|key)=`, env)
	}
}

// checkLayout looks at every file that the image adds to its base.
func checkLayout(t *testing.T, image image, programs ...string) {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(image.rootfs, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(name, image.rootfs+"/"))
		}
		return err
	}))
	require.ElementsMatch(t, append([]string{"LICENSE"}, programs...), files)

	for _, program := range programs {
		path := filepath.Join(image.rootfs, program)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o555), info.Mode().Perm(), "everybody may run it and nobody may change it")
		binary, err := elf.Open(path)
		require.NoError(t, err)
		for _, segment := range binary.Progs {
			require.NotEqual(t, elf.PT_INTERP, segment.Type, "%s needs a loader, which the base image does not have", program)
		}
		libraries, err := binary.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries, "%s is not static", program)
		require.Nil(t, binary.Section(".debug_info"))
		require.NoError(t, binary.Close())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.False(t, bytes.Contains(content, []byte(mustAbs(root))), "%s names the machine that built it", program)
	}

	info, err := os.Stat(filepath.Join(image.rootfs, dataDir))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	if os.Geteuid() == 0 {
		uid, gid, err := account(nonroot)
		require.NoError(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		require.Equal(t, []int{uid, gid}, []int{int(stat.Uid), int(stat.Gid)}, "the image's account owns its data")
	}
}

// inside returns a command that runs in the image's file system, under the
// image's account, with nothing of this machine's environment.
func inside(t *testing.T, image image, environment []string, command ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may run a program from another root directory; the image's layout was checked, its program was not run")
	}
	uid, gid, err := account(image.user)
	require.NoError(t, err)
	// chroot needs a way down to it for that account.
	for dir := image.rootfs; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(dir, info.Mode().Perm()|0o055))
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Path, cmd.Dir = command[0], image.workdir
	cmd.Err = nil
	cmd.Env = append(slices.Clone(image.env), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: image.rootfs, Setpgid: true, Pdeathsig: syscall.SIGKILL,
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
	return cmd
}

// checkServes starts the image as an engine would, without Temporal, and waits
// until its health check says that it takes events.
func checkServes(t *testing.T, image image) {
	t.Helper()
	const configuration = `
firstpromoter: {api_key: key, webhook_secret: 0123456789abcdef0123456789abcdef0123}
providers:
  people: {type: manual}
routes:
  - {provider: people}
`
	etc := filepath.Join(image.rootfs, "etc", "rewardflow")
	require.NoError(t, os.MkdirAll(etc, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(etc, "rewardflow.yaml"), []byte(configuration), 0o644)) //nolint:gosec // As a mounted file is.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	environment := []string{"REWARDFLOW_LISTEN=" + address, "TEMPORAL_ADDRESS=127.0.0.1:1"}

	healthy := func() bool { return inside(t, image, environment, image.health[1:]...).Run() == nil }
	require.False(t, healthy(), "nothing runs yet")

	process := inside(t, image, environment, append(image.entrypoint, image.cmd...)...)
	var log lockedBuffer
	process.Stdout, process.Stderr = &log, &log
	require.NoError(t, process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	defer func() { _ = process.Process.Kill() }()
	require.Eventually(t, healthy, time.Minute, 200*time.Millisecond, "%s", &log)
	require.FileExists(t, filepath.Join(image.rootfs, dataDir, "ledger.db"))

	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		require.NoError(t, err, "%s", &log)
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not stop: %s", &log)
	}
}
