package egress

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// transport tells a request that never had a connection from one that may have
// reached the other side, and keeps net/http from repeating the latter.
type transport struct{ base *http.Transport }

// RoundTrip implements http.RoundTripper.
//
// A connection is handed to a request after dial, proxy and TLS handshake, and
// before the first byte of the request. So an error without a connection is
// proof that nothing was sent. The type of the error is no such proof: TLS
// records and alerts can be broken long after the handshake, too.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := startSpan(req)
	resp, err := t.roundTrip(req.WithContext(ctx))
	endSpan(span, resp, err)
	return resp, err
}

func (t *transport) roundTrip(req *http.Request) (*http.Response, error) {
	var connected atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	resp, err := t.base.RoundTrip(onceOnly(req.WithContext(ctx)))
	if err != nil && !connected.Load() {
		return nil, &unsentError{err}
	}
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the base.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// onceOnly takes from a request what net/http needs to say it twice. It would
// do so by itself when the request carries an idempotency key and a reused
// connection breaks, and the first saying may still be at work by then. A
// request without a body cannot be kept from it: give it an empty JSON object.
func onceOnly(req *http.Request) *http.Request {
	if req.Header.Get("Idempotency-Key") == "" && req.Header.Get("X-Idempotency-Key") == "" {
		return req
	}
	req.GetBody = nil
	return req
}

// unsentError marks a failure from before the first byte of a request.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// tlsReason returns words for a broken TLS connection, or nothing.
func tlsReason(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of the other side is not trusted"
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(record.RecordHeader[:]) == "HTTP/" {
			return "the other side speaks http, not https"
		}
		return "the other side does not speak TLS"
	}
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return "the other side broke off TLS"
	}
	return ""
}
