// Package firstpromotertest has what tests of several packages ask of
// FirstPromoter's events.
package firstpromotertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// AddBodies seeds a fuzz test with the bodies in a directory, of which there is
// one at least.
func AddBodies(f *testing.F, dir string) {
	f.Helper()

	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		body, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(body)
	}
}
