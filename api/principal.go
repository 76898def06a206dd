package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// The roles of an operator.
const (
	// RoleViewer reads everything.
	RoleViewer = "viewer"
	// RoleApprover decides, where the policy asks for it or for no role.
	RoleApprover = "approver"
	// RoleFinance decides, where the policy asks for it or for no role.
	RoleFinance = "finance"
	// RoleOperator resolves rewards that wait for a person, and holds the brake.
	RoleOperator = "operator"
	// RoleAdmin may use every route. It is no substitute for the role that the
	// policy asks of a decision.
	RoleAdmin = "admin"
)

// Roles returns all roles.
func Roles() []string {
	return []string{RoleViewer, RoleApprover, RoleFinance, RoleOperator, RoleAdmin}
}

// Operator is a person or a program that may use the operator API.
type Operator struct {
	// Name stands in decisions and in the log.
	Name string
	// TokenSHA256 is the SHA-256 of the bearer token; the token itself is
	// nowhere stored.
	TokenSHA256 [32]byte
	// Roles are some of Roles.
	Roles []string
}

// access says who may use a route. The zero value admits nobody.
type access int

const (
	nobody access = iota
	anyone
	reads
	decides
	operates
)

// roles returns the roles of which the caller needs one.
func (a access) roles() []string {
	switch a {
	case reads:
		return Roles()
	case decides:
		return []string{RoleApprover, RoleFinance, RoleAdmin}
	case operates:
		return []string{RoleOperator, RoleAdmin}
	case nobody, anyone:
	}
	return nil
}

func (a access) allows(held []string) bool {
	return slices.ContainsFunc(a.roles(), func(r string) bool { return slices.Contains(held, r) })
}

func roleMissing(a access) error {
	return newProblem(http.StatusForbidden, "role_missing",
		"this needs one of the roles "+strings.Join(a.roles(), ", ")+": ask whoever keeps the list of operators")
}

// principal is who sent a request.
type principal struct {
	name string
	// verified says that the name is proven, by a token.
	verified bool
	roles    []string
}

// principalKey is where a request keeps its principal.
const principalKey = "principal"

// principalOf returns who sent the request; nobody on a route for anyone.
func principalOf(c *gin.Context) principal {
	who, _ := c.Get(principalKey)
	p, _ := who.(principal)
	return p
}

// authenticator tells who sent a request.
type authenticator struct {
	operators []Operator
}

func newAuthenticator(operators []Operator) authenticator {
	return authenticator{operators: slices.Clone(operators)}
}

// identify returns the principal of a request, or the answer to one that has
// none.
func (a authenticator) identify(r *http.Request) (principal, error) {
	if len(a.operators) == 0 {
		return identifyLocal(r)
	}
	token, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return principal{}, newProblem(http.StatusUnauthorized, "unauthenticated",
			"the request brings no token: send it as Authorization: Bearer TOKEN")
	}
	given := sha256.Sum256([]byte(token))
	found := -1
	// Every operator is compared, so that the time tells nothing of the list.
	for i := range a.operators {
		same := subtle.ConstantTimeCompare(given[:], a.operators[i].TokenSHA256[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return principal{}, newProblem(http.StatusUnauthorized, "unauthenticated",
			"the token is not that of an operator")
	}
	return principal{name: a.operators[found].Name, verified: true, roles: a.operators[found].Roles}, nil
}

// identifyLocal serves a machine on which no operators are configured yet.
// The Host must be local too, because a web page can make a browser on this
// machine send to a loopback address under a name of the page's choice; and a
// request that a proxy passed on comes from somewhere else.
func identifyLocal(r *http.Request) (principal, error) {
	if loopbackAddr(r.RemoteAddr) && loopbackHost(r.Host) && !forwarded(r) {
		return principal{name: "local", roles: Roles()}, nil
	}
	return principal{}, newProblem(http.StatusUnauthorized, "operators_not_configured",
		"no operators are configured, so only this machine may use the operator API, at localhost or a loopback "+
			"address and not through a proxy: to use it from elsewhere, list operators in the configuration, "+
			"each with a name, roles and the SHA-256 of a token")
}

func bearer(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
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

// loopbackHost reports whether "host" or "host:port" names this machine for
// certain.
func loopbackHost(hostPort string) bool {
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
