package silentport_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/silentport"
)

// TestAddress: who connects is refused, and who wants to listen there as well.
func TestAddress(t *testing.T) {
	t.Parallel()

	address := silentport.Address(t)
	_, err := net.Dial("tcp4", address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = net.Listen("tcp4", address)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}
