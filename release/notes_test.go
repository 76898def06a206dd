package release_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/release"
)

func TestNotes(t *testing.T) {
	t.Parallel()

	const changelog = `# Changelog

## [Unreleased]

- later

## [1.3.0-rc.1] - 2026-11-28

- soon

## [1.2.3] - 2026-11-27

### Added

- this

### Fixed

- that

## [1.2.2] - 2026-11-26

## [1.2.1]

- undated
`
	for name, c := range map[string]struct{ tag, appVersion, want, fails string }{
		"a version":                 {tag: "v1.2.3", appVersion: "1.2.3", want: "### Added\n\n- this\n\n### Fixed\n\n- that\n"},
		"a candidate":               {tag: "v1.3.0-rc.1", appVersion: `"1.3.0-rc.1"`, want: "- soon\n"},
		"without v":                 {tag: "1.2.3", appVersion: "1.2.3", fails: `"1.2.3" is no version`},
		"of two numbers":            {tag: "v1.2", appVersion: "1.2", fails: "is no version"},
		"with build metadata":       {tag: "v1.2.3+4", appVersion: "1.2.3+4", fails: "is no version"},
		"with a command":            {tag: "v1.2.3;true", appVersion: "1.2.3", fails: "is no version"},
		"a version without section": {tag: "v1.2.4", appVersion: "1.2.4", fails: `no section "## [1.2.4] - YYYY-MM-DD"`},
		"a dot is a dot":            {tag: "v1.2.30", appVersion: "1.2.30", fails: "no section"},
		"without a date":            {tag: "v1.2.1", appVersion: "1.2.1", fails: `no section "## [1.2.1] - YYYY-MM-DD"`},
		"without a word":            {tag: "v1.2.2", appVersion: "1.2.2", fails: "says nothing about 1.2.2"},
		"another chart":             {tag: "v1.2.3", appVersion: "1.2.30", fails: "appVersion is not 1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			chart := filepath.Join(dir, "deploy", "helm", "rewardflow")
			require.NoError(t, os.MkdirAll(chart, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(chart, "Chart.yaml"), []byte("name: x\nappVersion: "+c.appVersion+"\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "CHANGELOG.md"), []byte(changelog), 0o600))
			notes, err := release.Notes(dir, c.tag)
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, notes)
		})
	}
}
