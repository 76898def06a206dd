package nemesis

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAWireThatLocksItselfUpIsLaidAgain holds what Toxiproxy holds when it waits
// for itself: nothing can be added to the proxy or taken from it, and nobody new
// is connected.
func TestAWireThatLocksItselfUpIsLaidAgain(t *testing.T) {
	t.Parallel()

	upstream, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = upstream.Close() })
	go func() {
		for {
			conn, err := upstream.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "here")
			_ = conn.Close()
		}
	}()
	w := newWires()
	w.patience = 200 * time.Millisecond
	t.Cleanup(w.close)
	address, err := w.lay("a>b", upstream.Addr().String())
	require.NoError(t, err)
	requireAnswer(t, address)

	locked, _ := w.find("a>b")
	locked.Toxics.Lock()
	waits, err := net.Dial("tcp4", address) // It keeps the proxy from stopping as well.
	require.NoError(t, err)
	t.Cleanup(func() { _ = waits.Close() })
	for _, kind := range []Kind{HalfOpen, CutWire} {
		require.NoError(t, w.harm(t.Context(), "a>b", kind, time.Millisecond))
		requireAnswer(t, address)
	}
	now, _ := w.find("a>b")
	require.NotSame(t, locked, now)
	locked.Toxics.Unlock()

	// A proxy that a toxic was removed from gets no other.
	for range 2 {
		before, _ := w.find("a>b")
		require.NoError(t, w.harm(t.Context(), "a>b", HalfOpen, time.Millisecond))
		requireAnswer(t, address)
		now = before
	}
	last, _ := w.find("a>b")
	require.NotSame(t, now, last)
}

func requireAnswer(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp4", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "here\n", line)
}
