package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamespaceIsMade runs the job with a temporal command that answers as the
// server does while it starts.
func TestNamespaceIsMade(t *testing.T) {
	t.Parallel()

	cases := map[string]struct {
		temporal string // The body of a shell program; $3 is describe or create.
		calls    []string
		output   string
		fails    bool
	}{
		"it is there": {
			temporal: `exit 0`,
			calls:    []string{"operator namespace describe --namespace rewardflow"},
			output:   "it is there",
		},
		"it is made": {
			temporal: `[ "$3" = create ]`,
			calls:    []string{"operator namespace describe --namespace rewardflow", "operator namespace create --namespace rewardflow --retention 720h"},
			output:   "made",
		},
		"the server does not know yet": {
			temporal: `[ "$3" = create ] && [ "$(grep -c create "$CALLS")" -ge 3 ]`,
			output:   "made",
		},
		"somebody else made it": {
			temporal: `[ "$3" = describe ] && [ "$(grep -c describe "$CALLS")" -ge 2 ]`,
			output:   "it is there",
		},
		"it is never made": {
			temporal: `exit 1`,
			output:   "did not make it in 5 attempts",
			fails:    true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			directory := t.TempDir()
			calls := filepath.Join(directory, "calls")
			program := "#!/bin/sh\necho \"$*\" >>\"$CALLS\"\n" + c.temporal + "\n"
			require.NoError(t, os.WriteFile(filepath.Join(directory, "temporal"), []byte(program), 0o700))
			cmd := exec.CommandContext(t.Context(), "sh", "compose/temporal/namespace.sh")
			cmd.Env = []string{"PATH=" + directory + ":" + os.Getenv("PATH"), "CALLS=" + calls, "ATTEMPTS=5", "PAUSE=0"}
			for name, value := range loadCompose(t).Services["temporal-namespace"].Environment {
				cmd.Env = append(cmd.Env, name+"="+*value)
			}
			out, err := cmd.CombinedOutput()
			require.Equal(t, c.fails, err != nil, "%s", out)
			require.Contains(t, string(out), c.output)
			if c.calls != nil {
				made, err := os.ReadFile(calls)
				require.NoError(t, err)
				require.Equal(t, c.calls, strings.Split(strings.TrimSpace(string(made)), "\n"))
			}
		})
	}
}
