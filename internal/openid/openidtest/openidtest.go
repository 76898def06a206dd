// Package openidtest is a double of a provider of OpenID Connect, for tests: a
// small server that does what one does (discovery, keys, a person who signs in
// at once, codes that work once, PKCE, RS256), and can have bad days. It signs
// in whoever asks, so it is fit for nothing else.
package openidtest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the provider knows its only client by.
const (
	ClientID     = "rewardflow"
	ClientSecret = "hush-this-is-the-clients-secret"
)

// Day is what the provider does. The zero value is a good day, but for the
// Person.
type Day struct {
	// Person holds the claims about whoever signs in.
	Person map[string]any
	// Edit has the last word on an ID token's claims; nil changes nothing.
	Edit func(claims map[string]any)
	// Algorithm is that of the signatures: RS256 where it is empty; none signs
	// nothing, and HS256 with the client's secret.
	Algorithm string
	// Forge signs with a key that is not shown, under the name of one that is.
	Forge bool
	// Deny is the error that the person is sent back with.
	Deny string
	// TokenStatus, KeysStatus and DiscoveryStatus are answered in place of tokens,
	// keys and discovery; zero answers.
	TokenStatus, KeysStatus, DiscoveryStatus int
	// Down closes every connection without an answer, and Silent keeps everybody
	// waiting for one.
	Down, Silent bool
	// Endless answers every question with more than anybody should read.
	Endless bool
	// Repeatable lets a code be used more than once.
	Repeatable bool
	// Public asks the client for no secret; InBody takes it in the body only.
	Public, InBody bool
	// Elsewhere holds what is told at the userinfo endpoint; nil has none.
	Elsewhere map[string]any
	// Issuer is what the discovery document says; empty is the truth.
	Issuer string
	// PlainEndpoint has the discovery document name a token endpoint on another
	// host without TLS.
	PlainEndpoint bool
}

// Provider is the double. Its methods may be called at the same time.
type Provider struct {
	// Issuer is its address.
	Issuer string
	now    func() time.Time

	mu    sync.Mutex
	day   Day
	codes map[string]grant
	// key is the one that signs, and shown those that people see.
	key   int
	shown []int
	// said is everything that must not be seen anywhere: codes and tokens.
	said  []string
	asked map[string]int
}

// grant is what a code stands for.
type grant struct {
	client, redirect, nonce, challenge string
	used                               bool
}

