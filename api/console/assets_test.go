package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// axeSHA256 is package/axe.min.js of axe-core 4.14.1 on npm.
const axeSHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

// What others made is what they published: files of the npm packages, unchanged.
func TestVendoredFilesAreThoseThatWerePublished(t *testing.T) {
	t.Parallel()

	for file, want := range map[string]string{
		"static/htmx.min.js":  "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717", // htmx.org 2.0.11, package/dist/htmx.min.js
		"static/LICENSE-htmx": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38", // htmx.org 2.0.11, package/LICENSE
	} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equal(t, want, hex.EncodeToString(sum[:]), file)
	}
	licence, err := os.ReadFile("testdata/LICENSE-axe")
	require.NoError(t, err)
	require.Contains(t, string(licence), "Mozilla Public License")
}
