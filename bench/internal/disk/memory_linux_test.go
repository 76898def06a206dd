package disk_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/bench/internal/disk"
)

func TestInMemory(t *testing.T) {
	t.Parallel()

	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("there is no /dev/shm here: ", err)
	}
	require.True(t, disk.InMemory("/dev/shm"))
}
