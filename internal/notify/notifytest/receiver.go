package notifytest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// secretPath is the path of every URL that the suite hands out. As with Slack,
// whoever knows it may post.
const secretPath = "/services/T0000/SECRETPATH"

// request is what the receiver was sent.
type request struct {
	method string
	header http.Header
	body   []byte
}

// receiver is the other side of a channel. It keeps what it is sent and answers
// as it is told; its answers quote the request, so that an error that quotes an
// answer is found out.
type receiver struct {
	url string

	mu       sync.Mutex
	requests []request
	handler  http.HandlerFunc
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.answer(http.StatusOK)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + secretPath
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.requests = append(r.requests, request{req.Method, req.Header.Clone(), body})
	handler := r.handler
	r.mu.Unlock()
	handler(w, req)
}

// handle sets how requests are answered from now on.
func (r *receiver) handle(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handler = h
}

// answer answers with a status from now on.
func (r *receiver) answer(status int) {
	r.handle(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "http://%s%s said %v %s", req.Host, req.URL.Path, req.Header, body)
	})
}

// take returns the requests since the last call.
func (r *receiver) take() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := r.requests
	r.requests = nil
	return requests
}

// silence answers nothing for as long as the other side waits.
func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
