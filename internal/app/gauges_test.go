package app

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// books are a ledger that says what it is told.
type books struct {
	vitals ledger.Vitals
	brakes []ledger.BrakeState
	depth  int
	oldest time.Time
	err    error
}

func (b books) Vitals(context.Context, time.Time) (ledger.Vitals, error) { return b.vitals, b.err }
func (b books) Brakes(context.Context) ([]ledger.BrakeState, error)      { return b.brakes, nil }
func (b books) InboxDepth(context.Context) (int, time.Time, error)       { return b.depth, b.oldest, nil }
func (b books) Worst(context.Context) int                                { return 3 }

func scrapeOf(t *testing.T, collectors ...prometheus.Collector) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	require.Equal(t, 200, w.Code, w.Body.String())
	return strings.Split(w.Body.String(), "\n")
}

func TestGaugesTellWhatTheLedgerCounts(t *testing.T) {
	t.Parallel()

	ahead := time.Now().Add(time.Hour) // A clock that was stepped back since.
	b := books{
		vitals: ledger.Vitals{
			Statuses: map[reward.Status]ledger.Age{reward.Held: {Count: 2, Oldest: ahead}, reward.Fulfilled: {Count: 7}},
			Unknown:  ledger.Age{Count: 1, Oldest: ahead}, Unclosed: ledger.Age{Count: 4, Oldest: ahead},
			Paid: []ledger.DayTotal{{Unit: "USD", Count: 5, Amount: 1250}},
		},
		brakes: []ledger.BrakeState{{Scope: ledger.AllProviders}, {Scope: "team", Paused: true}, {Scope: "gone", Paused: false}},
		depth:  9,
	}
	lines := scrapeOf(t, newGauges(b, b, []string{"team", "people"}))
	for _, want := range []string{
		`rewardflow_rewards{status="held"} 2`, `rewardflow_rewards{status="fulfilled"} 7`, `rewardflow_rewards{status="received"} 0`,
		`rewardflow_rewards_oldest_seconds{status="held"} 0`,
		`rewardflow_payouts_unknown 1`, `rewardflow_payouts_unknown_oldest_seconds 0`,
		`rewardflow_rewards_unclosed 4`, `rewardflow_rewards_unclosed_oldest_seconds 0`,
		`rewardflow_paid_today{unit="USD"} 5`, `rewardflow_paid_today_amount{unit="USD"} 1250`,
		`rewardflow_brake_paused{scope="all"} 0`, `rewardflow_brake_paused{scope="team"} 1`,
		`rewardflow_brake_paused{scope="people"} 0`, `rewardflow_brake_paused{scope="gone"} 0`,
		`rewardflow_inbox_depth 9`, `rewardflow_inbox_oldest_seconds 0`, `rewardflow_retry_budget_spent 3`,
	} {
		require.Contains(t, lines, want)
	}
	require.NotContains(t, strings.Join(lines, "\n"), `oldest_seconds{status="fulfilled"}`)

	b.vitals.Unknown.Oldest = time.Now().Add(-time.Hour)
	require.Regexp(t, `rewardflow_payouts_unknown_oldest_seconds 3[56]\d\d`, strings.Join(scrapeOf(t, newGauges(b, b, nil)), "\n"))
}

func TestGaugesLeaveOutWhatCannotBeRead(t *testing.T) {
	t.Parallel()

	b := books{err: errors.New("the ledger is locked"), depth: 9}
	lines := strings.Join(scrapeOf(t, newGauges(b, b, nil)), "\n")
	require.NotContains(t, lines, "rewardflow_rewards")
	require.Contains(t, lines, "rewardflow_inbox_depth 9")
}
