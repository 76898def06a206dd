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
	Vitals(ctx context.Context, now time.Time) (ledger.Vitals, error)
	InboxDepth(ctx context.Context) (depth int, oldest time.Time, err error)
	Brakes(ctx context.Context) ([]ledger.BrakeState, error)
}

// budgets knows what is spent of the retry budget.
type budgets interface {
	Worst(ctx context.Context) int
}

// gauges read the ledger when somebody asks for metrics. Every process with the
// API tells the same: a query takes the max of them, not the sum.
type gauges struct {
	ledger    counted
	budgets   budgets
	providers []string

	rewards, rewardsOldest   *prometheus.Desc
	unknown, unknownOldest   *prometheus.Desc
	unclosed, unclosedOldest *prometheus.Desc
	paid, paidAmount         *prometheus.Desc
	brake                    *prometheus.Desc
	depth, oldest            *prometheus.Desc
	budget                   *prometheus.Desc
}

func newGauges(from counted, budgets budgets, providers []string) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &gauges{
		ledger: from, budgets: budgets, providers: providers,
		rewards: desc("rewardflow_rewards", "Rewards in the ledger, by status.", "status"),
		rewardsOldest: desc("rewardflow_rewards_oldest_seconds",
			"How long the reward that has had its status for longest has had it, by status; 0 when none has it.", "status"),
		unknown: desc("rewardflow_payouts_unknown", "Payouts whose outcome nobody knows."),
		unknownOldest: desc("rewardflow_payouts_unknown_oldest_seconds",
			"How long ago the oldest of them was first sent; 0 when there is none."),
		unclosed: desc("rewardflow_rewards_unclosed",
			"Rewards that are paid and that FirstPromoter is not known to hold as completed; counted up to 100000."),
		unclosedOldest: desc("rewardflow_rewards_unclosed_oldest_seconds",
			"How long ago the oldest of them was paid; 0 when there is none."),
		paid: desc("rewardflow_paid_today",
			"Payouts that were delivered on this UTC day and did not come back, by unit; cash by its currency. From the ledger.", "unit"),
		paidAmount: desc("rewardflow_paid_today_amount",
			"What those payouts add up to: whole units, and minor units of a currency.", "unit"),
		brake: desc("rewardflow_brake_paused", "1 while the brake is on, for all or for one provider.", "scope"),
		depth: desc("rewardflow_inbox_depth", "Accepted events that wait to be dispatched; counted up to 100000."),
		oldest: desc("rewardflow_inbox_oldest_seconds",
			"How long the oldest accepted event has waited to be dispatched; 0 when none waits."),
		budget: desc("rewardflow_retry_budget_spent",
			"The most errors of the last 24 hours that a reward was answered whose event is not stored; "+
				"after 7 FirstPromoter marks a reward with has_issues."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		g.rewards, g.rewardsOldest, g.unknown, g.unknownOldest, g.unclosed, g.unclosedOldest,
		g.paid, g.paidAmount, g.brake, g.depth, g.oldest, g.budget,
	} {
		descs <- d
	}
}

// scrapeBudget bounds what one look at the metrics may cost.
const scrapeBudget = 2 * time.Second

// scraped is one look at the metrics.
type scraped struct {
	to  chan<- prometheus.Metric
	now time.Time
}

func (s scraped) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// age is how long ago a moment was; 0 for none, and for one of a clock that runs
// ahead.
func (s scraped) age(desc *prometheus.Desc, since time.Time, labels ...string) {
	age := 0.0
	if !since.IsZero() {
		age = max(s.now.Sub(since).Seconds(), 0)
	}
	s.gauge(desc, age, labels...)
}

// Collect implements prometheus.Collector. What cannot be read is left out.
func (g *gauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeBudget)
	defer cancel()
	s := scraped{metrics, time.Now()}
	s.gauge(g.budget, float64(g.budgets.Worst(ctx)))
	if v, err := g.ledger.Vitals(ctx, s.now); err == nil {
		g.vitals(s, v)
	}
	if brakes, err := g.ledger.Brakes(ctx); err == nil {
		paused := map[string]float64{ledger.AllProviders: 0}
		for _, name := range g.providers {
			paused[name] = 0
		}
		for _, b := range brakes {
			paused[b.Scope] = 0
			if b.Paused {
				paused[b.Scope] = 1
			}
		}
		for scope, value := range paused {
			s.gauge(g.brake, value, scope)
		}
	}
	if depth, oldest, err := g.ledger.InboxDepth(ctx); err == nil {
		s.gauge(g.depth, float64(depth))
		s.age(g.oldest, oldest)
	}
}

func (g *gauges) vitals(s scraped, v ledger.Vitals) {
	for _, status := range reward.Statuses() {
		s.gauge(g.rewards, float64(v.Statuses[status].Count), string(status))
		if !status.Final() {
			s.age(g.rewardsOldest, v.Statuses[status].Oldest, string(status))
		}
	}
	s.gauge(g.unknown, float64(v.Unknown.Count))
	s.age(g.unknownOldest, v.Unknown.Oldest)
	s.gauge(g.unclosed, float64(v.Unclosed.Count))
	s.age(g.unclosedOldest, v.Unclosed.Oldest)
	for _, t := range v.Paid {
		s.gauge(g.paid, float64(t.Count), t.Unit)
		s.gauge(g.paidAmount, float64(t.Amount), t.Unit)
	}
}
