package api_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// withOperators configures one operator for each role, whose token is the
// role's name with a prefix.
func withOperators(a *apiTest) {
	for _, role := range api.Roles() {
		a.cfg.Operators = append(a.cfg.Operators, operator(role, role))
	}
}

func operator(name string, roles ...string) api.Operator {
	return api.Operator{Name: name, TokenSHA256: sha256.Sum256([]byte(token(name))), Roles: roles}
}

func token(name string) string {
	return "rf_" + (name + "_0123456789abcdef0123456789abcdef0123456789abcdef")[:43]
}

// surface is the route table as it is meant to be: who may use what.
func surface() map[string][]string {
	everybody := []string{"viewer", "approver", "finance", "operator", "admin"}
	return map[string][]string{
		"GET /api/v1/rewards":               everybody,
		"GET /api/v1/rewards/:id":           everybody,
		"POST /api/v1/rewards/:id/decision": {"approver", "finance", "admin"},
		"POST /api/v1/rewards/:id/resolve":  {"operator", "admin"},
		"GET /api/v1/approvals":             everybody,
		"GET /api/v1/brake":                 everybody,
		"PUT /api/v1/brake":                 {"operator", "admin"},
		"GET /api/v1/payouts":               everybody,
		"GET /api/v1/payouts/totals":        everybody,
		"GET /api/v1/summary":               everybody,
		"GET /api/v1/rewards/:id/policy":    everybody,
		"GET /api/v1/events":                everybody,
		"GET /api/v1/events/:id":            everybody,
		"POST /api/v1/events/:id/replay":    {"operator", "admin"},
		"POST /api/v1/events/replay":        {"operator", "admin"},

		"POST /api/v1/keys/rotate":         {"admin"},
		"POST /api/v1/promoters/:id/erase": {"admin"},

		"POST /webhooks/firstpromoter/*secret": nil,
		"POST /webhooks/firstpromoter":         nil,
		"POST /webhooks/providers/:name":       nil,
		"POST /slack/interactions":             nil,
		"GET /api/v1/openapi.json":             nil,
		"GET /livez":                           nil,
		"GET /readyz":                          nil,
		"GET /metrics":                         nil,
		"GET /":                                nil,
	}
}

func TestRouteTableIsAsMeant(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	require.Equal(t, surface(), api.RouteTable(a.cfg, a.deps))
}

func TestRowThatForgotItsAccessAdmitsNobody(t *testing.T) {
	t.Parallel()

	for _, role := range append(api.Roles(), "") {
		require.False(t, api.ZeroAccessAllows(role))
	}
}

