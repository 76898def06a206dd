package app

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/crashpoint"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// What follows stands around the parts of a process that a fault test has
// armed, and around nothing else: a process in production has none of it.

// arm reads where this process is to end itself. It says so loudly: nobody
// shall run an armed process without knowing.
func (a *App) arm(ctx context.Context) (err error) {
	if a.crash, err = crashpoint.Read(a.opts.Lookup); err != nil || a.crash == nil {
		return err
	}
	a.log.ErrorContext(ctx, "process.armed_to_crash", "what", a.crash.String(), "variable", crashpoint.Variable,
		"consequence", "this is for fault tests only: unset the variable and start again")
	return nil
}

// armLedger puts the points around the ledger.
func (a *App) armLedger() {
	if a.crash != nil {
		a.ledger = crashingLedger{a.ledger, a.crash}
	}
}

// crashingLedger passes points before and after what it commits.
type crashingLedger struct {
	ledger.Ledger

	at *crashpoint.Armed
}

// Accept implements ledger.Inbox.
func (l crashingLedger) Accept(ctx context.Context, ev ledger.Event, after time.Duration) (ledger.Receipt, error) {
	receipt, err := l.Ledger.Accept(ctx, ev, after)
	l.at.Pass(crashpoint.AfterInboxCommit)
	return receipt, err
}

// Claim implements ledger.Payouts.
func (l crashingLedger) Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error) {
	l.at.Pass(crashpoint.BeforeClaim)
	claim, err := l.Ledger.Claim(ctx, id, caps, now, deadline)
	if claim.Taken {
		l.at.Pass(crashpoint.AfterClaim)
	}
	return claim, err
}

// Finish implements ledger.Payouts.
func (l crashingLedger) Finish(ctx context.Context, attempt ledger.Attempt, out payout.Outcome) (ledger.Payout, error) {
	p, err := l.Ledger.Finish(ctx, attempt, out)
	l.at.Pass(crashpoint.AfterSettle)
	return p, err
}

// ClaimClose implements ledger.Closing.
func (l crashingLedger) ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (ledger.CloseState, bool, error) {
	state, claimed, err := l.Ledger.ClaimClose(ctx, id, deadline)
	if claimed {
		l.at.Pass(crashpoint.AfterCloseClaim)
	}
	return state, claimed, err
}

// armProviders puts the points around what a worker sends to providers.
func (a *App) armProviders(providers map[string]payout.Provider) map[string]payout.Provider {
	if a.crash == nil {
		return providers
	}
	armed := make(map[string]payout.Provider, len(providers))
	for name, p := range providers {
		armed[name] = crashingProvider{p, a.crash}
	}
	return armed
}

type crashingProvider struct {
	payout.Provider

	at *crashpoint.Armed
}

// Send implements payout.Provider.
func (p crashingProvider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	p.at.Pass(crashpoint.BeforeSend)
	out := p.Provider.Send(ctx, req)
	p.at.Pass(crashpoint.AfterEffect)
	return out
}

// armCloser puts the points around the call that closes.
func (a *App) armCloser(fp activities.FirstPromoter) activities.FirstPromoter {
	if a.crash == nil {
		return fp
	}
	return crashingCloser{fp, a.crash}
}

type crashingCloser struct {
	activities.FirstPromoter

	at *crashpoint.Armed
}

// Complete implements activities.FirstPromoter.
func (c crashingCloser) Complete(ctx context.Context, id reward.ID) error {
	err := c.FirstPromoter.Complete(ctx, id)
	c.at.Pass(crashpoint.AfterCloseCall)
	return err
}

// armStarter puts the points around what starts workflows.
func (a *App) armStarter() starterClient {
	if a.crash == nil {
		return a.temporal
	}
	return crashingStarter{a.temporal, a.crash}
}

// starterClient is the part of Temporal's client that starts workflows.
type starterClient interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

type crashingStarter struct {
	starterClient

	at *crashpoint.Armed
}

// ExecuteWorkflow implements starterClient.
func (s crashingStarter) ExecuteWorkflow(
	ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any,
) (client.WorkflowRun, error) {
	run, err := s.starterClient.ExecuteWorkflow(ctx, options, workflow, args...)
	if err == nil {
		s.at.Pass(crashpoint.AfterStart)
	}
	return run, err
}

// crashingWorker passes a point in the handlers of updates, which workflow
// code itself may not reach.
type crashingWorker struct {
	interceptor.InterceptorBase

	at *crashpoint.Armed
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (w *crashingWorker) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &crashingWorkflow{at: w.at}
	in.Next = next
	return in
}

type crashingWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase

	at *crashpoint.Armed
}

// ExecuteUpdate implements interceptor.WorkflowInboundInterceptor.
func (w *crashingWorkflow) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	w.at.Pass(crashpoint.InUpdate)
	return w.Next.ExecuteUpdate(ctx, in)
}
