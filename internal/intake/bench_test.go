package intake_test

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
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/engine/enginetest"
	"github.com/rewardflow/rewardflow/internal/intake"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/workflows"
)

// BenchmarkAcceptAgainstPlainStart compares, in one run and on one embedded
// engine, how many events a second are accepted (decoded, committed to the
// inbox, and being dispatched meanwhile) with how many workflows a second a
// plain ExecuteWorkflow starts. The figure to look at is "x plain".
func BenchmarkAcceptAgainstPlainStart(b *testing.B) {
	const (
		clients = 64
		span    = 4 * time.Second
	)
	server := enginetest.Start(b, workflows.SearchAttributes()...)
	c := server.Client(b)
	quiet := slog.New(slog.DiscardHandler)

	for b.Loop() {
		plain := rate(clients, span, func(ctx context.Context, n int64) error {
			_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("plain-%d", n), TaskQueue: "nobody"}, "Plain", n)
			return err
		})

		l, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"), sqlite.Options{})
		require.NoError(b, err)
		starter := intake.NewStarter(c, "nobody", false, func(string) []string { return nil })
		dispatcher := intake.NewDispatcher(intake.DispatcherConfig{Owner: "bench"}, l, starter, quiet)
		ctx, cancel := context.WithCancel(b.Context())
		var dispatching sync.WaitGroup
		dispatching.Go(func() { dispatcher.Run(ctx) })
		in, err := intake.New(l, intake.Config{
			CloseByAnswerAfter: time.Hour, Wake: dispatcher.Wake, Registerer: prometheus.NewRegistry(), Logger: quiet,
		})
		require.NoError(b, err)
		accepted := rate(clients, span, func(ctx context.Context, n int64) error {
			_, _, err := in.Accept(ctx, event(n))
			return err
		})
		cancel()
		dispatching.Wait()
		require.NoError(b, l.Close())

		b.ReportMetric(plain, "plain/s")
		b.ReportMetric(accepted, "accepted/s")
		b.ReportMetric(accepted/plain, "x_plain")
	}
	b.ReportMetric(0, "ns/op")
}

// rate calls do from n goroutines for the span and returns the successes a second.
func rate(n int, span time.Duration, do func(ctx context.Context, n int64) error) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	var (
		done  atomic.Int64
		group sync.WaitGroup
		began = time.Now()
	)
	for range n {
		group.Go(func() {
			for ctx.Err() == nil {
				if do(context.WithoutCancel(ctx), numbers.Add(1)) == nil {
					done.Add(1)
				}
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}
