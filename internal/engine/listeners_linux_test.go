package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireLoopbackOnly reads from the kernel what this process listens on.
func requireLoopbackOnly(t *testing.T) {
	t.Helper()
	const (
		listening    = "0A"
		loopback     = "0100007F:" // 127.0.0.1, in the kernel's byte order.
		localAddress = 1
		state        = 3
		inode        = 9
	)
	own := ownSockets(t)
	found := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if os.IsNotExist(err) {
			continue // A kernel without IPv6.
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) <= inode || fields[state] != listening || !own[fields[inode]] {
				continue
			}
			found++
			require.True(t, strings.HasPrefix(fields[localAddress], loopback), "listens on %s", fields[localAddress])
		}
	}
	// Four services, the UI and the metrics.
	require.GreaterOrEqual(t, found, 6)
}

// ownSockets returns the inodes of the sockets that this process has open.
func ownSockets(t *testing.T) map[string]bool {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	sockets := make(map[string]bool)
	for _, link := range links {
		target, err := os.Readlink(link)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return sockets
}
