package engine

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// The flags of cmd/standalone that choose a port, for error messages.
const (
	flagGRPCPort = "--temporal-port"
	flagUIPort   = "--ui-port"
)

// PortTakenError says that somebody else listens on a port that was asked for.
type PortTakenError struct {
	Port int
	// Flag is the command-line flag that chooses another port; empty when
	// there is none.
	Flag string
}

// Error names the port and the flag.
func (e *PortTakenError) Error() string {
	if e.Flag == "" {
		return fmt.Sprintf("port %d on %s is taken: choose another", e.Port, host)
	}
	return fmt.Sprintf("port %d on %s is taken: choose another with %s", e.Port, host, e.Flag)
}

// ports are what the engine listens on. A port that is off is NoPort.
type ports struct {
	frontend, ui, metrics     int
	history, matching, worker int
}

// reservePorts checks the ports that were asked for and picks the others.
// All are held together until the last one is known, so that none is picked
// twice.
func reservePorts(o Options) (ports, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()

	var p ports
	for _, want := range []struct {
		port *int
		ask  int
		flag string
	}{
		{&p.frontend, o.GRPCPort, flagGRPCPort},
		{&p.ui, o.UIPort, flagUIPort},
		{&p.metrics, o.MetricsPort, ""},
		{&p.history, FreePort, ""},
		{&p.matching, FreePort, ""},
		{&p.worker, FreePort, ""},
	} {
		if want.ask == NoPort {
			*want.port = NoPort
			continue
		}
		l, err := reservePort(want.ask, want.flag)
		if err != nil {
			return ports{}, err
		}
		held = append(held, l)
		*want.port = l.Addr().(*net.TCPAddr).Port
	}
	if p.frontend == NoPort {
		return ports{}, errors.New("the embedded Temporal server cannot run without its gRPC port")
	}
	return p, nil
}

func reservePort(port int, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp4", hostPort(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &PortTakenError{Port: port, Flag: flag}
	}
	if err != nil {
		return nil, fmt.Errorf("listening on port %d: %w", port, err)
	}
	if port == FreePort {
		keepFromOthers(l)
	}
	return l, nil
}

// keepFromOthers makes the system reluctant to hand a free port to somebody
// else in the moment between our closing it and the server's opening it: after
// a connection was closed from the listener's side the port waits out
// TIME_WAIT, during which it can be listened on but is not picked for another
// socket. It is a courtesy; its failure changes nothing.
func keepFromOthers(l net.Listener) {
	dialed, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return
	}
	defer dialed.Close()
	accepted, err := l.Accept()
	if err != nil {
		return
	}
	_ = accepted.Close()
}
