package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// derivedKey is where a context keeps what the IDs of the next span derive from.
type derivedKey struct{}

// withIDs has the span that is started with the context get the same IDs in
// every process. Of several parts none is empty.
func withIDs(ctx context.Context, parts ...string) context.Context {
	return context.WithValue(ctx, derivedKey{}, sha256.Sum256([]byte(strings.Join(parts, "\x00"))))
}

// ids gives spans their IDs: random ones, or those that the context asks for.
type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	if sum, ok := ctx.Value(derivedKey{}).([sha256.Size]byte); ok {
		copy(id[:], sum[8:])
	} else {
		binary.BigEndian.PutUint64(id[:8], notZero())
		binary.BigEndian.PutUint64(id[8:], notZero())
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	var id trace.SpanID
	if sum, ok := ctx.Value(derivedKey{}).([sha256.Size]byte); ok {
		copy(id[:], sum[:])
	} else {
		binary.BigEndian.PutUint64(id[:], notZero())
	}
	return id
}

// notZero is random. An ID of zeros is none.
func notZero() uint64 {
	for {
		if n := rand.Uint64(); n != 0 {
			return n
		}
	}
}
