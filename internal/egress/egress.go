// Package egress makes the HTTP clients that leave this process, and tells
// what a failed call means.
//
// A client made here follows no redirect (a redirect would carry credentials
// to another host), keeps no cookies, ignores the proxy variables of the
// environment when it guards against private networks, and gives up after its
// timeout. It repeats no request that has a body. (Where a kept connection was
// closed before the first byte, net/http takes another: that repeats nothing.)
package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/rewardflow/rewardflow/internal/fault"
)

// MaxBody is how many bytes of an answer are read by ReadBody.
const MaxBody = 4 << 20

// DefaultTimeout bounds a call whose options name no timeout.
const DefaultTimeout = 10 * time.Second

// Options describe a client.
type Options struct {
	// Timeout bounds a whole call, from dial to the last byte of the body.
	// Zero means DefaultTimeout.
	Timeout time.Duration
	// GuardPrivateNetworks refuses to connect to loopback, private, link-local
	// and other special addresses, judged by the address that was resolved.
	GuardPrivateNetworks bool
}

// ErrPrivateNetwork is the cause of a call that the guard refused.
var ErrPrivateNetwork = errors.New("the address is in a private network")

// NewClient returns a client for one destination.
func NewClient(o Options) *http.Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	// Connecting gives up well before the call does: a host that swallows
	// packets is then known not to have been reached.
	connect := min(o.Timeout/3, 5*time.Second)
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   connect,
		ResponseHeaderTimeout: o.Timeout,
		ForceAttemptHTTP2:     true,
	}
	if o.GuardPrivateNetworks {
		// A proxy would resolve the name out of our sight.
		base.Proxy = nil
		dialer.Control = ssrf.New(ssrf.WithAnyPort(), ssrf.WithNetworks("tcp4", "tcp6")).Safe
	}
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if errors.Is(err, ssrf.ErrProhibitedIP) {
			return nil, fmt.Errorf("%w: %w", ErrPrivateNetwork, err)
		}
		return conn, err
	}
	return &http.Client{
		Transport: &transport{base: base},
		Timeout:   o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Classify says what an error of http.Client.Do means: Unavailable when the
// request certainly did not reach the other side (name, dial, TLS), Invalid
// when the guard refused the address, Ambiguous for everything else. The
// message holds no URL and no address.
func Classify(op string, err error) *fault.Error {
	if errors.Is(err, ErrPrivateNetwork) {
		return fault.Wrap(fault.Invalid, op, "the address is in a private network, and allow_private_networks is false", err)
	}
	if _, ok := errors.AsType[*unsentError](err); ok {
		return fault.Wrap(fault.Unavailable, op, "cannot connect: "+reason(err), err)
	}
	return fault.Wrap(fault.Ambiguous, op, "no answer: "+reason(err), err)
}

// Reason says what happened to a connection without saying where.
func Reason(err error) string { return reason(err) }

func reason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "the host name is not known"
		}
		return "the host name could not be resolved"
	}
	if words := tlsReason(err); words != "" {
		return words
	}
	switch {
	case isTimeout(err):
		return "timed out"
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	// Of all causes, only a system error is known to print no address.
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return "the connection broke"
}

// isTimeout looks through url.Error, whose own Timeout sees one level only.
func isTimeout(err error) bool {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		if outer.Timeout() {
			return true
		}
		err = outer.Err
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// ReadBody reads at most MaxBody bytes of an answer and closes it. An answer
// that is longer, or that breaks off, is a fault of kind Ambiguous: what was
// asked for may have been done. Its message holds no address.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, fault.Wrap(fault.Ambiguous, "", "the answer broke off: "+reason(err), err)
	}
	if len(body) > MaxBody {
		return nil, fault.New(fault.Ambiguous, "", fmt.Sprintf("the answer is longer than %d bytes", MaxBody))
	}
	return body, nil
}

// RetryAfter reads a Retry-After header in either of its two forms; zero when
// it is missing, unreadable or in the past. It is capped at a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	var d time.Duration
	// A number that is out of range comes back as the largest, which the cap takes.
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}
