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

// Start starts the workflow of an inbox row and returns its ID; an empty ID
// says that nothing had to be started. An error is ambiguous: the workflow may
// have been started, and starting it again is safe.
func (s *Starter) Start(ctx context.Context, row ledger.Pending) (string, error) {
	ctx = telemetry.Continue(ctx, row.Traceparent)
	if row.RewardID != 0 {
		return workflows.FulfilmentID(row.RewardID), s.Fulfil(ctx, claimed(row))
	}
	for _, f := range s.followers {
		if err := f.Follow(ctx, row); err != nil {
			return "", err
		}
	}
	channels := s.channels(row.Type)
	if len(channels) == 0 {
		return "", nil
	}
	options := s.options(workflows.NotificationID(row.Type, row.EventID))
	options.StaticSummary = row.Type
	err := s.start(ctx, options, workflows.NotificationType, workflows.NotificationInput{
		Inbox: row.Inbox, Type: row.Type, Channels: channels,
	})
	return options.ID, err
}

// Fulfil starts the fulfilment of a reward unless it is open or has completed.
func (s *Starter) Fulfil(ctx context.Context, r reward.Reward) error {
	return s.fulfil(ctx, r, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
}

// TakeUp starts the fulfilment of a reward that the ledger holds as unfinished,
// unless it is open. That it has completed before does not matter: a payout
// that came back after it was delivered has made the reward unfinished again.
func (s *Starter) TakeUp(ctx context.Context, r reward.Reward) error {
	return s.fulfil(ctx, r, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

func (s *Starter) fulfil(ctx context.Context, r reward.Reward, reuse enumspb.WorkflowIdReusePolicy) error {
	options := s.options(workflows.FulfilmentID(r.ID))
	options.WorkflowIDReusePolicy = reuse
	options.StaticSummary = fmt.Sprintf("Reward %s: %s", r.ID, r.Quantity)
	options.TypedSearchAttributes = temporal.NewSearchAttributes(
		workflows.RewardStatusKey.ValueSet(string(reward.Received)),
		workflows.RewardUnitKey.ValueSet(string(r.Quantity.Unit)),
		workflows.PromoterIDKey.ValueSet(strconv.FormatInt(r.Promoter.ID, 10)),
		workflows.CampaignIDKey.ValueSet(strconv.FormatInt(r.Campaign.ID, 10)),
	)
	return s.start(ctx, options, workflows.FulfilmentType, workflows.FulfilmentInput{RewardID: r.ID})
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

func (s *Starter) start(ctx context.Context, options client.StartWorkflowOptions, workflow string, in any) error {
	_, err := s.temporal.ExecuteWorkflow(ctx, options, workflow, in)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("starting %s: %w", options.ID, err)
	}
	return nil
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
