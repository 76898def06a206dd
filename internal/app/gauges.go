package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// counted is what the gauges read.
type counted interface {
	Summary(ctx context.Context) ([]ledger.Total, []ledger.PaidTotal, error)
	InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error)
}

// budgets knows what is spent of the retry budget.
type budgets interface {
	Worst(ctx context.Context) int
}

// gauges read the ledger when somebody asks for metrics. rewards in attention
// are what a pager watches; the age of the oldest undispatched event tells an
// outage of Temporal.
type gauges struct {
	ledger  counted
	rewards *prometheus.Desc
	depth   *prometheus.Desc
	oldest  *prometheus.Desc
	budgets budgets
	budget  *prometheus.Desc
}

func newGauges(from counted, budgets budgets) *gauges {
	return &gauges{
		ledger:  from,
		budgets: budgets,
		budget: prometheus.NewDesc("rewardflow_retry_budget_spent",
			"The most errors of the last 24 hours that a reward was answered whose event is not stored; "+
				"after 7 FirstPromoter marks a reward with has_issues.", nil, nil),
		rewards: prometheus.NewDesc("rewardflow_rewards", "Rewards in the ledger, by status.", []string{"status"}, nil),
		depth:   prometheus.NewDesc("rewardflow_inbox_depth", "Accepted events that wait to be dispatched; counted up to 100000.", nil, nil),
		oldest: prometheus.NewDesc("rewardflow_inbox_oldest_seconds",
			"How long the oldest accepted event has waited to be dispatched; 0 when none waits.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.rewards
	descs <- g.depth
	descs <- g.oldest
	descs <- g.budget
}

// scrapeBudget bounds what one look at the metrics may cost.
const scrapeBudget = 2 * time.Second

// Collect implements prometheus.Collector. What cannot be read is left out.
func (g *gauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeBudget)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(g.budget, float64(g.budgets.Worst(ctx)))
	if totals, _, err := g.ledger.Summary(ctx); err == nil {
		counts := map[reward.Status]int{}
		for _, t := range totals {
			counts[t.Status] = t.Count
		}
		for _, status := range reward.Statuses() {
			gauge(g.rewards, float64(counts[status]), string(status))
		}
	}
	depth, oldest, err := g.ledger.InboxDepth(ctx)
	if err != nil {
		return
	}
	gauge(g.depth, float64(depth))
	age := 0.0
	if !oldest.IsZero() {
		age = time.Since(oldest).Seconds()
	}
	gauge(g.oldest, max(age, 0))
}
