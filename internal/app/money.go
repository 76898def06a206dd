package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// moneyMetrics count what this process did about payouts, FirstPromoter and
// decisions. Labels are closed sets: configured names, units, outcomes.
type moneyMetrics struct {
	attempts *prometheus.CounterVec
	sending  *prometheus.HistogramVec
	lookups  *prometheus.CounterVec
	paid     *prometheus.CounterVec
	amount   *prometheus.CounterVec
	returned *prometheus.CounterVec
	braked   *prometheus.CounterVec
	calls    *prometheus.CounterVec
	waits    *prometheus.HistogramVec
}

// The results of a call to FirstPromoter beside the kinds of fault.
const resultOK = "ok"

// What is called at FirstPromoter.
const (
	callRead     = "read"
	callComplete = "complete"
)

func newMoneyMetrics(registerer prometheus.Registerer) (*moneyMetrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &moneyMetrics{
		attempts: counter("rewardflow_payout_attempts_total",
			"Payouts sent to a provider, by what the attempt came to.", "provider", "outcome"),
		sending: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rewardflow_payout_send_duration_seconds", Help: "How long a provider took to answer a payout.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"provider"}),
		lookups: counter("rewardflow_payout_lookups_total",
			"Look-ups of payouts at a provider, by what was found.", "provider", "answer"),
		paid: counter("rewardflow_payouts_paid_total",
			"Payouts that this process saw delivered, by provider and unit; cash by its currency.", "provider", "unit"),
		amount: counter("rewardflow_paid_amount_total",
			"What those payouts add up to: whole units, and minor units of a currency.", "provider", "unit"),
		returned: counter("rewardflow_payouts_returned_total",
			"Payouts that came back after they were delivered.", "provider", "unit"),
		braked: counter("rewardflow_payouts_braked_total",
			"Payouts that the brake or a cap stopped before they were sent; one that goes on waiting is counted at each look.", "provider"),
		calls: counter("rewardflow_firstpromoter_calls_total",
			"Calls about rewards to FirstPromoter, by what was called and how it ended: ok, or the kind of failure. "+
				"A read may take several requests.", "call", "result"),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rewardflow_approval_wait_seconds", Help: "How long a reward waited for people, from when they were first asked until they settled it.",
			Buckets: []float64{60, 300, 900, 3600, 4 * 3600, 8 * 3600, 86400, 2 * 86400, 3 * 86400, 7 * 86400, 14 * 86400},
		}, []string{"verdict"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.attempts, m.sending, m.lookups, m.paid, m.amount, m.returned, m.braked, m.calls, m.waits} {
		errs = append(errs, registerer.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the metrics of payouts: %w", err)
	}
	for _, call := range []string{callRead, callComplete} {
		for _, result := range []string{resultOK, string(fault.Unavailable), string(fault.Throttled), string(fault.Denied), string(fault.Ambiguous)} {
			m.calls.WithLabelValues(call, result)
		}
	}
	for _, v := range []reward.Verdict{reward.Approve, reward.Reject} {
		m.waits.WithLabelValues(string(v))
	}
	return m, nil
}

// know makes a provider's counters exist, so that their first increment is seen
// as one.
func (m *moneyMetrics) know(provider string) {
	for _, c := range payout.Classes() {
		m.attempts.WithLabelValues(provider, string(c))
	}
	m.sending.WithLabelValues(provider)
	m.braked.WithLabelValues(provider)
	for _, a := range []payout.Answer{payout.FoundSettled, payout.Absent, payout.CannotTell} {
		m.lookups.WithLabelValues(provider, string(a))
	}
	// Cash counts by its currency, which is known when it is paid.
	for _, unit := range []reward.Unit{reward.Credits, reward.Points, reward.FreeMonths, reward.DiscountPer, reward.DiscountMon} {
		m.paid.WithLabelValues(provider, string(unit))
		m.amount.WithLabelValues(provider, string(unit))
		m.returned.WithLabelValues(provider, string(unit))
	}
}

func (m *moneyMetrics) sent(provider string, class payout.Class, took time.Duration) {
	m.attempts.WithLabelValues(provider, string(class)).Inc()
	m.sending.WithLabelValues(provider).Observe(took.Seconds())
}

func (m *moneyMetrics) lookedUp(provider string, answer payout.Answer) {
	if answer == "" {
		answer = payout.CannotTell
	}
	m.lookups.WithLabelValues(provider, string(answer)).Inc()
}

