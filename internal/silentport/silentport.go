// Package silentport gives tests a port on which nobody listens.
package silentport

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Port is a port of this machine on which nobody listens, and which no other
// program is given before it is closed: it is one end of an open connection. A
// port that was listened on and closed is soon somebody else's.
type Port struct {
	// Address is 127.0.0.1:port.
	Address string

	near, far net.Conn
}

// Open takes a port. The caller closes it.
func Open() (*Port, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	near, err := (&net.Dialer{}).DialContext(context.Background(), "tcp4", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	far, err := listener.Accept()
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	return &Port{Address: near.LocalAddr().String(), near: near, far: far}, nil
}

// Close lets the system give the port to others.
func (p *Port) Close() error { return errors.Join(p.near.Close(), p.far.Close()) }

// Address returns the address of a port that is silent until the test ends.
func Address(t testing.TB) string {
	t.Helper()
	port, err := Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, port.Close()) })
	return port.Address
}
