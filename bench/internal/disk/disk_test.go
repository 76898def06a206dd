package disk_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/disk"
)

func TestSync(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	took, err := disk.Sync(dir)
	require.NoError(t, err)
	require.Positive(t, took)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	_, err = disk.Sync(dir + "/missing")
	require.Error(t, err)
	require.False(t, disk.InMemory(dir+"/missing"))
}
