package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// metrics are the edge's counters. Every label has a closed set of values,
// and every counter of the webhook and of decisions exists from the start, so
// that its first increment is seen as one.
type metrics struct {
	requests     *prometheus.CounterVec
	webhook      *prometheus.CounterVec
	unauthorized prometheus.Counter
	decisions    *prometheus.CounterVec
	// types are the known event types.
	types []string
}

// What became of a decision.
const (
	decisionCounted  = "counted"
	decisionRefused  = "refused"
	decisionRepeated = "repeated"
)

func newMetrics(reg prometheus.Registerer, types []string) (*metrics, error) {
	m := &metrics{
		types: types,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rewardflow_http_requests_total",
			Help: "Requests answered, by route and status.",
		}, []string{"route", "code"}),
		webhook: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rewardflow_webhook_answers_total",
			Help: "Answers given to FirstPromoter, by event type; unread where the body was not read or is no event. " +
				"200 says that the reward is fulfilled, 202 that the event is stored.",
		}, []string{"code", "event_type"}),
		unauthorized: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rewardflow_webhook_unauthorized_total",
			Help: "Webhooks refused because their secret or their basic auth was wrong.",
		}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rewardflow_decisions_total",
			Help: "Decisions taken over the API and the console, by what was decided and what became of it.",
		}, []string{"decision", "result"}),
	}
	err := errors.Join(reg.Register(m.requests), reg.Register(m.webhook),
		reg.Register(m.unauthorized), reg.Register(m.decisions))
	return m, err
}

// register makes the counters exist.
func (m *metrics) register(routes []route) {
	for _, r := range routes {
		for _, status := range []int{http.StatusOK, http.StatusInternalServerError, http.StatusServiceUnavailable} {
			m.requests.WithLabelValues(r.path, strconv.Itoa(status))
		}
	}
	for _, status := range webhookAnswers() {
		for _, kind := range m.readTypes(status) {
			m.webhook.WithLabelValues(strconv.Itoa(status), kind)
		}
	}
	for _, v := range []reward.Verdict{reward.Approve, reward.Reject} {
		for _, result := range []string{decisionCounted, decisionRefused, decisionRepeated} {
			m.decisions.WithLabelValues(string(v), result)
		}
	}
}

// answered counts an answer. The route is a template, the status one of those
// that this package writes, so neither grows without bound.
func (m *metrics) answered(route string, status int) {
	code := strconv.Itoa(status)
	m.requests.WithLabelValues(route, code).Inc()
}

// readTypes returns the event types that an answer may be given to, as far as
// they are expected: without a body that was read there is no type.
func (m *metrics) readTypes(status int) []string {
	switch status {
	case http.StatusOK, http.StatusAccepted:
		return append(slices.Clone(m.types), ledger.UnknownType)
	case http.StatusServiceUnavailable:
		return append(slices.Clone(m.types), ledger.UnknownType, ledger.UnreadType)
	}
	return []string{ledger.UnreadType}
}

// answeredWebhook counts an answer to FirstPromoter, or to whoever claims to be it.
func (m *metrics) answeredWebhook(status int, taken ledger.Taken) {
	if slices.Contains(webhookAnswers(), status) {
		m.webhook.WithLabelValues(strconv.Itoa(status), typeLabel(m.types, taken)).Inc()
	}
	if status == http.StatusUnauthorized {
		m.unauthorized.Inc()
	}
}

// decided counts a decision, of whatever lane.
func (m *metrics) decided(v reward.Verdict, tally ledger.Tally) {
	result := decisionRefused
	switch {
	case tally.Repeated:
		result = decisionRepeated
	case tally.Decision.Counted:
		result = decisionCounted
	}
	m.decisions.WithLabelValues(string(v), result).Inc()
}
