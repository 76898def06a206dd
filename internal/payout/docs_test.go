package payout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/payout"
)

// manualSection returns what stands in docs/states.md between a heading and
// the next one.
func manualSection(t *testing.T, heading string) string {
	t.Helper()
	manual, err := os.ReadFile("../../docs/states.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(manual), "\n"+heading+"\n")
	require.True(t, found, "docs/states.md has no heading %q", heading)
	section, _, _ := strings.Cut(after, "\n#")
	return section
}

// matchesIn returns the groups of every match, joined by a space.
func matchesIn(text, pattern string) []string {
	var found []string
	for _, groups := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, strings.Join(groups[1:], " "))
	}
	return found
}

// declaredMoves reads the moves from the source, so that a new one cannot be
// forgotten here.
func declaredMoves(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var moves []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Move" {
			return false
		}
		for _, value := range spec.Values {
			text, ok := value.(*ast.BasicLit)
			require.True(t, ok, "a move is declared by a literal")
			move, err := strconv.Unquote(text.Value)
			require.NoError(t, err)
			moves = append(moves, move)
		}
		return false
	})
	require.NotEmpty(t, moves)
	return moves
}

// TestManualHasTheTable compares docs/states.md with the code, over every
// state and every move.
func TestManualHasTheTable(t *testing.T) {
	t.Parallel()

	moves := declaredMoves(t)
	var states, table, edges []string
	for _, from := range payout.States() {
		states = append(states, string(from))
		for _, move := range moves {
			if to, ok := payout.Next(from, payout.Move(move)); ok {
				table = append(table, strings.Join([]string{string(from), move, string(to)}, " "))
				edges = append(edges, strings.Join([]string{string(from), string(to), move}, " "))
			}
		}
	}

	const firstCell = "(?m)^\\| `(\\w+)` \\|"
	require.Equal(t, states, matchesIn(manualSection(t, "### The states"), firstCell))
	require.ElementsMatch(t, moves, matchesIn(manualSection(t, "### The moves"), firstCell))
	require.ElementsMatch(t, table, matchesIn(manualSection(t, "### The table"), "(?m)^\\| `(\\w+)` \\| `(\\w+)` \\| `(\\w+)` \\|"))
	require.ElementsMatch(t, edges, matchesIn(manualSection(t, "## Payouts"), `(?m)^ +(\w+) --> (\w+): (\w+)$`), "the picture")
}