// Every route is asked with every role, with none, and with wrong tokens.
func TestRouteAdmitsItsRolesAndNobodyElse(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators, withKeys)
	a.ledger.reward = func(reward.ID) (ledger.Record, error) {
		rec := record(2429153, reward.Attention)
		rec.Facts = "{}"
		return rec, nil
	}
	a.ledger.event = func(int64) (ledger.LoggedFile, error) { return ledger.LoggedFile{}, nil }
	bodies := map[string]string{
		"POST /api/v1/rewards/:id/decision": `{"decision":"approve","digest":"d1"}`,
		"POST /api/v1/rewards/:id/resolve":  `{"action":"retry"}`,
		"PUT /api/v1/brake":                 `{"scope":"all","paused":false}`,
		"POST /api/v1/events/:id/replay":    `{}`,
		"POST /api/v1/keys/rotate":          `{}`,
		"POST /api/v1/promoters/:id/erase":  `{}`,
		"POST /api/v1/events/replay":        `{"from":"2026-11-23T00:00:00Z","to":"2026-11-24T00:00:00Z"}`,
	}
	client := 0
	for row, roles := range surface() {
		client++ // Wrong tokens are counted by address.
		fromAnother := func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("203.0.113.%d:4711", client) }
		method, path, _ := strings.Cut(row, " ")
		target := strings.Replace(path, ":id", "2429153", 1)
		if roles == nil {
			continue
		}
		for _, role := range api.Roles() {
			rec := a.do(t, method, target, bodies[row], bearer(token(role)))
			if slices.Contains(roles, role) {
				require.Equal(t, http.StatusOK, rec.Code, "%s as %s: %s", row, role, rec.Body)
				continue
			}
			require.Equal(t, http.StatusForbidden, rec.Code, "%s as %s", row, role)
			require.Equal(t, "role_missing", decode[problem](t, rec).Code)
		}
		for name, edit := range map[string]func(*http.Request){
			"no token":           func(*http.Request) {},
			"an empty token":     header("Authorization", "Bearer "),
			"blanks":             header("Authorization", "Bearer    "),
			"a wrong token":      bearer("wrong"),
			"half a token":       bearer(token("admin")[:20]),
			"a longer token":     bearer(token("admin") + "x"),
			"the operator name":  bearer("admin"),
			"a token's hash":     bearer(string(a.cfg.Operators[4].TokenSHA256[:])),
			"a very long token":  bearer(strings.Repeat("x", 100_000)),
			"another scheme":     header("Authorization", "Basic "+token("admin")),
			"no scheme":          header("Authorization", token("admin")),
			"a token in a query": func(r *http.Request) { r.URL.RawQuery = "access_token=" + token("admin") },
		} {
			rec := a.do(t, method, target, bodies[row], fromAnother, edit)
			require.Equal(t, http.StatusUnauthorized, rec.Code, "%s with %s", row, name)
			p := decode[problem](t, rec)
			require.Equal(t, "unauthenticated", p.Code)
			if name == "an empty token" || name == "blanks" || name == "no token" {
				require.Contains(t, p.Detail, "brings no token")
			}
			require.Equal(t, `Bearer realm="rewardflow"`, rec.Header().Get("WWW-Authenticate"))
		}
	}
	require.NotContains(t, a.logs.String(), token("admin")[:12])
}

func TestOpenRouteAsksForNoToken(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	for row, roles := range surface() {
		method, path, _ := strings.Cut(row, " ")
		if roles != nil || method != http.MethodGet {
			continue
		}
		rec := a.do(t, method, path, "", func(r *http.Request) {
			r.RemoteAddr, r.Host = "203.0.113.9:4711", "rewards.example.com"
		})
		require.Equal(t, http.StatusOK, rec.Code, row)
	}
}

func TestBearerSchemeHasNoCase(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	rec := a.do(t, http.MethodGet, "/api/v1/rewards", "", header("Authorization", "bearer "+token("viewer")))
	require.Equal(t, http.StatusOK, rec.Code)
}

// Without operators the API serves this machine. A page that resolves its own
// name to a loopback address, or a proxy beside us, is not this machine.
func TestWithoutOperatorsOnlyThisMachineIsServed(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	plain := func(*http.Request) {}
	for name, row := range map[string]struct {
		remote, host string
		edit         func(*http.Request)
		served       bool
	}{
		"localhost":                {"127.0.0.1:1", "localhost:8080", plain, true},
		"no port":                  {"127.0.0.1:1", "localhost", plain, true},
		"case":                     {"127.0.0.1:1", "LocalHost:8080", plain, true},
		"ipv4":                     {"127.0.0.1:1", "127.0.0.1:8080", plain, true},
		"other loopback":           {"127.8.9.10:1", "127.8.9.10", plain, true},
		"ipv6":                     {"[::1]:1", "[::1]:8080", plain, true},
		"ipv6 without port":        {"[::1]:1", "[::1]", plain, true},
		"mapped":                   {"[::ffff:127.0.0.1]:1", "127.0.0.1:8080", plain, true},
		"rebound name":             {"127.0.0.1:1", "evil.example:8080", plain, false},
		"localhost as a prefix":    {"127.0.0.1:1", "localhost.evil.example", plain, false},
		"localhost as a suffix":    {"127.0.0.1:1", "evil-localhost", plain, false},
		"address as a prefix":      {"127.0.0.1:1", "127.0.0.1.nip.io", plain, false},
		"any address":              {"127.0.0.1:1", "0.0.0.0:8080", plain, false},
		"no host":                  {"127.0.0.1:1", "", plain, false},
		"private network":          {"192.168.1.20:1", "localhost:8080", plain, false},
		"public address":           {"203.0.113.9:1", "127.0.0.1:8080", plain, false},
		"no remote address":        {"", "localhost", plain, false},
		"unix socket":              {"@", "localhost", plain, false},
		"behind a proxy":           {"127.0.0.1:1", "localhost:8080", header("X-Forwarded-For", "203.0.113.9"), false},
		"behind another proxy":     {"127.0.0.1:1", "localhost:8080", header("Forwarded", "for=203.0.113.9"), false},
		"behind a rewriting proxy": {"127.0.0.1:1", "localhost:8080", header("X-Real-IP", "127.0.0.1"), false},
		"behind a silent proxy":    {"127.0.0.1:1", "127.0.0.1:8080", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 0 }, false},
		"behind a named proxy":     {"127.0.0.1:1", "127.0.0.1:8080", header("Via", "1.1 proxy"), false},
		"pretends to be local":     {"203.0.113.9:1", "localhost", header("X-Forwarded-For", "127.0.0.1"), false},
	} {
		rec := a.do(t, http.MethodGet, "/api/v1/rewards", "", func(r *http.Request) {
			r.RemoteAddr, r.Host = row.remote, row.host
			row.edit(r)
		})
		if row.served {
			require.Equal(t, http.StatusOK, rec.Code, name)
			continue
		}
		require.Equal(t, http.StatusUnauthorized, rec.Code, name)
		p := decode[problem](t, rec)
		require.Equal(t, "operators_not_configured", p.Code)
		require.Contains(t, p.Detail, "list operators in the configuration")
	}
}

