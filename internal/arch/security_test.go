package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecurityDocumentNamesTestsThatExist keeps docs/security.md from promising
// what nothing shows any more.
func TestSecurityDocumentNamesTestsThatExist(t *testing.T) {
	t.Parallel()

	document, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(document), -1)
	require.Greater(t, len(named), 20, "the document names hardly any test")

	exists := map[string]bool{}
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				exists[f.Name.Name] = true
			}
		}
		return nil
	}))
	for _, name := range named {
		require.True(t, exists[name[1]], "docs/security.md names %s, and there is no such test", name[1])
	}
}