// New starts a provider, which a test's end closes. now is its clock.
func New(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	madeKeys() // Slow, and nothing that a caller should wait for.
	p := &Provider{now: now, codes: map[string]grant{}, shown: []int{0}, asked: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked[r.URL.Path]++
		if p.day.Silent {
			p.mu.Unlock()
			<-r.Context().Done() // The caller gives up.
			p.mu.Lock()
			return
		}
		switch {
		case p.day.Down:
			panic(http.ErrAbortHandler) // net/http closes the connection.
		case p.day.Endless:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"issuer":"` + strings.Repeat("x", 2<<20) + `"}`))
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	// Another site than 127.0.0.1, where what it signs people in to listens: what a
	// browser keeps from other sites, it keeps from this one.
	p.Issuer = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	return p
}

// Be begins another day.
func (p *Provider) Be(d Day) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.day = d
}

// Rotate signs with another key from now on, and shows that one only.
func (p *Provider) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key++
	p.shown = []int{p.key}
}

// Said returns every code and token that was ever given out.
func (p *Provider) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{ClientSecret}, p.said...)
}

// Asked returns how often a path was asked for.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	if p.day.DiscoveryStatus != 0 {
		http.Error(w, "closed", p.day.DiscoveryStatus)
		return
	}
	said := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token",
		"jwks_uri": p.Issuer + "/keys", "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		// Some name these two as well; nobody may believe them.
		"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
	}
	if p.day.Issuer != "" {
		said["issuer"] = p.day.Issuer
	}
	if p.day.PlainEndpoint {
		said["token_endpoint"] = "http://login.example.com/token"
	}
	if p.day.Elsewhere != nil {
		said["userinfo_endpoint"] = p.Issuer + "/userinfo"
	}
	answer(w, http.StatusOK, said)
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	if p.day.KeysStatus != 0 {
		http.Error(w, "closed", p.day.KeysStatus)
		return
	}
	var keys []map[string]string
	for _, i := range p.shown {
		public := keyNumber(i).PublicKey
		keys = append(keys, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": fmt.Sprint("key-", i),
			"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes()),
		})
	}
	answer(w, http.StatusOK, map[string]any{"keys": keys})
}

// authorize signs the person in at once, and sends the browser back.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	scopes := strings.Fields(q.Get("scope"))
	switch {
	case q.Get("response_type") != "code" || q.Get("client_id") != ClientID || len(scopes) == 0 || scopes[0] != "openid",
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43, q.Get("state") == "" || q.Get("nonce") == "":
		http.Error(w, "this is no request that a good client makes", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if p.day.Deny != "" {
		back.Set("error", p.day.Deny)
		back.Set("error_description", "<b>somebody@example.com</b> was turned away")
	} else {
		code := p.secret()
		p.codes[code] = grant{client: ClientID, redirect: q.Get("redirect_uri"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge")}
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code, by https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3
// and https://www.rfc-editor.org/rfc/rfc7636#section-4.6.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if p.day.TokenStatus != 0 {
		http.Error(w, "closed", p.day.TokenStatus)
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || p.day.InBody && basic || p.day.Public != (secret == "") || secret != "" && secret != ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	g, known := p.codes[code]
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || g.used && !p.day.Repeatable || g.redirect != r.PostFormValue("redirect_uri") ||
		r.PostFormValue("grant_type") != "authorization_code" || g.challenge != encode(sum[:]) {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the code " + code + " does not do"})
		return
	}
	g.used = true
	p.codes[code] = g
	now := p.now()
	claims := map[string]any{"iss": p.Issuer, "aud": ClientID, "sub": "person-1", "nonce": g.nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(claims, p.day.Person)
	if p.day.Edit != nil {
		p.day.Edit(claims)
	}
	answer(w, http.StatusOK, map[string]any{
		"access_token": p.secret(), "token_type": "Bearer", "expires_in": 300, "id_token": p.sign(claims),
	})
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		http.Error(w, "who asks?", http.StatusUnauthorized)
		return
	}
	answer(w, http.StatusOK, p.day.Elsewhere)
}

// AccessToken makes an access token with claims, those about the issuer and the
// time where they are not given.
func (p *Provider) AccessToken(claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	all := map[string]any{"iss": p.Issuer, "sub": "person-1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, claims)
	return p.sign(all)
}

// sign makes a token, by https://www.rfc-editor.org/rfc/rfc7515#section-7.1.
func (p *Provider) sign(claims map[string]any) string {
	algorithm := p.day.Algorithm
	if algorithm == "" {
		algorithm = "RS256"
	}
	text := encodeJSON(map[string]any{"alg": algorithm, "kid": fmt.Sprint("key-", p.key)}) + "." + encodeJSON(claims)
	var signature []byte
	switch algorithm {
	case "RS256":
		key := keyNumber(p.key)
		if p.day.Forge {
			key = keyNumber(p.key + 1)
		}
		sum := sha256.Sum256([]byte(text))
		signature, _ = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]) // A key of this size can sign.
	case "HS256":
		mac := hmac.New(sha256.New, []byte(ClientSecret))
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	token := text + "." + encode(signature)
	p.said = append(p.said, token)
	return token
}

func (p *Provider) secret() string {
	b := make([]byte, 24)
	rand.Read(b) //nolint:errcheck // It never fails.
	p.said = append(p.said, encode(b))
	return encode(b)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // A test's claims can be written.
	}
	return encode(text)
}

// keyNumber returns one of three keys, which are made once in a process.
func keyNumber(i int) *rsa.PrivateKey { return madeKeys()[i%3] }

//nolint:gochecknoglobals // Nothing writes it, and keys are slow to make.
var madeKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})
