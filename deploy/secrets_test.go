package deploy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// makeSecrets runs deploy/secrets.sh for a directory of the test.
func makeSecrets(t *testing.T) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "secrets")
	out, err := secretsScript(t, directory, "FIRSTPROMOTER_API_KEY=fp-key")
	require.NoError(t, err, "%s", out)
	return directory
}

func secretsScript(t *testing.T, directory string, environment ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./secrets.sh")
	cmd.Env = append(environment, "PATH="+os.Getenv("PATH"), "SECRETS_DIR="+directory)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()

	directory := makeSecrets(t)
	project := loadCompose(t)
	contents := map[string]string{}
	for name := range project.Secrets {
		content, err := os.ReadFile(filepath.Join(directory, name))
		require.NoError(t, err, "docker-compose.yml wants it")
		require.NotEmpty(t, content)
		require.NotContains(t, string(content), "\n")
		contents[name] = string(content)
	}
	require.Equal(t, "fp-key", contents["firstpromoter_api_key"])
	require.GreaterOrEqual(t, len(contents["webhook_secret"]), 32)
	require.Equal(t, "postgres://rewardflow:"+contents["rewardflow_db_password"]+"@postgres:5432/rewardflow?sslmode=disable", contents["database_url"])
	require.NotEqual(t, contents["temporal_db_password"], contents["rewardflow_db_password"])

	token, err := os.ReadFile(filepath.Join(directory, "operator_token"))
	require.NoError(t, err)
	sum := sha256.Sum256(token)
	known, err := os.ReadFile(filepath.Join(directory, "rewardflow.env"))
	require.NoError(t, err)
	require.Contains(t, string(known), "REWARDFLOW_OPERATORS_0_TOKEN_SHA256="+hex.EncodeToString(sum[:])+"\n")
	for _, file := range project.Services["api-1"].EnvFiles {
		require.Equal(t, mustAbs("compose/secrets/rewardflow.env"), file.Path)
	}

	out, err := secretsScript(t, directory)
	require.NoError(t, err)
	require.Contains(t, out, "All secrets are there already")
	for name, before := range contents {
		after, err := os.ReadFile(filepath.Join(directory, name))
		require.NoError(t, err)
		require.Equal(t, before, string(after), name)
		require.NotContains(t, out, before)
	}
}

func TestSecretsAreForTheirOwner(t *testing.T) {
	t.Parallel()

	directory := makeSecrets(t)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "nobody else comes through")
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o644) // The accounts in the containers read it.
		if entry.Name() == "operator_token" {
			want = 0o600
		}
		require.Equal(t, want, info.Mode().Perm(), entry.Name())
	}
}

func TestSecretsNeedTheKey(t *testing.T) {
	t.Parallel()

	directory := filepath.Join(t.TempDir(), "secrets")
	out, err := secretsScript(t, directory)
	require.Error(t, err)
	require.Contains(t, out, "FIRSTPROMOTER_API_KEY=...")
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is half made")
}

func TestSecretsStayOutOfTheRepository(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"deploy/compose/secrets/webhook_secret", "deploy/compose/secrets/rewardflow.env"} {
		cmd := exec.CommandContext(t.Context(), "git", "check-ignore", "--no-index", name)
		cmd.Dir = root
		out, err := cmd.Output()
		require.NoError(t, err, "git would take %s", name)
		require.Equal(t, name, strings.TrimSpace(string(out)))
	}
}
