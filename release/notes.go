package release

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// tag is a version by Semantic Versioning 2.0.0, with v before it as Go wants it
// and without build metadata, which no image's tag may have.
var tag = regexp.MustCompile(`^v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$`)

// Notes returns what CHANGELOG.md below root says about the version of a tag,
// v1.2.3, as Markdown. It fails where the repository is not ready for that tag:
// no such section, one without a date or a word, or a Helm chart that runs another
// version.
func Notes(root, name string) (string, error) {
	if !tag.MatchString(name) {
		return "", fmt.Errorf("%q is no version: a tag is v1.2.3, or v1.2.3-rc.1", name)
	}
	version := strings.TrimPrefix(name, "v")
	chart, err := os.ReadFile(filepath.Join(root, "deploy", "helm", "rewardflow", "Chart.yaml"))
	if err != nil {
		return "", fmt.Errorf("reading which version the Helm chart runs: %w", err)
	}
	if !regexp.MustCompile(`(?m)^appVersion: "?` + regexp.QuoteMeta(version) + `"?$`).Match(chart) {
		return "", fmt.Errorf("deploy/helm/rewardflow/Chart.yaml: appVersion is not %s, so the chart would run another image", version)
	}
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return "", fmt.Errorf("reading what is new: %w", err)
	}
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(version) + `\] - \d{4}-\d{2}-\d{2}$`)
	at := heading.FindIndex(changelog)
	if at == nil {
		return "", fmt.Errorf("CHANGELOG.md has no section \"## [%s] - YYYY-MM-DD\": name and date what is under Unreleased", version)
	}
	notes, _, _ := strings.Cut(string(changelog[at[1]:]), "\n## ")
	notes = strings.TrimSpace(notes)
	if notes == "" {
		return "", fmt.Errorf("CHANGELOG.md says nothing about %s", version)
	}
	return notes + "\n", nil
}
