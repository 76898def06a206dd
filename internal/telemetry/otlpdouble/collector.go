// Package otlpdouble is the double of an OpenTelemetry collector. It takes
// traces and metrics over OTLP, by HTTP with protobuf and by gRPC, and writes
// what it gets into files in OTLP's JSON encoding, one request a line, as the
// collector's own file exporter does.
//
// Sources of the outside facts: https://opentelemetry.io/docs/specs/otlp/ and
// https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/.
package otlpdouble

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// The files that a Collector writes into its directory.
const (
	TracesFile  = "traces.jsonl"
	MetricsFile = "metrics.jsonl"
)

// maxRequest is how many bytes of a request are read.
const maxRequest = 16 << 20

// Collector takes what exporters send.
type Collector struct {
	dir         string
	http        *http.Server
	grpc        *grpc.Server
	httpAt      net.Listener
	grpcAt      net.Listener
	requests    atomic.Int64
	connections atomic.Int64

	mu     sync.Mutex
	closed bool
}

// Start starts a Collector on two free ports of loopback that writes into a
// directory, which must exist.
func Start(ctx context.Context, dir string) (*Collector, error) {
	c := &Collector{dir: dir}
	var listen net.ListenConfig
	var err error
	if c.httpAt, err = listen.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening for OTLP over HTTP: %w", err)
	}
	if c.grpcAt, err = listen.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("listening for OTLP over gRPC: %w", err), c.httpAt.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		c.answer(w, r, &collectortrace.ExportTraceServiceRequest{}, TracesFile)
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		c.answer(w, r, &collectormetrics.ExportMetricsServiceRequest{}, MetricsFile)
	})
	c.http = &http.Server{Handler: mux, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.connections.Add(1)
		}
	}}
	c.grpc = grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(c.grpc, traces{c: c})
	collectormetrics.RegisterMetricsServiceServer(c.grpc, metrics{c: c})
	go func() { _ = c.http.Serve(c.httpAt) }()
	go func() { _ = c.grpc.Serve(c.grpcAt) }()
	return c, nil
}

// Close ends the Collector. What it wrote stays.
func (c *Collector) Close() error {
	c.grpc.Stop()
	err := c.http.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return err
}

// HTTP is the endpoint for OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.
func (c *Collector) HTTP() string { return "http://" + c.httpAt.Addr().String() }

// GRPC is the endpoint for OTEL_EXPORTER_OTLP_PROTOCOL=grpc.
func (c *Collector) GRPC() string { return "http://" + c.grpcAt.Addr().String() }

// Requests counts what was sent, of every kind.
func (c *Collector) Requests() int64 { return c.requests.Load() }

// Connections counts the connections over HTTP that were made, if nothing was
// sent on them, too.
func (c *Collector) Connections() int64 { return c.connections.Load() }

func (c *Collector) answer(w http.ResponseWriter, r *http.Request, into proto.Message, file string) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, maxRequest))
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = io.LimitReader(unzipped, maxRequest)
	}
	sent, err := io.ReadAll(body)
	if err == nil {
		err = proto.Unmarshal(sent, into)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := c.keep(into, file); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	// An empty message is the answer of every kind that says "all of it".
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
}

type traces struct {
	collectortrace.UnimplementedTraceServiceServer

	c *Collector
}

// Export implements collectortrace.TraceServiceServer.
func (s traces) Export(_ context.Context, in *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	return &collectortrace.ExportTraceServiceResponse{}, s.c.keep(in, TracesFile)
}

type metrics struct {
	collectormetrics.UnimplementedMetricsServiceServer

	c *Collector
}

// Export implements collectormetrics.MetricsServiceServer.
func (s metrics) Export(_ context.Context, in *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	return &collectormetrics.ExportMetricsServiceResponse{}, s.c.keep(in, MetricsFile)
}

// keep appends a request to its file.
func (c *Collector) keep(in proto.Message, file string) error {
	c.requests.Add(1)
	line, err := encode(in)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("the collector is closed")
	}
	f, err := os.OpenFile(filepath.Join(c.dir, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// encode writes OTLP's JSON, which differs from protobuf's in the encoding of
// IDs: hexadecimal, and not base64.
func encode(in proto.Message) ([]byte, error) {
	plain, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(in)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(plain, &tree); err != nil {
		return nil, err
	}
	if err := hexIDs(tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

func hexIDs(node any) error {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			if err := hexIDs(child); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, child := range n {
			text, isText := child.(string)
			if isText && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				raw, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					return fmt.Errorf("the ID %q: %w", key, err)
				}
				n[key] = hex.EncodeToString(raw)
				continue
			}
			if err := hexIDs(child); err != nil {
				return err
			}
		}
	}
	return nil
}