func TestWithOperatorsThisMachineNeedsATokenToo(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	require.Equal(t, http.StatusUnauthorized, a.do(t, http.MethodGet, "/api/v1/rewards", "").Code)
}

func TestCrossOriginRequestIsRefused(t *testing.T) {
	t.Parallel()

	a := newAPITest(t)
	target, body := "/api/v1/rewards/1/decision", `{"decision":"approve"}`
	for name, row := range map[string]struct {
		edit   func(*http.Request)
		status int
	}{
		"a program":         {func(*http.Request) {}, 200},
		"same origin":       {header("Sec-Fetch-Site", "same-origin"), 200},
		"address bar":       {header("Sec-Fetch-Site", "none"), 200},
		"own origin":        {header("Origin", "http://localhost:8080"), 200},
		"another site":      {header("Sec-Fetch-Site", "cross-site"), 403},
		"a sibling domain":  {header("Sec-Fetch-Site", "same-site"), 403},
		"an older browser":  {header("Origin", "https://evil.example"), 403},
		"another port":      {header("Origin", "http://localhost:3000"), 403},
		"a sandboxed frame": {header("Origin", "null"), 403},
	} {
		rec := a.do(t, http.MethodPost, target, body, row.edit)
		require.Equal(t, row.status, rec.Code, name)
		if row.status == http.StatusForbidden {
			require.Equal(t, "cross_origin", decode[problem](t, rec).Code)
		}
	}
	require.Equal(t, 5, a.counter(t, "rewardflow_http_requests_total",
		map[string]string{"route": "/api/v1/rewards/:id/decision", "code": "403"}), "refused requests are counted too")
}

// Wrong tokens are answered 429 after a while, with when to come back; a token
// that rewardflow made still comes in from the same address, so that nobody is
// kept out by a neighbour.
func TestWrongTokensAreSlowedDown(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	for range 30 {
		require.Equal(t, http.StatusUnauthorized, a.do(t, http.MethodGet, "/api/v1/rewards", "", bearer("guess")).Code)
	}
	rec := a.do(t, http.MethodGet, "/api/v1/rewards", "", bearer("guess"))
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	require.Equal(t, "too_many_failed_logins", decode[problem](t, rec).Code)
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Equal(t, http.StatusOK, a.do(t, http.MethodGet, "/api/v1/rewards", "", bearer(token("viewer"))).Code)
	require.Equal(t, http.StatusUnauthorized, a.do(t, http.MethodGet, "/api/v1/rewards", "", bearer("guess"),
		func(r *http.Request) { r.RemoteAddr = "203.0.113.99:1" }).Code)
}
