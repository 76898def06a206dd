package protocoltest

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// process is one worker's process, as one execution meets it: it passes points
// at which it may die or be suspended. It stands between the activities and
// the ledger, and around every activity.
type process struct {
	activities.Ledger
	interceptor.WorkerInterceptorBase
	w   *world
	run *run
}

// dead is what a dying process panics with. The test environment turns it into
// an error of the activity, which is what a workflow sees of a timeout.
type dead struct{}

// started is when the activity of a context was started, and what it is.
type started struct {
	name  string
	at    time.Time
	limit time.Duration
}

type startedKey struct{}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (p *process) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &around{p: p}
	in.Next = next
	return in
}

type around struct {
	interceptor.ActivityInboundInterceptorBase
	p *process
}

// ExecuteActivity passes a point before an activity, and one between its end
// and the workflow: a result that comes after the activity's timeout is lost.
func (a *around) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	a.p.run.acting.RLock()
	defer a.p.run.acting.RUnlock()
	w, info := a.p.w, activity.GetInfo(ctx)
	s := started{name: info.ActivityType.Name, at: w.clock.Now(), limit: info.StartToCloseTimeout - leisure}
	ctx = context.WithValue(ctx, startedKey{}, s)
	w.note("%s", s.name)
	a.p.passes(ctx, "before "+s.name)
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err != nil {
		w.note("  %s failed: %v", s.name, err)
	}
	a.p.passes(ctx, "before the result of "+s.name)
	if late := w.clock.Now().Sub(s.at); late > s.limit {
		w.note("  its result comes after %s and is lost", late)
		panic(dead{})
	}
	return out, err
}

// passes is a point at which something may happen to the process.
func (p *process) passes(ctx context.Context, where string) {
	w := p.w
	w.look(where)
	step := w.nextStep()
	if step.Kind != GoesOn {
		w.note("  %s, the process %s", where, step)
	}
	switch step.Kind {
	case GoesOn:
	case Fails:
		panic(dead{})
	case Dies:
		s, _ := ctx.Value(startedKey{}).(started)
		w.pass(max(0, s.at.Add(s.limit).Sub(w.clock.Now())))
		panic(dead{})
	case Stalls:
		w.pass(step.For)
	case Rival:
		w.rival(step.For)
	}
	if step.Kind != GoesOn {
		w.note("  the process goes on, %s", where)
	}
}

// around a write there are two points.
func writes[T any](ctx context.Context, p *process, name string, write func() (T, error)) (T, error) {
	p.passes(ctx, "before "+name)
	out, err := write()
	p.passes(ctx, "after "+name)
	return out, err
}

// Reserve implements activities.Ledger.
func (p *process) Reserve(ctx context.Context, r ledger.Reservation) (ledger.Payout, error) {
	return writes(ctx, p, "reserve", func() (ledger.Payout, error) { return p.Ledger.Reserve(ctx, r) })
}

// Claim implements activities.Ledger.
func (p *process) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	return writes(ctx, p, "claim", func() (ledger.Claim, error) { return p.Ledger.Claim(ctx, id, caps, now, deadline) })
}

// Finish implements activities.Ledger.
func (p *process) Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (ledger.Payout, error) {
	return writes(ctx, p, "finish", func() (ledger.Payout, error) { return p.Ledger.Finish(ctx, a, out) })
}

// Found implements activities.Ledger.
func (p *process) Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (ledger.Payout, error) {
	return writes(ctx, p, "found", func() (ledger.Payout, error) { return p.Ledger.Found(ctx, id, fence, f, at) })
}

// Rearm implements activities.Ledger.
func (p *process) Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (ledger.Payout, error) {
	return writes(ctx, p, "rearm", func() (ledger.Payout, error) { return p.Ledger.Rearm(ctx, id, fence, reason) })
}

// NewGeneration implements activities.Ledger.
func (p *process) NewGeneration(ctx context.Context, r ledger.Reservation, actor string) (ledger.Payout, error) {
	return writes(ctx, p, "new generation", func() (ledger.Payout, error) { return p.Ledger.NewGeneration(ctx, r, actor) })
}

// PayByHand implements activities.Ledger.
func (p *process) PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (ledger.Payout, error) {
	return writes(ctx, p, "pay by hand", func() (ledger.Payout, error) { return p.Ledger.PayByHand(ctx, id, actor, reference, at) })
}

// ClaimClose implements activities.Ledger.
func (p *process) ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (ledger.CloseState, bool, error) {
	p.passes(ctx, "before claim close")
	state, claimed, err := p.Ledger.ClaimClose(ctx, id, deadline)
	p.passes(ctx, "after claim close")
	return state, claimed, err
}

// FinishClose implements activities.Ledger.
func (p *process) FinishClose(ctx context.Context, id reward.ID, fence int64, call ledger.CloseCall, detail string) (ledger.CloseState, error) {
	return writes(ctx, p, "finish close", func() (ledger.CloseState, error) { return p.Ledger.FinishClose(ctx, id, fence, call, detail) })
}
