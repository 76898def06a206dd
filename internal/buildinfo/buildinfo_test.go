package buildinfo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/buildinfo"
)

func TestWithoutARepositoryTheVersionIsDevel(t *testing.T) {
	t.Parallel()

	require.Equal(t, "devel", buildinfo.Version())
}

// TestTheLinkerSaysTheVersion links a program as the Dockerfile does.
func TestTheLinkerSaysTheVersion(t *testing.T) {
	t.Parallel()

	const pkg = "github.com/rewardflow/rewardflow/internal/buildinfo"
	source, overlay := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(source, []byte("package main\n\nimport \""+pkg+"\"\n\nfunc main() { print(buildinfo.Version(), \" \", buildinfo.Commit()) }\n"), 0o600))
	// The package is internal, so the program has to be inside of the module.
	program, err := filepath.Abs(filepath.Join("program", "main.go"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, []byte(`{"Replace":{"`+program+`":"`+source+`"}}`), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay,
		"-ldflags", "-X "+pkg+".version=v1.2.3 -X "+pkg+".commit=abc", program)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "v1.2.3 abc", string(out))
}
