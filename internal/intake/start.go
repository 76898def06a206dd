package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/internal/firstpromoter"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/internal/telemetry"
	"github.com/rewardflow/rewardflow/workflows"
)

// starter is the part of Temporal's client that intake uses.
type starter interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
}

// Starter starts the workflow of an event, at most one that is open per reward
// or event.
type Starter struct {
	temporal  starter
	taskQueue string
	eager     bool
	channels  func(eventType string) []string
	followers []Follower
}

// Follower is told of what is dispatched, beside the channels. An error is
// ambiguous: the row comes again, and following it again is safe.
type Follower interface {
	Follow(ctx context.Context, row ledger.Pending) error
}

// NewStarter returns a Starter. eager asks the server to hand the first task
// straight back, which helps where a worker shares the client. channels names
// the notification channels that an event type is routed to; an event that
// nobody wants costs no workflow. Followers hear of every event but those that
// start a fulfilment.
func NewStarter(
	temporal starter, taskQueue string, eager bool, channels func(eventType string) []string, followers ...Follower,
) *Starter {
	return &Starter{temporal: temporal, taskQueue: taskQueue, eager: eager, channels: channels, followers: followers}
}

// Start starts the workflow of an inbox row and returns its ID and the channels
// that it tells; an empty ID says that nothing had to be started. An error is
// ambiguous: the workflow may have been started, and starting it again is safe.
func (s *Starter) Start(ctx context.Context, row ledger.Pending) (ledger.Dispatched, error) {
	ctx = telemetry.Continue(ctx, row.Traceparent)
	if row.RewardID != 0 {
		return ledger.Dispatched{Inbox: row.Inbox, WorkflowID: workflows.FulfilmentID(row.RewardID)}, s.Fulfil(ctx, claimed(row))
	}
	for _, f := range s.followers {
		if err := f.Follow(ctx, row); err != nil {
			return ledger.Dispatched{}, err
		}
	}
	channels := s.channels(row.Type)
	if len(channels) == 0 {
		return ledger.Dispatched{Inbox: row.Inbox}, nil
	}
	open := ledger.OpenNotification{Inbox: row.Inbox, Type: row.Type, EventID: row.EventID, Channels: channels}
	options := s.notification(open)
	_, err := s.tell(ctx, options, open)
	return ledger.Dispatched{Inbox: row.Inbox, WorkflowID: options.ID, Channels: channels}, err
}

// Notify starts the notification of an event that was dispatched before, unless
// it is open or has completed.
func (s *Starter) Notify(ctx context.Context, open ledger.OpenNotification) error {
	_, err := s.tell(telemetry.Continue(ctx, open.Traceparent), s.notification(open), open)
	return err
}

// notification returns the options of an event's notification.
func (s *Starter) notification(open ledger.OpenNotification) client.StartWorkflowOptions {
	options := s.options(workflows.NotificationID(open.Type, open.EventID))
	options.StaticSummary = open.Type
	return options
}

// tell starts a notification, and reports whether it did: one that is open, or
// that the options do not let run again, stays as it is.
func (s *Starter) tell(ctx context.Context, options client.StartWorkflowOptions, open ledger.OpenNotification) (bool, error) {
	return s.start(ctx, options, workflows.NotificationType, workflows.NotificationInput{
		Inbox: open.Inbox, Type: open.Type, Channels: open.Channels,
	})
}

// Fulfil starts the fulfilment of a reward unless it is open or has completed.
func (s *Starter) Fulfil(ctx context.Context, r reward.Reward) error {
	_, err := s.fulfil(ctx, r, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	return err
}

// TakeUp starts the fulfilment of a reward that the ledger holds as unfinished,
// unless it is open, and reports whether it did. That it has completed before
// matters only where the reward does not need a person's word: a payout that
// came back after it was delivered has brought the reward to attention again,
// while one in work has just ended behind the caller's back.
func (s *Starter) TakeUp(ctx context.Context, rec ledger.Record) (started bool, err error) {
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	if rec.Status == reward.Attention {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return s.fulfil(ctx, rec.Reward, reuse)
}

func (s *Starter) fulfil(ctx context.Context, r reward.Reward, reuse enumspb.WorkflowIdReusePolicy) (started bool, err error) {
	options := s.options(workflows.FulfilmentID(r.ID))
	options.WorkflowIDReusePolicy = reuse
	options.StaticSummary = fmt.Sprintf("Reward %s: %s", r.ID, r.Quantity)
	options.TypedSearchAttributes = temporal.NewSearchAttributes(
		workflows.RewardStatusKey.ValueSet(string(reward.Received)),
		workflows.RewardUnitKey.ValueSet(string(r.Quantity.Unit)),
		workflows.PromoterIDKey.ValueSet(strconv.FormatInt(r.Promoter.ID, 10)),
		workflows.CampaignIDKey.ValueSet(strconv.FormatInt(r.Campaign.ID, 10)),
	)
	return s.start(ctx, options, workflows.FulfilmentType, workflows.NewFulfilment(r.ID))
}

// options let a workflow that was terminated be driven again, and one that
// completed not. A workflow that is open stays the only one. The ledger is the
// guard either way.
func (s *Starter) options(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.taskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// Without it a duplicate looks exactly like a start.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         s.eager,
	}
}

// start starts a workflow, and reports whether it did: one that was started
// already is no error.
func (s *Starter) start(ctx context.Context, options client.StartWorkflowOptions, workflow string, in any) (bool, error) {
	_, err := s.temporal.ExecuteWorkflow(ctx, options, workflow, in)
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("starting %s: %w", options.ID, err)
	}
	return true, nil
}

// claimed reads from an inbox row what the search attributes need.
func claimed(row ledger.Pending) reward.Reward {
	r := reward.Reward{ID: row.RewardID}
	var fields firstpromoter.Fields
	if json.Unmarshal(row.Body, &fields) != nil {
		return r
	}
	r.Quantity.Unit = fields.Reward.Unit
	if fields.Reward.Amount != nil {
		r.Quantity.Amount = *fields.Reward.Amount
	}
	r.Promoter.ID = fields.Promoter.ID
	r.Campaign = fields.Campaign
	return r
}
