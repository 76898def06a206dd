package egress_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/egress"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/silentport"
)

const patience = 20 * time.Second

// post makes one POST, reads the whole answer and classifies what went wrong.
func post(t *testing.T, c *http.Client, target string) *fault.Error {
	t.Helper()
	return postWith(t.Context(), t, c, target, nil)
}

func postWith(ctx context.Context, t *testing.T, c *http.Client, target string, h http.Header) *fault.Error {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(`{"a":1}`))
	require.NoError(t, err)
	for name := range h {
		req.Header.Set(name, h.Get(name))
	}
	resp, err := c.Do(req)
	if err != nil {
		return egress.Classify("test.post", err)
	}
	if _, err := egress.ReadBody(resp); err != nil {
		broken, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok)
		return broken
	}
	return nil
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// rawServer answers every connection by f and closes it.
func rawServer(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

func requireFault(t *testing.T, got *fault.Error, kind fault.Kind, message string) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, message, got.Message)
	require.Equal(t, kind, got.Kind)
	require.Error(t, got.Unwrap(), "the cause is kept")
}

func TestWhatNeverReachedTheOtherSideIsUnavailable(t *testing.T) {
	t.Parallel()

	client := egress.NewClient(egress.Options{Timeout: patience})
	requireFault(t, post(t, client, "http://"+silentport.Address(t)+"/secret-path"),
		fault.Unavailable, "cannot connect: connection refused")

	// Which of the two it is depends on whether this machine has a name server.
	unnamed := post(t, client, "https://host-that-does-not-exist.invalid/secret-path")
	require.NotNil(t, unnamed)
	require.Equal(t, fault.Unavailable, unnamed.Kind)
	require.Contains(t, []string{
		"cannot connect: the host name is not known", "cannot connect: the host name could not be resolved",
	}, unnamed.Message)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	requireFault(t, postWith(cancelled, t, client, "http://"+silentport.Address(t), nil),
		fault.Unavailable, "cannot connect: the call was cancelled")
}

func TestTLSThatDoesNotComeAboutIsUnavailable(t *testing.T) {
	t.Parallel()

	client := egress.NewClient(egress.Options{Timeout: patience})
	var reached atomic.Bool
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	untrusted := httptest.NewUnstartedServer(handler)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	requireFault(t, post(t, client, untrusted.URL), fault.Unavailable, "cannot connect: the certificate of the other side is not trusted")

	plain := serve(t, handler)
	requireFault(t, post(t, client, "https://"+plain.Listener.Addr().String()),
		fault.Unavailable, "cannot connect: the other side speaks http, not https")

	noise := rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.com ESMTP\r\n") })
	requireFault(t, post(t, client, "https://"+noise), fault.Unavailable, "cannot connect: the other side does not speak TLS")

	// A fatal TLS 1.2 alert: handshake_failure.
	alert := rawServer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
	})
	requireFault(t, post(t, client, "https://"+alert), fault.Unavailable, "cannot connect: the other side broke off TLS")

	silent := rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	hasty := egress.NewClient(egress.Options{Timeout: 900 * time.Millisecond})
	requireFault(t, post(t, hasty, "https://"+silent), fault.Unavailable, "cannot connect: timed out")
	require.False(t, reached.Load())
}

func TestWhatMayHaveReachedTheOtherSideIsAmbiguous(t *testing.T) {
	t.Parallel()

	client := egress.NewClient(egress.Options{Timeout: patience})
	for message, f := range map[string]http.HandlerFunc{
		"no answer: the connection was closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer: connection reset by peer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			conn, _, _ := http.NewResponseController(w).Hijack()
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		},
		"no answer: the connection broke": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, "this is no HTTP\r\n\r\n")
			_ = conn.Close()
		},
		"the answer broke off: the connection was closed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		},
	} {
		requireFault(t, post(t, client, serve(t, f).URL+"/secret-path"), fault.Ambiguous, message)
	}
}

func TestWaitingInVainIsAmbiguous(t *testing.T) {
	t.Parallel()

	hasty := egress.NewClient(egress.Options{Timeout: 2 * time.Second})
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
	})
	requireFault(t, post(t, hasty, silent.URL), fault.Ambiguous, "no answer: timed out")

	stalling := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	requireFault(t, post(t, hasty, stalling.URL), fault.Ambiguous, "the answer broke off: timed out")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cancelling := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		cancel()
		<-r.Context().Done()
	})
	client := egress.NewClient(egress.Options{Timeout: patience})
	requireFault(t, postWith(ctx, t, client, cancelling.URL, nil), fault.Ambiguous, "no answer: the call was cancelled")
}

