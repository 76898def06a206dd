package identity

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Proxy is a reverse proxy that signs people in and names them in headers, as
// oauth2-proxy and Tailscale do. Only requests from its networks are believed:
// anybody else can send the same headers.
type Proxy struct {
	// Trusted are the networks that the proxy sends from; none trusts nobody.
	Trusted []netip.Prefix
	// UserHeader names the person, in one header with one value.
	UserHeader string
	// GroupsHeader holds the person's groups, with commas between them; empty
	// when the proxy sends none.
	GroupsHeader string
	// Groups gives each group its roles. A person in none of them has no role.
	Groups map[string][]string
}

func (p Proxy) on() bool { return len(p.Trusted) > 0 && p.UserHeader != "" }

// identify returns false when the proxy says nothing about the request.
func (p Proxy) identify(r *http.Request) (Principal, bool, error) {
	if !p.on() || !p.trusts(r.RemoteAddr) {
		return Principal{}, false, nil
	}
	names := r.Header.Values(p.UserHeader)
	if len(names) == 0 {
		return Principal{}, false, nil
	}
	name := strings.TrimSpace(names[0])
	if len(names) > 1 || !plainName(name) {
		// One of two may have come from the caller, past a proxy that only adds.
		return Principal{}, false, unauthenticated("the proxy does not name one person: " +
			"it must replace the header " + p.UserHeader + " that a request brings")
	}
	return Principal{Name: name, Verified: true, Roles: p.roles(r), Method: ByProxy}, true, nil
}

func (p Proxy) roles(r *http.Request) []string {
	if p.GroupsHeader == "" {
		return nil
	}
	values := r.Header.Values(p.GroupsHeader)
	if len(values) > 1 {
		return nil // As with the name: nobody knows which one the proxy sent.
	}
	var groups []string
	for _, value := range values {
		for group := range strings.SplitSeq(value, ",") {
			groups = append(groups, strings.TrimSpace(group))
		}
	}
	return rolesOfGroups(p.Groups, groups)
}

// rolesOfGroups returns the roles of somebody in groups, each once.
func rolesOfGroups(roles map[string][]string, groups []string) []string {
	var held []string
	for _, group := range groups {
		held = append(held, roles[group]...)
	}
	slices.Sort(held)
	return slices.Compact(held)
}

func (p Proxy) trusts(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(addr.Addr().Unmap()) })
}

// plainName reports whether a name can stand in a record and on a terminal. A
// sign that nobody sees would make a second person who looks like the first.
func plainName(name string) bool {
	return name != "" && len(name) <= 200 && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
}

// clientOf returns the address that failed logins are counted for: that of the
// connection, or, behind a trusted proxy, the one that the proxy added last.
func (p Proxy) clientOf(r *http.Request) string {
	if p.trusts(r.RemoteAddr) {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if last, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
			return last.Unmap().String()
		}
	}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return addr.Addr().Unmap().String()
	}
	return r.RemoteAddr
}
