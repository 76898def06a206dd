package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands before several processes of the API, like the one of a team. It
// asks each process whether it is ready, sends requests to those that are in
// turn, and sends a request to another one when no connection came about.
type proxy struct {
	*httptest.Server
	http *http.Client
	// again also sends a request again that was lost on its way: nginx calls it
	// non_idempotent.
	again bool
	turn  atomic.Uint64

	mu       sync.Mutex
	backends map[string]*backend
	// resent counts requests that were sent to a second process.
	resent atomic.Int64
}

// backend is one process, by its place.
type backend struct {
	url   string
	ready bool
}

func newProxy(t *testing.T, again bool) *proxy {
	t.Helper()
	p := &proxy{
		http:     &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
		again:    again,
		backends: map[string]*backend{},
	}
	p.Server = httptest.NewServer(p)
	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { p.look(ctx) })
	t.Cleanup(func() {
		cancel()
		looking.Wait()
		p.CloseClientConnections()
		p.Close()
		p.http.CloseIdleConnections()
	})
	return p
}

// put says which process is at a place. It gets requests once it is ready.
func (p *proxy) put(place string, child *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backends[place] = &backend{url: child.URL}
}

// look asks the processes whether they are ready.
func (p *proxy) look(ctx context.Context) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		p.mu.Lock()
		asked := make([]*backend, 0, len(p.backends))
		for _, b := range p.backends {
			asked = append(asked, b)
		}
		p.mu.Unlock()
		var looks sync.WaitGroup
		for _, b := range asked {
			looks.Go(func() {
				ready := p.isReady(ctx, b.url)
				p.mu.Lock()
				b.ready = ready
				p.mu.Unlock()
			})
		}
		looks.Wait()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *proxy) isReady(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// awaitReady waits until n processes get requests.
func (p *proxy) awaitReady(t *testing.T, n int) {
	t.Helper()
	eventually(t, startWithin, func() (string, bool) {
		return "the proxy knows fewer processes that are ready", len(p.readyURLs()) == n
	})
}

func (p *proxy) readyURLs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var urls []string
	for _, b := range p.backends {
		if b.ready {
			urls = append(urls, b.url)
		}
	}
	slices.Sort(urls)
	return urls
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	var tried []string
	for {
		url := p.next(r.Context(), tried)
		if url == "" {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		if len(tried) > 0 {
			p.resent.Add(1)
		}
		resp, err := p.send(r, url, body)
		if err == nil {
			rw.WriteHeader(resp.status)
			_, _ = rw.Write(resp.body)
			return
		}
		if dial, ok := errors.AsType[*net.OpError](err); !p.again && (!ok || dial.Op != "dial") {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		tried = append(tried, url)
	}
}

// next returns a process that is ready and was not tried, and waits for one.
func (p *proxy) next(ctx context.Context, tried []string) string {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		urls := slices.DeleteFunc(p.readyURLs(), func(url string) bool { return slices.Contains(tried, url) })
		if len(urls) > 0 {
			return urls[p.turn.Add(1)%uint64(len(urls))]
		}
		select {
		case <-ctx.Done():
			return ""
		case <-ticker.C:
		}
	}
}

func (p *proxy) send(r *http.Request, url string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, url+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.GetBody = nil // What may be sent again is said here, and not by the transport.
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, body: content}, err
}