func (m *moneyMetrics) called(call string, err error) {
	result := resultOK
	if err != nil {
		result = string(fault.KindOf(err))
	}
	m.calls.WithLabelValues(call, result).Inc()
}

// observedLedger counts what the ledger commits. It is the ledger in every other
// way, and no count changes what a caller gets.
type observedLedger struct {
	ledger.Ledger

	metrics *moneyMetrics
}

// Finish implements ledger.Payouts.
func (l observedLedger) Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (ledger.Payout, error) {
	p, err := l.Ledger.Finish(ctx, a, out)
	if err == nil && out.Move() == payout.MoveSettled && p.State == payout.Paid && p.Fence == a.Number {
		l.count(p, l.metrics.paid, l.metrics.amount)
	}
	return p, err
}

// Found implements ledger.Payouts.
func (l observedLedger) Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (ledger.Payout, error) {
	p, err := l.Ledger.Found(ctx, id, fence, f, at)
	if err != nil {
		return p, err
	}
	switch { // A payout that was paid before keeps the time at which it was.
	case p.State == payout.Paid && sameTime(p.PaidAt, at):
		l.count(p, l.metrics.paid, l.metrics.amount)
	case p.State == payout.Returned && f.Answer == payout.FoundReturned && !p.UpdatedAt.Before(at.Truncate(time.Millisecond)):
		l.count(p, l.metrics.returned, nil)
	}
	return p, err
}

// PayByHand implements ledger.Payouts.
func (l observedLedger) PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (ledger.Payout, error) {
	p, err := l.Ledger.PayByHand(ctx, id, actor, reference, at)
	if err == nil && p.State == payout.Paid && sameTime(p.PaidAt, at) {
		l.count(p, l.metrics.paid, l.metrics.amount)
	}
	return p, err
}

// sameTime compares with the ledger's precision.
func sameTime(stored, at time.Time) bool { return stored.UnixMilli() == at.UnixMilli() }

// count counts a payout, and its amount where there is a counter for that.
func (l observedLedger) count(p ledger.Payout, payouts, amounts *prometheus.CounterVec) {
	unit := string(p.Quantity.Unit)
	if p.Quantity.Unit == reward.Cash {
		unit = p.Quantity.Currency
	}
	payouts.WithLabelValues(p.Provider, unit).Inc()
	if amounts != nil {
		amounts.WithLabelValues(p.Provider, unit).Add(float64(p.Quantity.Amount))
	}
}

// Claim implements ledger.Payouts.
func (l observedLedger) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	claim, err := l.Ledger.Claim(ctx, id, caps, now, deadline)
	if err == nil && claim.Braked {
		l.metrics.braked.WithLabelValues(claim.Payout.Provider).Inc()
	}
	return claim, err
}

// Decide implements ledger.Decisions. Of the decision that settles a matter, it
// measures how long the matter waited.
func (l observedLedger) Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error) {
	tally, err := l.Ledger.Decide(ctx, d, acceptUnverified)
	if err != nil || tally.Repeated || !tally.Decision.Counted || !tally.Approved && !tally.Rejected {
		return tally, err
	}
	changes, read := l.Changes(ctx, d.RewardID)
	if read != nil {
		return tally, nil // It is decided all the same, and not measured.
	}
	for _, c := range changes {
		if c.To == reward.AwaitingApproval {
			l.metrics.waits.WithLabelValues(string(tally.Decision.Verdict)).Observe(max(tally.Decision.At.Sub(c.At).Seconds(), 0))
			break
		}
	}
	return tally, nil
}

// budget tells what is left of the requests that FirstPromoter may be asked.
type budget struct {
	client    interface{ Left() float64 }
	perMinute int

	left, limit *prometheus.Desc
}

func newBudget(client interface{ Left() float64 }, perMinute int) budget {
	return budget{
		client: client, perMinute: perMinute,
		left: prometheus.NewDesc("rewardflow_firstpromoter_requests_left",
			"Requests that may be sent to FirstPromoter at once; below 0 so many wait for their turn.", nil, nil),
		limit: prometheus.NewDesc("rewardflow_firstpromoter_requests_per_minute",
			"The configured budget of this process: firstpromoter.requests_per_minute.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (b budget) Describe(descs chan<- *prometheus.Desc) {
	descs <- b.left
	descs <- b.limit
}

// Collect implements prometheus.Collector.
func (b budget) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstMetric(b.left, prometheus.GaugeValue, b.client.Left())
	metrics <- prometheus.MustNewConstMetric(b.limit, prometheus.GaugeValue, float64(b.perMinute))
}
