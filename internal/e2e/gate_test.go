package e2e_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// gate is a TCP address that takes every connection and says nothing, like a
// server that hangs, until it is opened to another address.
type gate struct {
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	to     string
	closed bool
	conns  []net.Conn
}

func newGate(t *testing.T) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := &gate{listener: listener}
	g.work.Go(g.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		g.hangUp(true)
		g.work.Wait()
	})
	return g
}

func (g *gate) address() string { return g.listener.Addr().String() }

// open drops what hangs and lets later connections through.
func (g *gate) open(to string) {
	g.mu.Lock()
	g.to = to
	g.mu.Unlock()
	g.hangUp(false)
}

func (g *gate) hangUp(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.conns = nil
}

func (g *gate) accept() {
	for {
		from, err := g.listener.Accept()
		if err != nil {
			return
		}
		if to := g.keep(from); to != "" {
			g.work.Go(func() { g.pass(from, to) })
		}
	}
}

// keep remembers a connection and returns where it leads; nowhere when empty.
func (g *gate) keep(c net.Conn) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = c.Close()
		return ""
	}
	g.conns = append(g.conns, c)
	return g.to
}

func (g *gate) pass(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	g.keep(to)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	})
	_, _ = io.Copy(to, from)
	_ = to.Close()
	back.Wait()
}

// laterPort returns a port for a process to listen on later. Whoever asks for a free
// port is unlikely to get it for a minute, because a connection was closed from its side.
func laterPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dialed, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	defer dialed.Close()
	accepted, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, accepted.Close())
	return listener.Addr().(*net.TCPAddr).Port
}
