package deploy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a condition may take to come true.
const patience = 20 * time.Second

// fakeAPI is what the proxy sees of a process of the API.
type fakeAPI struct {
	server  *http.Server
	address string
	ready   atomic.Bool
	// hang makes it read a request and close the connection without an answer.
	hang  atomic.Bool
	taken atomic.Int64
}

func newFakeAPI(t *testing.T, address string) *fakeAPI {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	api := &fakeAPI{address: listener.Addr().String()}
	api.ready.Store(true)
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !api.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		api.taken.Add(1)
		if api.hang.Load() {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(body)
	})
	api.server = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { _ = api.server.Serve(listener) }()
	t.Cleanup(func() { _ = api.server.Close() })
	return api
}

// proxied are two APIs behind HAProxy with the configuration of docker-compose.yml.
type proxied struct {
	apis   [2]*fakeAPI
	url    string
	client *http.Client
	output *lockedBuffer
}

func startProxy(t *testing.T) *proxied {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		if os.Getenv("REWARDFLOW_HAPROXY") == "required" {
			t.Fatal("HAProxy is not installed, and REWARDFLOW_HAPROXY says that it is required")
		}
		t.Skip("HAProxy is not installed (Debian: apt-get install haproxy), so the proxy's configuration is not tried")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())

	p := &proxied{
		apis:   [2]*fakeAPI{newFakeAPI(t, "127.0.0.1:0"), newFakeAPI(t, "127.0.0.1:0")},
		url:    "http://" + address,
		client: &http.Client{Timeout: patience},
		output: &lockedBuffer{},
	}
	cmd := exec.Command(program, "-db", "-f", filepath.Join("compose", "haproxy.cfg"))
	cmd.Env = []string{"LISTEN=" + address, "API_1=" + p.apis[0].address, "API_2=" + p.apis[1].address, "NAMESERVER=127.0.0.1:53"}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		status, err := p.post(t.Context(), "/webhooks/firstpromoter/x", "{}")
		return err == nil && status == http.StatusAccepted
	}, patience, 20*time.Millisecond, "%s", p.output)
	return p
}

func (p *proxied) post(ctx context.Context, path, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusAccepted && string(got) != body {
		err = fmt.Errorf("sent %q, and %q came back", body, got)
	}
	return resp.StatusCode, err
}

// traffic sends 200 webhooks per second until stop is called, which returns how
// many were sent and what failed.
func (p *proxied) traffic(t *testing.T, path string) (stop func() (int, []string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		sent   int
		failed []string
	)
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			sent++
			body := fmt.Sprintf(`{"event":{"id":%d}}`, sent)
			wg.Go(func() {
				status, err := p.post(context.WithoutCancel(ctx), path, body)
				if err != nil || status != http.StatusAccepted {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, fmt.Sprintf("%d %v", status, err))
				}
			})
		}
	})
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return sent, failed
	}
}

// taken waits until an API has taken so many more requests.
func (p *proxied) taken(t *testing.T, api *fakeAPI, more int64) {
	t.Helper()
	before := api.taken.Load()
	require.Eventually(t, func() bool { return api.taken.Load() >= before+more }, patience, 5*time.Millisecond)
}

func TestNoWebhookFailsWhileAPIsAreReplaced(t *testing.T) {
	t.Parallel()

	p := startProxy(t)
	stop := p.traffic(t, "/webhooks/firstpromoter/secret-in-the-path")
	for i := range p.apis {
		old, other := p.apis[i], p.apis[1-i]
		p.taken(t, old, 20)
		// As rewardflow api stops: not ready, then nothing new, then gone.
		old.ready.Store(false)
		require.Eventually(t, func() bool {
			before := old.taken.Load()
			time.Sleep(50 * time.Millisecond) // As long as ten requests take.
			return old.taken.Load() == before
		}, patience, time.Millisecond)
		require.NoError(t, old.server.Shutdown(t.Context()))
		p.taken(t, other, 50)
		p.apis[i] = newFakeAPI(t, old.address)
		p.taken(t, p.apis[i], 20)
	}
	sent, failed := stop()
	require.Empty(t, failed, "of %d", sent)
	require.NotContains(t, p.output.String(), "secret-in-the-path")
}

func TestNoWebhookFailsWhenAnAPIIsKilled(t *testing.T) {
	t.Parallel()

	p := startProxy(t)
	stop := p.traffic(t, "/webhooks/firstpromoter/x")
	for i := range p.apis {
		p.taken(t, p.apis[i], 20)
		// Requests that it has read are lost, and then nobody listens.
		p.apis[i].hang.Store(true)
		p.taken(t, p.apis[i], 5)
		require.NoError(t, p.apis[i].server.Close())
		p.taken(t, p.apis[1-i], 50)
		p.apis[i] = newFakeAPI(t, p.apis[i].address)
		p.taken(t, p.apis[i], 20)
	}
	sent, failed := stop()
	require.Empty(t, failed, "of %d", sent)
}

func TestAnOperatorsWordIsSentOnce(t *testing.T) {
	t.Parallel()

	p := startProxy(t)
	for _, api := range p.apis {
		api.hang.Store(true)
	}
	before := p.apis[0].taken.Load() + p.apis[1].taken.Load()
	// On a connection that was used before, HAProxy closes without an answer.
	p.client.CloseIdleConnections()
	status, err := p.post(t.Context(), "/api/v1/rewards/1/decision", "{}")
	require.NoError(t, err)
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, before+1, p.apis[0].taken.Load()+p.apis[1].taken.Load())
}

func TestMetricsAreNotProxied(t *testing.T) {
	t.Parallel()

	p := startProxy(t)
	resp, err := p.client.Get(p.url + "/metrics")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
