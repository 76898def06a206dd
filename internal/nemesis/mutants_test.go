package nemesis

import (
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutantsFitTheProgram shows that every edit still finds its text, and
// leaves a file that is Go. That they compile, and are caught, is shown by
// go run ./cmd/nemesis --mutants.
func TestMutantsFitTheProgram(t *testing.T) {
	t.Parallel()

	mutants, err := Mutants()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(mutants), 11)
	for _, m := range mutants {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()

			requireFits(t, append(m.World, m.Edits...))
			require.Equal(t, m.Memory > 0, len(m.World) > 0, "a provider that forgets needs a program that knows")
		})
	}
	requireFits(t, []Edit{badWorkflow})
}

func requireFits(t *testing.T, edits []Edit) {
	t.Helper()
	changed := map[string]string{}
	for _, e := range edits {
		text, ok := changed[e.File]
		if !ok {
			data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(e.File)))
			require.NoError(t, err)
			text = string(data)
		}
		after, err := e.apply(text)
		require.NoError(t, err, e.File)
		changed[e.File] = after
	}
	for file, text := range changed {
		_, err := parser.ParseFile(gotoken.NewFileSet(), file, text, parser.SkipObjectResolution)
		require.NoError(t, err)
	}
}

func TestDrillsAreSchedules(t *testing.T) {
	t.Parallel()

	for _, name := range Drills() {
		s, err := drill(name, 7)
		require.NoError(t, err)
		require.NotEmpty(t, s.Rewards, name)
		for _, a := range s.Acts {
			require.LessOrEqual(t, a.At, s.For, name)
			if a.Slot != "" {
				require.Contains(t, s.slots(), a.Slot, name)
			}
			if a.Wire != "" {
				require.Contains(t, s.wires(), a.Wire, name)
			}
		}
	}
	_, err := drill("nothing", 7)
	require.ErrorContains(t, err, "straight", "it says which there are")
}

func TestAMutantSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()

	const good = "promise: p\ndrill: straight\ncaught by: rests\n-- old a.go --\nx\n-- new --\ny\n"
	_, err := parseMutant("good", []byte(good))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"is not a key":     "promises: p\n" + good,
		"is no drill":      "drill: nowhere\n" + "promise: p\ncaught by: rests\n-- old a.go --\nx\n-- new --\ny\n",
		"is no invariant":  "promise: p\ndrill: straight\ncaught by: luck\n-- old a.go --\nx\n-- new --\ny\n",
		"needs a promise":  "drill: straight\ncaught by: rests\n-- old a.go --\nx\n-- new --\ny\n",
		"pairs":            good + "-- old b.go --\nx\n",
		"imports only":     "import: b.go fmt\n" + good,
		"must be pairs":    "promise: p\n-- new --\ny\n-- old a.go --\nx\n",
		"invalid duration": "memory: soon\n" + good,
	} {
		_, err := parseMutant("bad", []byte(text))
		require.ErrorContains(t, err, name, text)
	}
}
