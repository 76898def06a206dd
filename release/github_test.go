package release_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestActionsArePinned sees that nobody but us can change what a workflow runs.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()

	workflows, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, workflows)
	uses, pinned := regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.+)$`), regexp.MustCompile(`^([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
	versions := map[string]string{}
	for _, name := range workflows {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Contains(t, string(content), "\npermissions: {contents: read}\n", "%s: a job says itself what else it may", filepath.Base(name))
		for _, match := range uses.FindAllStringSubmatch(string(content), -1) {
			if own, ok := strings.CutPrefix(match[1], "./.github/workflows/"); ok {
				require.True(t, slices.ContainsFunc(workflows, func(w string) bool { return filepath.Base(w) == own }), "%s: %s is nowhere", filepath.Base(name), match[1])
				continue
			}
			parts := pinned.FindStringSubmatch(match[1])
			require.NotNil(t, parts, "%s: %q is not owner/name@COMMIT # vX.Y.Z", filepath.Base(name), match[1])
			at := parts[2] + " " + parts[3]
			if known, ok := versions[parts[1]]; ok {
				require.Equal(t, known, at, "%s is used in two versions", parts[1])
			}
			versions[parts[1]] = at
		}
	}
	require.NotEmpty(t, versions)
}

// TestIssueFormsAreOnesThatGitHubShows checks what GitHub asks of a form: one
// that it does not like it hides, and says so to nobody who could mend it
// (https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms).
func TestIssueFormsAreOnesThatGitHubShows(t *testing.T) {
	t.Parallel()

	type form struct {
		Name, Description, Title string
		Labels, Assignees        []string
		Body                     []struct {
			Type, ID   string
			Attributes struct {
				Label, Description, Value, Render, Placeholder string
				Options                                        []string
			}
			Validations struct{ Required bool }
		}
	}
	forms, err := filepath.Glob(filepath.Join(root, ".github", "ISSUE_TEMPLATE", "*.yml"))
	require.NoError(t, err)
	require.Len(t, forms, 3)
	for _, name := range forms {
		if filepath.Base(name) == "config.yml" {
			continue
		}
		var f form
		strictly(t, name, &f)
		require.NotEmpty(t, f.Name, name)
		require.NotEmpty(t, f.Description, name)
		require.NotEmpty(t, f.Body, name)
		ids, questions := map[string]bool{}, 0
		for _, field := range f.Body {
			require.Contains(t, []string{"markdown", "textarea", "input", "dropdown"}, field.Type, name)
			if field.Type == "markdown" {
				require.NotEmpty(t, field.Attributes.Value, name)
				continue
			}
			questions++
			require.NotEmpty(t, field.Attributes.Label, name)
			require.Regexp(t, `^[A-Za-z0-9_-]+$`, field.ID, name)
			require.False(t, ids[field.ID], "%s: two fields are called %s", name, field.ID)
			ids[field.ID] = true
			require.Equal(t, field.Type == "dropdown", len(field.Attributes.Options) > 0, name)
			options := slices.Clone(field.Attributes.Options)
			slices.Sort(options)
			require.Equal(t, len(options), len(slices.Compact(options)), "%s: an option stands twice", name)
		}
		require.Positive(t, questions, name)
	}
}

// TestNewIssuesKnowWhereAVulnerabilityGoes: not into an issue.
func TestNewIssuesKnowWhereAVulnerabilityGoes(t *testing.T) {
	t.Parallel()

	var config struct {
		BlankIssuesEnabled bool                                `yaml:"blank_issues_enabled"`
		ContactLinks       []struct{ Name, URL, About string } `yaml:"contact_links"`
	}
	strictly(t, filepath.Join(root, ".github", "ISSUE_TEMPLATE", "config.yml"), &config)
	require.True(t, slices.ContainsFunc(config.ContactLinks, func(link struct{ Name, URL, About string }) bool {
		return link.URL == "https://github.com/rewardflow/rewardflow/security/advisories/new"
	}))
	for _, link := range config.ContactLinks {
		require.NotEmpty(t, link.Name)
		require.NotEmpty(t, link.About)
		if file, ok := strings.CutPrefix(link.URL, "https://github.com/rewardflow/rewardflow/blob/main/"); ok {
			require.FileExists(t, filepath.Join(root, file))
		}
	}
}

// strictly reads a file that may hold nothing else than what out has.
func strictly(t *testing.T, name string, out any) {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(out), name)
}
