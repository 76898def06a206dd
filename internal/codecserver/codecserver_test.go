package codecserver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rewardflow/rewardflow/internal/codecserver"
	"github.com/rewardflow/rewardflow/internal/encryption"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/identity"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/openid"
	"github.com/rewardflow/rewardflow/internal/openid/openidtest"
)

const (
	origin = "https://temporal.example.com"
	canary = "canary-4711"
)

func token(name string) string { return "rf_" + (name + strings.Repeat("x", 43))[:43] }

// world is a codec server with an operator for each role.
type world struct {
	handler http.Handler
	ring    *encryption.Ring
	logs    *bytes.Buffer
}

// nobody holds no sessions.
type nobody struct{ identity.Sessions }

func (nobody) SessionOf(context.Context, string) (ledger.Session, error) {
	return ledger.Session{}, fault.New(fault.NotFound, "test", "no session")
}

func newWorld(t *testing.T, edits ...func(*identity.Config)) *world {
	t.Helper()
	k, _ := encryption.NewKey(time.Now())
	ring, err := encryption.NewRing([]encryption.Key{k}, k.ID)
	require.NoError(t, err)
	who := identity.Config{}
	for _, role := range identity.Roles() {
		who.Operators = append(who.Operators, identity.Operator{Name: role, TokenSHA256: sha256.Sum256([]byte(token(role))), Roles: []string{role}})
	}
	who.Operators = append(who.Operators, identity.Operator{Name: "idle", TokenSHA256: sha256.Sum256([]byte(token("idle")))})
	for _, edit := range edits {
		edit(&who)
	}
	w := &world{ring: ring, logs: &bytes.Buffer{}}
	w.handler, err = codecserver.New(codecserver.Config{
		Ring: ring, Identify: identity.New(who, nobody{}).Identify, Origin: origin, Logger: slog.New(slog.NewJSONHandler(w.logs, nil)),
	})
	require.NoError(t, err)
	return w
}

