// Package workflows decides: what is done about a reward, in which order, and
// what is waited for. It is deterministic and acts only through activities.
//
// It names activities and never reaches an adapter, however far away: no net,
// os, sync, math/rand, database/sql, log/slog or client may be imported.
package workflows

import (
	"encoding/json"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Everything in this file is wire format: it stands in histories, in the
// Temporal UI and in other programs, and a value never changes.

// TaskQueue is the default task queue of workflows and activities.
const TaskQueue = "rewardflow"

// Workflow types.
const (
	FulfilmentType     = "Fulfilment"
	NotificationType   = "Notification"
	ReconciliationType = "Reconciliation"
	SlackApprovalType  = "SlackApproval"
)

// Updates, signals and queries of a fulfilment.
const (
	UpdateDecide  = "decide"
	UpdateResolve = "resolve"
	SignalApprove = "approve"
	SignalReject  = "reject"
	// SignalNudge makes a fulfilment look again at what it waits for.
	SignalNudge = "nudge"
	QueryStatus = "status"
)

// Search attributes, all of type Keyword and all opaque. RewardStatus is where
// a reward came to rest: a reward that goes straight through keeps the
// attribute that it started with, and its workflow's result says how it ended.
var (
	RewardStatusKey = temporal.NewSearchAttributeKeyKeyword("RewardStatus")
	RewardUnitKey   = temporal.NewSearchAttributeKeyKeyword("RewardUnit")
	PromoterIDKey   = temporal.NewSearchAttributeKeyKeyword("PromoterID")
	CampaignIDKey   = temporal.NewSearchAttributeKeyKeyword("CampaignID")
)

// SearchAttributes returns the search attributes of a fulfilment, for
// registration.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{RewardStatusKey, RewardUnitKey, PromoterIDKey, CampaignIDKey}
}

// ReconciliationSchedule is the ID of the schedule that starts reconciliations.
const ReconciliationSchedule = "rewardflow-reconciliation"

// ReconciliationID is the workflow ID of a reconciliation: of one reward, or of
// everything with the zero ID, to which the schedule adds its time.
func ReconciliationID(id reward.ID) string {
	if id == 0 {
		return "reconciliation"
	}
	return "reconciliation-" + id.String()
}

// FulfilmentID is the workflow ID of a reward's fulfilment.
func FulfilmentID(id reward.ID) string { return fulfilmentPrefix + id.String() }

const fulfilmentPrefix = "fulfilment-"

// RewardOf returns the reward whose fulfilment has a workflow ID; false where
// the ID is no fulfilment's.
func RewardOf(workflowID string) (reward.ID, bool) {
	digits, ok := strings.CutPrefix(workflowID, fulfilmentPrefix)
	if !ok {
		return 0, false
	}
	id, err := reward.ParseID(digits)
	return id, err == nil
}

// NotificationID is the workflow ID of an event's notification.
func NotificationID(eventType, eventID string) string {
	return "notification-" + eventType + "-" + eventID
}

// SlackApprovalID is the workflow ID of what draws a reward's approval in Slack.
func SlackApprovalID(id reward.ID) string { return "slack-approval-" + id.String() }

// SignalRedraw asks for a look whether the reward's message shows what is so.
const SignalRedraw = "redraw"

// Redraw is the payload of the signal redraw.
type Redraw struct {
	// Always draws the message even if it should show everything already.
	Always bool `json:"always,omitempty"`
}

// FulfilmentInput starts a fulfilment. The reward itself is in the ledger:
// personal data never enters a history.
type FulfilmentInput struct {
	RewardID reward.ID `json:"reward_id"`
	// Plan is the version of the plan by which the run goes: what it writes into
	// its history, and in which order. Zero is the first.
	Plan Plan `json:"plan,omitempty"`
}

// Plan is a version of a fulfilment's plan. A run that is open while other code
// is deployed keeps the plan that it began with, which costs no event.
type Plan int

// The plans.
const (
	// planFirst writes down the next timer by itself, and hears every decision
	// by an activity.
	planFirst Plan = iota
	// planShort leaves the next timer to the assessment, and hands decisions on
	// with the payout.
	planShort
	// planNudged reads the ledger again when it is nudged while it waits for a
	// person's instruction.
	planNudged

	planNewest = planNudged
)

// NewFulfilment is the input of a new run, by the newest plan.
func NewFulfilment(id reward.ID) FulfilmentInput {
	return FulfilmentInput{RewardID: id, Plan: planNewest}
}

// FulfilmentResult is how a fulfilment ended.
type FulfilmentResult struct {
	RewardID reward.ID     `json:"reward_id"`
	Status   reward.Status `json:"status"`
	Reason   string        `json:"reason,omitempty"`
}

// FulfilmentStatus is what the query status answers.
type FulfilmentStatus struct {
	RewardID  reward.ID       `json:"reward_id"`
	Status    reward.Status   `json:"status"`
	Reason    string          `json:"reason,omitempty"`
	Quantity  reward.Quantity `json:"quantity"`
	Provider  string          `json:"provider,omitempty"`
	Digest    reward.Digest   `json:"digest,omitempty"`
	Approvals int             `json:"approvals"`
	Needed    int             `json:"needed"`
	Role      string          `json:"role,omitempty"`
	// NextTimer is when the workflow does something by itself; zero if never.
	NextTimer time.Time `json:"next_timer,omitzero"`
}

// Vote is the payload of the update decide, and of the signals approve and
// reject, where everything is optional. From a person who types it in the
// Temporal UI or the temporal command, a JSON string is taken for the name.
type Vote struct {
	// ID makes a repeated vote harmless; the API fills it in.
	ID       string         `json:"id,omitempty"`
	Decision reward.Verdict `json:"decision,omitempty"`
	By       string         `json:"by,omitempty"`
	Comment  string         `json:"comment,omitempty"`
	Digest   reward.Digest  `json:"digest,omitempty"`
}

// UnmarshalJSON reads a vote from an object, or from a string with the name.
func (v *Vote) UnmarshalJSON(data []byte) error {
	var name string
	if json.Unmarshal(data, &name) == nil {
		*v = Vote{By: strings.TrimSpace(name)}
		return nil
	}
	type plain Vote
	return json.Unmarshal(data, (*plain)(v))
}

// Instruction is the payload of the update resolve.
type Instruction struct {
	ID        string        `json:"id,omitempty"`
	Action    reward.Action `json:"action"`
	By        string        `json:"by,omitempty"`
	Provider  string        `json:"provider,omitempty"`
	Reference string        `json:"reference,omitempty"`
	Evidence  string        `json:"evidence,omitempty"`
	Comment   string        `json:"comment,omitempty"`
}

// do names activities for the compiler; it is never dereferenced.
var do *activities.Activities
