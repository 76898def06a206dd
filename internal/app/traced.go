package app

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/telemetry"
)

// The scopes under which parts make spans.
const (
	intakeScope = "github.com/rewardflow/rewardflow/internal/intake"
	moneyScope  = "github.com/rewardflow/rewardflow/internal/app"
)

// observed gives every provider a span and a count for each call. Callbacks go
// to the providers themselves.
func observed(providers map[string]payout.Provider, tracer trace.Tracer, m *moneyMetrics) map[string]payout.Provider {
	wrapped := make(map[string]payout.Provider, len(providers))
	for name, p := range providers {
		m.know(name)
		wrapped[name] = observedProvider{p, tracer, m}
	}
	return wrapped
}

// observedProvider is a provider whose calls are seen.
type observedProvider struct {
	payout.Provider

	tracer  trace.Tracer
	metrics *moneyMetrics
}

// Send implements payout.Provider.
func (p observedProvider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	ctx, span := p.start(ctx, "payout.send", req)
	defer span.End()
	began := time.Now()
	out := p.Provider.Send(ctx, req)
	class := classOf(out)
	p.metrics.sent(p.Name(), class, time.Since(began))
	span.SetAttributes(attribute.String("rewardflow.outcome", string(class)), attribute.Bool("rewardflow.settled", out.Settled))
	if class != payout.ClassAccepted {
		span.SetStatus(codes.Error, string(class))
	}
	return out
}

// Lookup implements payout.Provider.
func (p observedProvider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	ctx, span := p.start(ctx, "payout.look_up", req)
	defer span.End()
	found := p.Provider.Lookup(ctx, req)
	p.metrics.lookedUp(p.Name(), found.Answer)
	span.SetAttributes(attribute.String("rewardflow.answer", string(found.Answer)))
	return found
}

// start makes the span of a call. The key is made of the reward's ID and a
// generation, and is what a person searches for at the provider.
func (p observedProvider) start(ctx context.Context, name string, req payout.Request) (context.Context, trace.Span) {
	return p.tracer.Start(ctx, name, trace.WithAttributes(
		attribute.String("rewardflow.provider", p.Name()), attribute.String("rewardflow.payout_key", req.Key)))
}

// classOf returns the class of an outcome; what is not in the closed set is
// unknown.
func classOf(out payout.Outcome) payout.Class {
	for _, c := range payout.Classes() {
		if out.Class == c {
			return c
		}
	}
	return payout.ClassUnknown
}

// called makes the span of one of FirstPromoter's calls, and returns what ends
// it.
func called(ctx context.Context, tracer trace.Tracer, name, rewardID string) (context.Context, func(err error)) {
	ctx, span := tracer.Start(ctx, name, trace.WithAttributes(attribute.String(telemetry.AttrRewardID, rewardID)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, string(fault.KindOf(err)))
		}
		span.End()
	}
}
