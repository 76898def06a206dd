package peers

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// naiveTries is how often the naive handler tries a reward.
const naiveTries = 3

// naive is the handler that everybody writes first: answer, and do the work in
// a goroutine. Nothing is kept, so it is the floor of cost and of safety.
type naive struct {
	pipeline *Pipeline
	logger   *slog.Logger
	working  sync.WaitGroup
}

func openNaive(_ context.Context, s Setting) (Peer, error) {
	return &naive{pipeline: s.Pipeline, logger: s.Logger}, nil
}

func (n *naive) Accept(ctx context.Context, r Reward) error {
	n.working.Go(func() { n.work(context.WithoutCancel(ctx), r) })
	return nil
}

func (n *naive) work(ctx context.Context, r Reward) {
	for try := 1; ; try++ {
		err := n.try(ctx, r)
		if err == nil {
			return
		}
		n.logger.Warn("reward.failed", "reward", r.ID, "try", try, "error", err)
		if try == naiveTries {
			return
		}
		<-time.After(time.Second)
	}
}

func (n *naive) try(ctx context.Context, r Reward) error {
	ctx, cancel := context.WithTimeout(ctx, TryFor)
	defer cancel()
	completed, err := n.pipeline.Verify(ctx, r)
	if err != nil || completed {
		return err
	}
	if _, err := n.pipeline.Pay(ctx, r); err != nil {
		return err
	}
	return n.pipeline.Finish(ctx, r)
}

func (n *naive) Address() string { return "" }

func (n *naive) Close() error {
	n.working.Wait()
	return nil
}
