package firstpromoter

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// AddFixtures seeds a fuzz test with the bodies under testdata.
func AddFixtures(f *testing.F) {
	f.Helper()

	paths, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		body, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(body)
	}
}
