package egress

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/rewardflow/rewardflow/internal/egress"

// startSpan makes the span of a call, where the caller has one. It names the
// method and the host. The path and the query are left out: a webhook's URL
// holds its secret there. Attribute names are those of
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
func startSpan(req *http.Request) (context.Context, trace.Span) {
	ctx := req.Context()
	caller := trace.SpanFromContext(ctx)
	if !caller.IsRecording() {
		return ctx, noop.Span{}
	}
	return caller.TracerProvider().Tracer(scope).Start(ctx, req.Method,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("http.request.method", req.Method),
			attribute.String("server.address", req.URL.Hostname()),
		))
}

// endSpan ends the span of a call when its answer begins, or does not come.
func endSpan(span trace.Span, resp *http.Response, err error) {
	defer span.End()
	if err != nil {
		span.SetStatus(codes.Error, reason(err))
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
}
