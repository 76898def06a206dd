package api

import (
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// newTracing makes one span for each request.
//
// The ready-made middleware for gin records url.path, where the webhook's
// secret stands, and the texts of errors. This one records the route's
// template and the reward's ID, and nothing else that a caller wrote. Attribute names are those of
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
func newTracing(provider trace.TracerProvider, propagator propagation.TextMapPropagator) gin.HandlerFunc {
	tracer := provider.Tracer("github.com/rewardflow/rewardflow/api")
	return func(c *gin.Context) {
		method := methodOf(c.Request)
		ctx := propagator.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
		ctx, span := tracer.Start(ctx, method+" "+routeOf(c),
			trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(
				attribute.String("http.request.method", method),
				attribute.String("http.route", routeOf(c)),
				attribute.String("rewardflow.request_id", requestID(c)),
			))
		defer span.End()
		c.Request = c.Request.WithContext(ctx)

		c.Next()

		if id := rewardOf(c); id != 0 {
			span.SetAttributes(attribute.String("rewardflow.reward_id", id.String()))
		}
		status := c.Writer.Status()
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	}
}
