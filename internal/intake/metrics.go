package intake

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/firstpromoter"
)

// metrics count what came in. Label values are closed sets, and every counter
// exists before it is needed.
type metrics struct {
	accepted *prometheus.CounterVec
	spooled  prometheus.Counter
}

// unknownType is the label of every event type that is not known: an outsider
// must not be able to make labels.
const unknownType = "unknown"

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rewardflow_events_accepted_total",
		Help: "Events that were committed, by type; duplicate says that the same event had been accepted before.",
	}, []string{"event_type", "duplicate"})}
	m.spooled = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rewardflow_events_spooled_total",
		Help: "Events that went to the spool because the inbox did not commit.",
	})
	if err := errors.Join(registerer.Register(m.accepted), registerer.Register(m.spooled)); err != nil {
		return nil, fmt.Errorf("registering intake's metrics: %w", err)
	}
	for _, kind := range append(firstpromoter.KnownTypes(), unknownType) {
		m.accepted.WithLabelValues(kind, "false")
		m.accepted.WithLabelValues(kind, "true")
	}
	return m, nil
}

func (m *metrics) count(ev firstpromoter.Event, duplicate bool) {
	kind := unknownType
	if ev.Known {
		kind = ev.Type
	}
	m.accepted.WithLabelValues(kind, fmt.Sprint(duplicate)).Inc()
}
