// Package callback takes what providers say by themselves about payouts. A
// callback decides nothing: it makes rewardflow ask the provider sooner than it
// would have asked anyway, and what the provider answers then counts.
package callback

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// record is the part of the ledger that callbacks use.
type record interface {
	PayoutByKey(ctx context.Context, key string) (ledger.Payout, error)
	NextLook(ctx context.Context, id reward.ID, at time.Time) error
}

// messenger is the part of Temporal's client that callbacks use.
type messenger interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// Config says where callbacks lead. Now is the clock; nil means time.Now.
type Config struct {
	// Providers are the configured providers by name. Only those that are a
	// payout.Caller can call.
	Providers map[string]payout.Provider
	TaskQueue string
	Logger    *slog.Logger
	Now       func() time.Time
}

// Callbacks takes callbacks.
type Callbacks struct {
	callers   map[string]payout.Caller
	ledger    record
	temporal  messenger
	taskQueue string
	log       *slog.Logger
	now       func() time.Time
}

// budget bounds what one callback may cost at Temporal.
const budget = 3 * time.Second

// New returns a Callbacks.
func New(cfg Config, rec record, temporal messenger) *Callbacks {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Callbacks{
		callers: map[string]payout.Caller{}, ledger: rec, temporal: temporal,
		taskQueue: cfg.TaskQueue, log: cfg.Logger, now: cfg.Now,
	}
	for name, provider := range cfg.Providers {
		if caller, ok := provider.(payout.Caller); ok {
			c.callers[name] = caller
		}
	}
	return c
}

// Take hastens the look-up of the payout that a callback is about. It returns
// fault.Denied for a callback that the provider did not make, fault.NotFound
// for a payout that the provider does not carry, and fault.Invalid for what
// cannot be read. That Temporal could not be told is no error: the payout is
// looked up at its own time.
func (c *Callbacks) Take(ctx context.Context, provider string, header func(name string) string, body []byte) error {
	const op = "callback.take"
	caller, ok := c.callers[provider]
	if !ok {
		// Whoever asks learns nothing of what is configured.
		return fault.New(fault.Denied, op, "no provider with this name can call")
	}
	key, err := caller.Heard(header, body)
	if err != nil {
		return err
	}
	p, err := c.ledger.PayoutByKey(ctx, key)
	if err == nil && (p.Provider != provider || p.Request.Key != key) {
		err = fault.New(fault.NotFound, op, "no payout of this provider has this key")
	}
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "callback.taken", "provider", provider, "reward_id", p.RewardID, "payout", p.State)
	return c.hasten(ctx, p)
}

func (c *Callbacks) hasten(ctx context.Context, p ledger.Payout) error {
	calling, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	var err error
	switch p.State {
	case payout.Submitting, payout.Unknown, payout.Settling:
		err = c.temporal.SignalWorkflow(calling, workflows.FulfilmentID(p.RewardID), "", workflows.SignalNudge, nil)
	case payout.Paid:
		// First the ledger, so that the look is not forgotten.
		if err := c.ledger.NextLook(ctx, p.RewardID, c.now()); err != nil {
			return err
		}
		err = c.reconcile(calling, p.RewardID)
	case payout.Reserved, payout.Refused, payout.Conflicted, payout.Returned:
		// Nothing is waited for.
	}
	if err != nil {
		c.log.WarnContext(ctx, "callback.not_passed_on", "reward_id", p.RewardID, "error", err)
	}
	return nil
}

// reconcile looks at one payout now. One that is being looked at already is
// due again, because the ledger says so.
func (c *Callbacks) reconcile(ctx context.Context, id reward.ID) error {
	_, err := c.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.ReconciliationID(id),
		TaskQueue:                c.taskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "its provider called",
	}, workflows.ReconciliationType, workflows.ReconciliationInput{RewardID: id})
	if err != nil {
		return fmt.Errorf("starting %s: %w", workflows.ReconciliationID(id), err)
	}
	return nil
}