// A connection that breaks after the handshake proves nothing, over TLS and
// HTTP/2 either.
func TestBrokenTLSAfterTheHandshakeIsAmbiguous(t *testing.T) {
	t.Parallel()

	for _, http2 := range []bool{false, true} {
		var protocol atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			protocol.Store(int64(r.ProtoMajor))
			if http2 {
				panic(http.ErrAbortHandler)
			}
			conn, _, _ := http.NewResponseController(w).Hijack()
			if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
				// A record of a version that was never agreed on.
				_, _ = secure.NetConn().Write([]byte{23, 9, 9, 0, 1, 0})
			}
			_ = conn.Close()
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		client := egress.NewClient(egress.Options{Timeout: patience})
		egress.TrustForTest(client, server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)

		got := post(t, client, server.URL)
		require.NotNil(t, got)
		require.Equal(t, fault.Ambiguous, got.Kind, got.Message)
		require.Equal(t, http2, protocol.Load() == 2)
	}
}

// net/http repeats a request with an idempotency key by itself when a reused
// connection breaks, unless it is kept from it.
func TestNothingIsRepeated(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "Webhook-Id"} {
		var posts atomic.Int64
		server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if string(body) == `{"a":1}` && posts.Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
		})
		client := egress.NewClient(egress.Options{Timeout: patience})
		header := http.Header{name: {"rf_1_1"}}
		require.Nil(t, postWith(t.Context(), t, client, server.URL, header))

		got := postWith(t.Context(), t, client, server.URL, header)
		requireFault(t, got, fault.Ambiguous, "no answer: the connection was closed")
		require.EqualValues(t, 2, posts.Load(), name)
	}
}

func TestTheGuardRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()

	var reached atomic.Bool
	server := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	guarded := egress.NewClient(egress.Options{Timeout: patience, GuardPrivateNetworks: true})
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "192.168.1.1",
		"172.16.0.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[fe80::1]",
	} {
		got := post(t, guarded, "http://"+host+":"+port+"/secret-path")
		requireFault(t, got, fault.Invalid, "the address is in a private network, and allow_private_networks is false")
		require.ErrorIs(t, got, egress.ErrPrivateNetwork)
	}
	require.False(t, reached.Load())
	require.Nil(t, post(t, egress.NewClient(egress.Options{}), server.URL))
	require.True(t, reached.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()

	var followed atomic.Bool
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		resp, err := egress.NewClient(egress.Options{}).Post(server.URL, "text/plain", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, status, resp.StatusCode)
	}
	require.False(t, followed.Load())
}

func TestTheMessageNeverSaysWhere(t *testing.T) {
	t.Parallel()

	address := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}
	for _, cause := range []error{
		&net.OpError{Op: "read", Net: "tcp", Addr: address, Err: errors.New("strange thing at 203.0.113.9:4711")},
		&net.OpError{Op: "dial", Net: "tcp", Addr: address, Err: &net.AddrError{Err: "bad", Addr: "203.0.113.9:4711"}},
		&net.DNSError{Err: "server misbehaving", Name: "203.0.113.9:4711"},
		errors.New("203.0.113.9:4711"),
	} {
		got := egress.Classify("test.post", &url.Error{Op: "Post", URL: "https://203.0.113.9:4711/x", Err: cause})
		require.Equal(t, fault.Ambiguous, got.Kind)
		require.NotContains(t, got.Error(), "4711")
		require.NotContains(t, got.Error(), "203.0")
		require.ErrorIs(t, got, cause)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	})
	client := egress.NewClient(egress.Options{})
	for n, whole := range map[int]bool{0: true, 3: true, egress.MaxBody: true, egress.MaxBody + 1: false} {
		resp, err := client.Get(server.URL + "?n=" + strconv.Itoa(n))
		require.NoError(t, err)
		body, err := egress.ReadBody(resp)
		if !whole {
			require.EqualError(t, err, "the answer is longer than 4194304 bytes")
			require.True(t, fault.Is(err, fault.Ambiguous))
			continue
		}
		require.NoError(t, err)
		require.Len(t, body, n)
	}
}

func TestRetryAfterHasTwoForms(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"86400":                         24 * time.Hour,
		"86401":                         24 * time.Hour,
		"99999999999999999999":          24 * time.Hour,
		"-99999999999999999999":         0,
		"1.5":                           0,
		"soon":                          0,
		"Mon, 23 Nov 2026 15:01:30 GMT": 90 * time.Second,
		"Mon, 23 Nov 2026 14:59:00 GMT": 0,
		"Wed, 23 Dec 2026 15:00:00 GMT": 24 * time.Hour,
	} {
		require.Equal(t, want, egress.RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
	require.Zero(t, egress.RetryAfter(http.Header{}, now))
}
