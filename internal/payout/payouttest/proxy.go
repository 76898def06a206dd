package payouttest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// breakage is what the proxy does with one request. It may let the double act, or
// not, and answers in its place.
type breakage func(w http.ResponseWriter, r *http.Request)

// proxy stands between the adapter and the double. It breaks sends, or
// everything, and keeps the bytes of every send.
type proxy struct {
	fake   http.Handler
	isSend func(*http.Request) bool
	url    string

	mu    sync.Mutex
	sends [][]byte
	// next breaks sends; all breaks every request. Nil breaks nothing.
	next breakage
	all  breakage
}

func newProxy(t *testing.T, s Subject) *proxy {
	t.Helper()
	p := &proxy{fake: s.Fake, isSend: s.IsSend}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if breaks := p.breakageFor(r, body); breaks != nil {
		breaks(w, r)
		return
	}
	p.fake.ServeHTTP(w, r)
}

func (p *proxy) breakageFor(r *http.Request, body []byte) breakage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isSend(r) {
		return p.all
	}
	p.sends = append(p.sends, body)
	if p.next != nil {
		return p.next
	}
	return p.all
}

// breakSends sets what happens to sends from now on; nil heals.
func (p *proxy) breakSends(f breakage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// breakAll sets what happens to every request from now on; nil heals.
func (p *proxy) breakAll(f breakage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = f
}

// takeSends returns the bodies of the sends since the last call.
func (p *proxy) takeSends() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	sends := p.sends
	p.sends = nil
	return sends
}

// act lets the double do what was asked and returns its answer.
func (p *proxy) act(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	p.fake.ServeHTTP(answer, r)
	return answer
}

// after lets the double act, and then answers by f.
func (p *proxy) after(f breakage) breakage {
	return func(w http.ResponseWriter, r *http.Request) {
		p.act(r)
		f(w, r)
	}
}

// truncate lets the double act and breaks its answer off in the middle.
func (p *proxy) truncate(w http.ResponseWriter, r *http.Request) { Truncate(w, p.act(r)) }

// Truncate sends the status and the first half of an answer, and breaks off. It
// ends its handler by a panic, as http.ErrAbortHandler demands.
func Truncate(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	whole := answer.Body.Bytes()
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.Header().Set("Content-Length", strconv.Itoa(max(len(whole), 2)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(whole[:len(whole)/2])
	// Else the status would be lost together with the rest.
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// status answers with a status and a body, and sets a Retry-After of 7 seconds.
func status(code int, body string) breakage {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// garbage answers 200 with something that no provider says.
func garbage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html>It works!")
}

// hangUp closes the connection in an orderly way, without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Reset breaks the connection without an answer.
func Reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// silence answers nothing for as long as the other side waits.
func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// redirectTo answers with a redirect that keeps the method and the body.
func redirectTo(url string) breakage {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, url, http.StatusTemporaryRedirect)
	}
}
