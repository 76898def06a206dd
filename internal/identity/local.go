package identity

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// identifyLocal serves a machine on which nobody is configured yet. The Host
// must be local too, because a web page can make a browser on this machine send
// to a loopback address under a name of the page's choice; and a request that a
// proxy passed on comes from somewhere else.
func identifyLocal(r *http.Request) (Principal, error) {
	if loopbackAddr(r.RemoteAddr) && LoopbackHost(r.Host) && !forwarded(r) {
		return Principal{Name: "local", Roles: Roles(), Method: ByMachine}, nil
	}
	return Principal{}, &Refusal{
		Code: CodeNotConfigured,
		Message: "no operators are configured, so only this machine may use the operator API, at localhost or a loopback " +
			"address and not through a proxy: to use it from elsewhere, list operators in the configuration, " +
			"each with a name, roles and the SHA-256 of a token",
	}
}

// forwarded reports whether a request came through a proxy, as far as that can
// be seen. A proxy on this machine may name this machine as the host and send
// no header of its own, as nginx does unless it is told otherwise; but then it
// speaks HTTP/1.0, or names itself in Via, which no client of ours does.
func forwarded(r *http.Request) bool {
	return !r.ProtoAtLeast(1, 1) || slices.ContainsFunc(
		[]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"},
		func(name string) bool { return r.Header.Get(name) != "" })
}

func loopbackAddr(hostPort string) bool {
	addr, err := netip.ParseAddrPort(hostPort)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// LoopbackHost reports whether "host" or "host:port" names this machine for
// certain.
func LoopbackHost(hostPort string) bool {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
