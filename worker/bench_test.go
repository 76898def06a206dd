package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

// BenchmarkFulfilmentAgainstPlainWorkflow compares, in one run and on one
// embedded engine, how many whole fulfilments a second (event accepted,
// verified, decided, paid once behind the ledger's fences, closed) with how
// many plain workflows of two activities that do nothing. FirstPromoter and the
// provider answer at once, so that what is measured is ours. Each is measured
// twice, in an order that favours nobody. The figure to look at is "x_plain".
func BenchmarkFulfilmentAgainstPlainWorkflow(b *testing.B) {
	const n = 200
	server := enginetest.Start(b, workflows.SearchAttributes()...)
	c := server.Client(b)
	for b.Loop() {
		plain := plainWorkflows(b, c, n)
		whole := fulfilments(b, c, n) + fulfilments(b, c, n)
		plain += plainWorkflows(b, c, n)
		b.ReportMetric(2*n/plain.Seconds(), "plain/s")
		b.ReportMetric(2*n/whole.Seconds(), "fulfilled/s")
		b.ReportMetric(plain.Seconds()/whole.Seconds(), "x_plain")
	}
	b.ReportMetric(0, "ns/op")
}

// callers start workflows, and send events, at once.
const callers = 16

// plainWorkflows runs n workflows of two activities and returns how long that took.
func plainWorkflows(b *testing.B, c client.Client, n int) time.Duration {
	w := sdkworker.New(c, "plain", sdkworker.Options{})
	w.RegisterActivityWithOptions(func(context.Context, int) error { return nil }, activity.RegisterOptions{Name: "Nothing"})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, n int) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 30 * time.Second})
		for range 2 {
			if err := workflow.ExecuteActivity(ctx, "Nothing", n).Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}, workflow.RegisterOptions{Name: "Plain"})
	require.NoError(b, w.Start())
	defer w.Stop()

	began := time.Now()
	var group sync.WaitGroup
	gate := make(chan struct{}, callers)
	for i := range n {
		group.Go(func() {
			gate <- struct{}{}
			run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{
				ID: fmt.Sprintf("plain-%d-%d", began.UnixNano(), i), TaskQueue: "plain", EnableEagerStart: true,
			}, "Plain", i)
			<-gate
			if err == nil {
				err = run.Get(b.Context(), nil)
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// fulfilments brings n events to fulfilled rewards and returns how long that took.
func fulfilments(b *testing.B, c client.Client, n int) time.Duration {
	quiet := slog.New(slog.DiscardHandler)
	l, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), sqlite.Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, l.Close()) }()

	books := &books{}
	acts, err := activities.New(activities.Config{}, activities.Deps{
		Ledger: l, FirstPromoter: books, Judge: books, Providers: map[string]payout.Provider{"team": books},
	})
	require.NoError(b, err)
	w := worker.New(c, worker.Options{}, acts, nil)
	require.NoError(b, w.Start())
	defer w.Stop()

	starter := intake.NewStarter(c, workflows.TaskQueue, true, func(string) []string { return nil })
	dispatcher := intake.NewDispatcher(intake.DispatcherConfig{Owner: "bench", Gate: callers}, l, starter, quiet)
	ctx, cancel := context.WithCancel(b.Context())
	var dispatching sync.WaitGroup
	dispatching.Go(func() { dispatcher.Run(ctx) })
	defer dispatching.Wait()
	defer cancel()
	in, err := intake.New(l, intake.Config{
		CloseByAnswerAfter: time.Hour, Wake: dispatcher.Wake, Registerer: prometheus.NewRegistry(), Logger: quiet,
	})
	require.NoError(b, err)

	began := time.Now()
	var group sync.WaitGroup
	gate := make(chan struct{}, callers)
	for range n {
		group.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			id := next.Add(1)
			_, err := in.Accept(b.Context(), fmt.Appendf(nil, `{"event":{"id":%d,"type":"fulfilment_pending"},"data":{"id":%d,
				"status":"pending","amount":3,"unit":"free_months","promoter":{"id":7,"email":"a@example.com"},"campaign":{"id":9,"name":"Spring"}}}`, id, id))
			if err != nil {
				b.Error(err)
			}
		})
	}
	group.Wait()
	for done := 0; done < n; {
		pause(5 * time.Millisecond)
		if time.Since(began) < 2*time.Minute && int(books.completions.Load()) < n {
			continue // A summary costs what is measured.
		}
		totals, _, err := l.Summary(b.Context())
		require.NoError(b, err)
		for _, t := range totals {
			if t.Status == reward.Fulfilled {
				done = t.Count
			}
		}
		if time.Since(began) > 2*time.Minute {
			b.Fatalf("%d of %d fulfilled: %v", done, n, totals)
		}
	}
	span := time.Since(began)
	require.EqualValues(b, n, books.sends.Load(), "every reward is paid once")
	require.EqualValues(b, n, books.completions.Load(), "every reward is closed once")
	return span
}

var next atomic.Int64

func pause(d time.Duration) { <-time.After(d) }

// books are a FirstPromoter, a provider and a policy that answer at once.
type books struct{ sends, completions atomic.Int64 }

func (*books) Owed(_ context.Context, promoter int64, id reward.ID) (activities.Owed, error) {
	return activities.Owed{Status: "pending", Reward: reward.Reward{
		ID: id, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: promoter, Email: "a@example.com"}, Campaign: reward.Campaign{ID: 9, Name: "Spring"},
	}}, nil
}

func (b *books) Complete(context.Context, reward.ID) error {
	b.completions.Add(1)
	return nil
}

func (*books) Rule(activities.Case) activities.Ruling {
	return activities.Ruling{Provider: "team", Verdict: activities.VerdictPay, Rule: "rule 1", PolicyVersion: "p-1"}
}

func (*books) Name() string          { return "team" }
func (*books) Traits() payout.Traits { return payout.Traits{Window: time.Hour} }

func (*books) Prepare(_ context.Context, o payout.Order) (payout.Request, error) {
	return payout.Request{Key: o.Key, Destination: "team", Body: []byte(o.Key)}, nil
}

func (b *books) Send(_ context.Context, req payout.Request) payout.Outcome {
	b.sends.Add(1)
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "ref-" + req.Key}
}

func (*books) Lookup(context.Context, payout.Request) payout.Finding { return payout.Finding{} }