// encrypted is a body for /decode.
func (w *world) encrypted(t *testing.T) string {
	t.Helper()
	dc := encryption.NewDataConverter(converter.GetDefaultDataConverter(), w.ring)
	payloads, err := dc.ToPayloads(canary, 17)
	require.NoError(t, err)
	body, err := protojson.Marshal(payloads)
	require.NoError(t, err)
	return string(body)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func as(name string) func(*http.Request) { return header("Authorization", "Bearer "+token(name)) }

func (w *world) ask(method, path, body string, edits ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, edit := range edits {
		edit(r)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// decoded returns what an answer holds, in words.
func decoded(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var payloads commonpb.Payloads
	require.NoError(t, protojson.Unmarshal(rec.Body.Bytes(), &payloads))
	var out strings.Builder
	for _, p := range payloads.GetPayloads() {
		out.Write(p.GetData())
	}
	return out.String()
}

func TestPagesOfTheUIReadWhatIsEncrypted(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	rec := w.ask(http.MethodOptions, "/decode", "", header("Origin", origin),
		header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization,content-type,x-namespace"))
	require.Equal(t, http.StatusNoContent, rec.Code)
	require.Equal(t, origin, rec.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", rec.Header().Get("Access-Control-Allow-Credentials"))
	require.Equal(t, "Authorization, Content-Type, X-Namespace", rec.Header().Get("Access-Control-Allow-Headers"))
	require.Equal(t, "POST", rec.Header().Get("Access-Control-Allow-Methods"))

	rec = w.ask(http.MethodPost, "/decode", w.encrypted(t), header("Origin", origin), header("X-Namespace", "default"), as("viewer"))
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, `"`+canary+`"17`, decoded(t, rec))
	require.Equal(t, origin, rec.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	require.Contains(t, w.logs.String(), `"principal":"viewer"`)

	typed := `{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"InR5cGVkIg=="}]}`
	rec = w.ask(http.MethodPost, "/encode", typed, header("Origin", origin), as("operator"))
	require.Equal(t, http.StatusOK, rec.Code)
	require.NotContains(t, decoded(t, rec), "typed")
	rec = w.ask(http.MethodPost, "/decode", rec.Body.String(), as("viewer"))
	require.Equal(t, `"typed"`, decoded(t, rec))
	require.NotContains(t, w.logs.String(), canary)
	require.NotContains(t, w.logs.String(), "typed")
}

// Who may do what, and that nobody else learns anything.
func TestRolesOfTheCodecServer(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for _, role := range append(identity.Roles(), "idle") {
		decodes := role != "idle"
		encodes := role == "operator" || role == "admin"
		for path, may := range map[string]bool{"/decode": decodes, "/encode": encodes} {
			rec := w.ask(http.MethodPost, path, w.encrypted(t), as(role))
			require.Equal(t, may, rec.Code == http.StatusOK, "%s as %s", path, role)
			if !may {
				require.Equal(t, http.StatusForbidden, rec.Code)
				require.Contains(t, rec.Body.String(), "this needs one of the roles")
				require.NotContains(t, rec.Body.String(), canary)
			}
		}
	}
	for name, edits := range map[string][]func(*http.Request){
		"nothing": nil, "a wrong token": {header("Authorization", "Bearer wrong")},
		"basic": {header("Authorization", "Basic "+token("admin"))}, "a cookie": {header("Cookie", "rewardflow="+token("admin"))},
	} {
		rec := w.ask(http.MethodPost, "/decode", w.encrypted(t), edits...)
		require.Equal(t, http.StatusUnauthorized, rec.Code, name)
		require.NotContains(t, rec.Body.String(), canary, name)
	}
}

func TestOtherPagesAreRefused(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	for name, edits := range map[string][]func(*http.Request){
		"another site":      {header("Origin", "https://evil.example.com")},
		"a sandboxed page":  {header("Origin", "null")},
		"without TLS":       {header("Origin", "http://temporal.example.com")},
		"another port":      {header("Origin", origin+":8443")},
		"a subdomain":       {header("Origin", "https://x.temporal.example.com")},
		"a longer name":     {header("Origin", origin+".evil.example.com")},
		"a slash":           {header("Origin", origin+"/")},
		"two":               {header("Origin", origin), header("Origin", "https://evil.example.com")},
		"empty":             {header("Origin", "")},
		"says only so much": {header("Sec-Fetch-Site", "cross-site")},
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			rec := w.ask(method, "/decode", w.encrypted(t), append(edits, as("admin"))...)
			require.Equal(t, http.StatusForbidden, rec.Code, "%s %s", method, name)
			require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"), name)
			require.Empty(t, rec.Header().Get("Access-Control-Allow-Credentials"), name)
			require.NotContains(t, rec.Body.String(), canary, name)
		}
	}
	require.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/decode", w.encrypted(t), as("viewer")).Code, "a program sends no origin")
}

func TestRequestsAreLimited(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.ask(http.MethodPost, "/decode", strings.Repeat(" ", codecserver.MaxBody+1), as("viewer")).Code)
	require.Equal(t, http.StatusBadRequest, w.ask(http.MethodPost, "/decode", "no json", as("viewer")).Code)
	require.Equal(t, http.StatusMethodNotAllowed, w.ask(http.MethodGet, "/decode", "", as("viewer")).Code)
	require.Equal(t, http.StatusNotFound, w.ask(http.MethodPost, "/x/decode", w.encrypted(t), as("viewer")).Code)
	require.Equal(t, http.StatusOK, w.ask(http.MethodGet, "/readyz", "").Code)
	for range 30 {
		require.Equal(t, http.StatusUnauthorized, w.ask(http.MethodPost, "/decode", "{}", header("Authorization", "Bearer guess")).Code)
	}
	rec := w.ask(http.MethodPost, "/decode", "{}", header("Authorization", "Bearer guess"))
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	require.Equal(t, "2", rec.Header().Get("Retry-After"))
}

func TestWhatCannotBeDecryptedNamesItsKey(t *testing.T) {
	t.Parallel()

	w, other := newWorld(t), newWorld(t)
	rec := w.ask(http.MethodPost, "/decode", other.encrypted(t), as("viewer"))
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.Contains(t, rec.Body.String(), other.ring.Active())
	require.Contains(t, rec.Body.String(), "put the key back")
}

// TestAccessTokensOfTheUI: with a provider of OpenID Connect the Temporal UI
// passes on what it signed people in with, and their groups give them roles.
func TestAccessTokensOfTheUI(t *testing.T) {
	t.Parallel()

	p := openidtest.New(t, time.Now)
	client, err := openid.New(openid.Config{
		Issuer: p.Issuer, ClientID: openidtest.ClientID, RedirectURL: "http://127.0.0.1/return",
		Scopes: []string{"openid"}, NameClaim: "sub", GroupsClaim: "groups", Timeout: time.Minute,
	})
	require.NoError(t, err)
	w := newWorld(t, func(c *identity.Config) {
		c.AccessTokens = client.AccessTokens("temporal-ui")
		c.OpenID = identity.OpenID{Provider: client, Groups: map[string][]string{"support": {"viewer"}, "on-call": {"operator"}}}
	})
	ask := func(path string, claims map[string]any) int {
		return w.ask(http.MethodPost, path, w.encrypted(t), header("Origin", origin), header("Authorization", "Bearer "+p.AccessToken(claims))).Code
	}
	require.Equal(t, http.StatusOK, ask("/decode", map[string]any{"aud": "temporal-ui", "groups": "support"}))
	require.Equal(t, http.StatusForbidden, ask("/encode", map[string]any{"aud": "temporal-ui", "groups": "support"}))
	require.Equal(t, http.StatusOK, ask("/encode", map[string]any{"aud": "temporal-ui", "groups": "on-call"}))
	require.Equal(t, http.StatusForbidden, ask("/decode", map[string]any{"aud": "temporal-ui", "groups": "marketing"}))
	require.Equal(t, http.StatusUnauthorized, ask("/decode", map[string]any{"aud": "another", "groups": "support"}))
	p.Be(openidtest.Day{Down: true})
	later := newWorld(t, func(c *identity.Config) {
		again, err := openid.New(openid.Config{
			Issuer: p.Issuer, ClientID: openidtest.ClientID, RedirectURL: "http://127.0.0.1/return",
			Scopes: []string{"openid"}, NameClaim: "sub", GroupsClaim: "groups", Timeout: time.Minute,
		})
		require.NoError(t, err)
		c.AccessTokens = again.AccessTokens("temporal-ui")
	})
	rec := later.ask(http.MethodPost, "/decode", "{}", header("Authorization", "Bearer a.b.c"))
	require.Equal(t, http.StatusServiceUnavailable, rec.Code, "who is down is not who is wrong")
	body, err := io.ReadAll(rec.Body)
	require.NoError(t, err)
	require.NotContains(t, string(body), p.Issuer)
}
