// Package buildinfo says what this program was built from.
package buildinfo

import (
	"runtime/debug"
	"strings"
)

// The linker writes these where the build has no repository beside it, as in an
// image: -ldflags "-X github.com/rewardflow/rewardflow/internal/buildinfo.version=v1.2.3".
// Nothing else writes them.
var (
	version string
	commit  string
)

// Version is what the linker was told, or what Go stamped into the program: a
// tag, or what names the commit; "devel" when it was built without either.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case !ok || info.Main.Version == "":
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}

// Commit is the commit that the program was built from, or nothing when it was
// built without its repository and nobody said it.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if commit != "" || !ok {
		return commit
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
