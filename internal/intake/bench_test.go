package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/metrics"
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
// engine, how many of 10,000 events a second are accepted (decoded, committed
// to the inbox, and being dispatched meanwhile) with how many workflows a
// second a plain ExecuteWorkflow starts. The figure to look at is "x plain".
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
		began := time.Now()
		burst(b, in, clients)
		accepted := burstEvents / time.Since(began).Seconds()
		cancel()
		dispatching.Wait()
		require.NoError(b, l.Close())

		b.ReportMetric(plain, "plain/s")
		b.ReportMetric(accepted, "accepted/s")
		b.ReportMetric(accepted/plain, "x_plain")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBurst accepts 10,000 events as fast as they go, from a few clients
// and all at the same moment, and says how much memory that took at most, over
// what the process had before. The events are 1.3 kB each.
func BenchmarkBurst(b *testing.B) {
	for name, clients := range map[string]int{"From64Clients": 64, "AllAtOnce": burstEvents} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := newSpooling(b)
				stop := s.folds(b)
				before := memory()
				peak := watchMemory()
				began := time.Now()
				burst(b, s.intake, clients)
				b.ReportMetric(burstEvents/time.Since(began).Seconds(), "accepted/s")
				b.ReportMetric(float64(peak()-min(before, peak()))/(1<<20), "MiB_at_most")
				s.requireFolded(b, burstEvents)
				stop()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

const burstEvents = 10_000

// burst has the clients send 10,000 events, each of which must be accepted.
func burst(b *testing.B, in *intake.Intake, clients int) {
	b.Helper()
	var (
		sending sync.WaitGroup
		left    atomic.Int64
		refused atomic.Int64
	)
	left.Store(burstEvents)
	for range clients {
		sending.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := in.Accept(context.Background(), event(numbers.Add(1))); err != nil {
					refused.Add(1)
				}
			}
		})
	}
	sending.Wait()
	require.Zero(b, refused.Load(), "events that were not accepted")
}

// memory is what the process has from the operating system and uses.
func memory() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// watchMemory looks at the memory until peak is called, which returns the most.
func watchMemory() (peak func() uint64) {
	var (
		most    uint64
		stop    = make(chan struct{})
		looking sync.WaitGroup
	)
	looking.Go(func() {
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			most = max(most, memory())
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	end := sync.OnceFunc(func() { close(stop) })
	return func() uint64 {
		end()
		looking.Wait()
		return most
	}
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
