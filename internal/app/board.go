package app

import (
	"context"
	"errors"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/notify"
)

// partFirstPromoter names FirstPromoter's API on the board.
const partFirstPromoter = "firstpromoter"

// board is where the parts of this process note that something outside does not
// work, for /readyz. It knows what was tried, and asks nobody by itself.
type board struct {
	now func() time.Time

	mu       sync.Mutex
	troubles map[string]api.Trouble
}

func newBoard(now func() time.Time) *board {
	return &board{now: now, troubles: map[string]api.Trouble{}}
}

// note keeps what became of the last call of a part. A call that was given up
// says nothing, and neither does an answer about the one thing that was asked.
func (b *board) note(part string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	detail := troubleWords(err)
	b.mu.Lock()
	defer b.mu.Unlock()
	if detail == "" {
		delete(b.troubles, part)
		return
	}
	t, known := b.troubles[part]
	if !known {
		t = api.Trouble{Part: part, Since: b.now()}
	}
	t.Detail = detail
	b.troubles[part] = t
}

// troubleWords says what a failure means for a part, in words that hold nothing
// of the failure itself; empty when the part works.
func troubleWords(err error) string {
	if err == nil {
		return ""
	}
	switch fault.KindOf(err) {
	case fault.Denied:
		return "it refuses our credentials"
	case fault.Throttled:
		return "it asks to call less often"
	case fault.Unavailable, fault.Ambiguous:
		return "it does not answer as it should"
	case fault.Invalid, fault.Internal:
		return "it does not understand us: check its address in the configuration"
	case fault.NotFound, fault.Conflict, fault.Declined:
	}
	return ""
}

// Troubles implements api.Troubles.
func (b *board) Troubles(context.Context) []api.Trouble {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]api.Trouble, 0, len(b.troubles))
	for _, t := range b.troubles {
		list = append(list, t)
	}
	return list
}

// watch makes every channel note on the board what became of its last message.
func (c channels) watch(b *board) {
	for i := range c {
		c[i].notifier = watched{c[i].notifier, b}
	}
}

// watched is a notifier that notes what became of its last message.
type watched struct {
	notify.Notifier

	board *board
}

// Notify implements notify.Notifier.
func (w watched) Notify(ctx context.Context, m notify.Message) error {
	err := w.Notifier.Notify(ctx, m)
	w.board.note("notifications "+w.Name(), err)
	return err
}

// workerWatch says when no worker takes tasks: without one nothing moves.
type workerWatch struct {
	client    client.Client
	taskQueue string
}

// Troubles implements api.Troubles. A Temporal that does not answer is told by
// engineHealth.
func (w workerWatch) Troubles(ctx context.Context) []api.Trouble {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	queue, err := w.client.DescribeTaskQueue(ctx, w.taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil || len(queue.GetPollers()) > 0 {
		return nil
	}
	return []api.Trouble{{Part: "worker", Detail: "no worker takes tasks, so no reward moves"}}
}
