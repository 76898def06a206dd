package arch_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/arch"
)

func TestTheHouseKeepsItsRules(t *testing.T) {
	t.Parallel()

	broken, err := arch.Check(os.DirFS("../.."), arch.Rules())
	require.NoError(t, err)
	require.Empty(t, broken, strings.Join(broken, "\n"))
}

// TestViolationsAreSeen plants one violation after the other.
func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()

	violations := map[string][2]string{
		"a workflow that dials":                {"workflows/x.go", "net"},
		"a workflow that names an adapter":     {"workflows/x.go", arch.Module + "/internal/ledger/sqlite"},
		"an activity that serves":              {"activities/x.go", "net/http"},
		"a port under a workflow with a clock": {"internal/ledger/x.go", "database/sql"},
		"a domain that knows faults":           {"internal/reward/x.go", arch.Module + "/internal/fault"},
		"gin elsewhere":                        {"internal/intake/x.go", "github.com/gin-gonic/gin"},
		"a provider's token elsewhere":         {"api/console/x.go", "golang.org/x/oauth2"},
		"the server in the lean binary":        {"internal/app/x.go", arch.Module + "/internal/engine"},
		"the server itself":                    {"cmd/rewardflow/x.go", "go.temporal.io/server/temporal"},
		"a peer that uses our ledger":          {"bench/internal/peers/x.go", arch.Module + "/internal/ledger"},
		"the server in every peer":             {"bench/internal/peers/x.go", arch.Module + "/internal/engine"},
		"a release that runs a part":           {"release/x.go", arch.Module + "/internal/buildinfo"},
		"a double in the lean binary":          {"internal/desk/x.go", arch.Module + "/internal/payout/sandbox"},
	}
	clean := fstest.MapFS{
		"workflows/w.go":       source(arch.Module+"/activities", "fmt"),
		"activities/a.go":      source(arch.Module+"/internal/ledger", "context"),
		"internal/ledger/l.go": source(arch.Module + "/internal/reward"),
		"internal/reward/r.go": source("fmt"),
		"cmd/rewardflow/m.go":  source(arch.Module+"/internal/desk", "os"),
		"internal/desk/d.go":   source("time"),
	}
	broken, err := arch.Check(clean, arch.Rules())
	require.NoError(t, err)
	require.Empty(t, broken)

	for name, v := range violations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			planted := fstest.MapFS{v[0]: source(v[1])}
			for file, content := range clean {
				planted[file] = content
			}
			broken, err := arch.Check(planted, arch.Rules())
			require.NoError(t, err)
			require.NotEmpty(t, broken)
			require.Contains(t, broken[0], v[1])
		})
	}
}

func source(imports ...string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("package x\n\nimport (\n\t\"" + strings.Join(imports, "\"\n\t\"") + "\"\n)\n")}
}
