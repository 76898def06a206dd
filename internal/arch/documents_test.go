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

const root = "../.."

// TestTheTourLeadsSomewhere walks through CONTRIBUTING.md as a newcomer does: each
// file is there, and each name that is to be found in it is declared in it.
func TestTheTourLeadsSomewhere(t *testing.T) {
	t.Parallel()

	_, tour, found := strings.Cut(read(t, "CONTRIBUTING.md"), "\n## The code in ten minutes\n")
	require.True(t, found)
	tour, _, _ = strings.Cut(tour, "\n## ")
	quoted := regexp.MustCompile("`([^`]+)`")
	stops := 0
	for line := range strings.Lines(tour) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		stops++
		file := quoted.FindStringSubmatch(cells[1])[1]
		_, err := os.Stat(filepath.Join(root, file))
		require.NoError(t, err, "the tour opens %s", file)
		if len(cells) == 5 {
			names := quoted.FindAllStringSubmatch(cells[2], -1)
			require.NotEmpty(t, names, "what is to be found in %s?", file)
			declared := declarations(t, file)
			for _, name := range names {
				require.Contains(t, declared, name[1], "the tour looks for %s in %s", name[1], file)
			}
			continue
		}
		for _, other := range quoted.FindAllStringSubmatch(cells[2], -1) {
			_, err := os.Stat(filepath.Join(root, other[1]))
			require.NoError(t, err, "the tour names %s", other[1])
		}
	}
	require.Greater(t, stops, 25, "the tables were not read")
}

// declarations are the functions, methods and types of a file.
func declarations(t *testing.T, name string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	declared := map[string]bool{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			declared[d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					declared[spec.Name.Name] = true
				}
			}
		}
	}
	return declared
}

// TestLinksOfTheDocumentsLeadSomewhere looks at every link inside of the
// repository: its file is there, and so is the heading that it names.
func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()

	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".github" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range link.FindAllStringSubmatch(prose(string(content)), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			links++
			file, heading, _ := strings.Cut(match[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is nowhere", path, match[1])
				continue
			}
			if heading == "" {
				continue
			}
			content, err := os.ReadFile(target)
			if err != nil {
				return err
			}
			if !headings(string(content))[heading] {
				t.Errorf("%s links to %s, where no heading is called so", path, match[1])
			}
		}
		return nil
	}))
	require.Greater(t, links, 100, "the documents were not read")
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	titles  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unnamed = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// prose leaves out blocks of code.
func prose(markdown string) string { return fenced.ReplaceAllString(markdown, "") }

// headings are the names that GitHub gives to the headings of a document.
func headings(markdown string) map[string]bool {
	names := map[string]bool{}
	for _, match := range titles.FindAllStringSubmatch(prose(markdown), -1) {
		title := regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		names[strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(content)
}
