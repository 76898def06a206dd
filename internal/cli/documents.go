package cli

import (
	"encoding/json"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// The documents of the operator API, as far as they are shown as text. The
// API's own description is at /api/v1/openapi.json.

type rewardDocument struct {
	ID         reward.ID       `json:"id"`
	Status     reward.Status   `json:"status"`
	Quantity   reward.Quantity `json:"quantity"`
	Promoter   reward.Promoter `json:"promoter"`
	Campaign   reward.Campaign `json:"campaign"`
	Provider   string          `json:"provider"`
	Reason     string          `json:"reason"`
	Digest     reward.Digest   `json:"digest"`
	WorkflowID string          `json:"workflow_id"`
	ReceivedAt time.Time       `json:"received_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
}

type rewardsDocument struct {
	Rewards    []rewardDocument `json:"rewards"`
	NextCursor string           `json:"next_cursor"`
}

type approvalDocument struct {
	rewardDocument

	Role      string `json:"role"`
	Approvals int    `json:"approvals"`
	Needed    int    `json:"needed"`
}

type approvalsDocument struct {
	Approvals  []approvalDocument `json:"approvals"`
	NextCursor string             `json:"next_cursor"`
}

// detailDocument is one reward with everything that led to where it stands.
type detailDocument struct {
	rewardDocument

	Verified      bool      `json:"verified"`
	Defect        string    `json:"defect"`
	PolicyVersion string    `json:"policy_version"`
	Rule          string    `json:"rule"`
	Role          string    `json:"role"`
	Approvals     int       `json:"approvals"`
	Needed        int       `json:"needed"`
	HoldUntil     time.Time `json:"hold_until"`
	WaitingFor    []string  `json:"waiting_for"`
	NextTimer     time.Time `json:"next_timer"`

	Payout      *payoutDocument      `json:"payout"`
	Closing     closingDocument      `json:"closing"`
	Decisions   []decisionDocument   `json:"decisions"`
	Resolutions []resolutionDocument `json:"resolutions"`
	Attempts    []attemptDocument    `json:"attempts"`
	Deliveries  []deliveryDocument   `json:"deliveries"`
	RetryBudget budgetDocument       `json:"retry_budget"`
	History     []changeDocument     `json:"history"`
	Links       struct {
		Workflow string `json:"workflow"`
	} `json:"links"`
}

// budgetDocument is what is spent of the errors that FirstPromoter forgives.
type budgetDocument struct {
	Spent     int       `json:"spent"`
	Of        int       `json:"of"`
	LastError time.Time `json:"last_error"`
	Open      bool      `json:"open"`
}

type payoutDocument struct {
	State      payout.State `json:"state"`
	Key        string       `json:"key"`
	Provider   string       `json:"provider"`
	Reference  string       `json:"reference"`
	Generation int          `json:"generation"`
	Detail     string       `json:"detail"`
}

type closingDocument struct {
	By       ledger.Closer    `json:"by"`
	Call     ledger.CloseCall `json:"call"`
	PaidAt   time.Time        `json:"paid_at"`
	ClosedAt time.Time        `json:"closed_at"`
}

type decisionDocument struct {
	Decision reward.Verdict `json:"decision"`
	By       string         `json:"by"`
	Verified bool           `json:"verified"`
	Comment  string         `json:"comment"`
	Digest   reward.Digest  `json:"digest"`
	At       time.Time      `json:"at"`
	Counted  bool           `json:"counted"`
	Refusal  string         `json:"refusal"`
}

type resolutionDocument struct {
	Action    reward.Action `json:"action"`
	Provider  string        `json:"provider"`
	Reference string        `json:"reference"`
	Evidence  string        `json:"evidence"`
	Comment   string        `json:"comment"`
	By        string        `json:"by"`
	Verified  bool          `json:"verified"`
	At        time.Time     `json:"at"`
}

type attemptDocument struct {
	Number     int64              `json:"number"`
	Kind       ledger.AttemptKind `json:"kind"`
	Provider   string             `json:"provider"`
	StartedAt  time.Time          `json:"started_at"`
	FinishedAt time.Time          `json:"finished_at"`
	Outcome    string             `json:"outcome"`
	Reference  string             `json:"reference"`
	Detail     string             `json:"detail"`
}

type deliveryDocument struct {
	At         time.Time `json:"at"`
	Type       string    `json:"type"`
	EventID    string    `json:"event_id"`
	Answer     int       `json:"answer"`
	WorkflowID string    `json:"workflow_id"`
}

type changeDocument struct {
	At     time.Time     `json:"at"`
	From   reward.Status `json:"from"`
	To     reward.Status `json:"to"`
	Reason string        `json:"reason"`
	Actor  string        `json:"actor"`
}

type eventsDocument struct {
	Events     []eventDocument    `json:"events"`
	Unstored   []unstoredDocument `json:"unstored"`
	NextCursor string             `json:"next_cursor"`
}

// eventDocument is an event; what the list leaves out is at the end.
type eventDocument struct {
	ID           int64     `json:"id"`
	Type         string    `json:"type"`
	EventID      string    `json:"event_id"`
	RewardID     int64     `json:"reward_id"`
	Known        bool      `json:"known"`
	Internal     bool      `json:"internal"`
	ReceivedAt   time.Time `json:"received_at"`
	Deliveries   int       `json:"deliveries"`
	Answer       int       `json:"answer"`
	Waiting      bool      `json:"waiting"`
	Trouble      string    `json:"trouble"`
	DispatchedAt time.Time `json:"dispatched_at"`
	WorkflowID   string    `json:"workflow_id"`

	Fields  json.RawMessage  `json:"fields"`
	Answers []answerDocument `json:"answers"`
	Replays []replayDocument `json:"replays"`
}

type answerDocument struct {
	At        time.Time `json:"at"`
	Answer    int       `json:"answer"`
	Duplicate bool      `json:"duplicate"`
}

type replayDocument struct {
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Verified bool      `json:"verified"`
	Again    bool      `json:"again"`
	DoneAt   time.Time `json:"done_at"`
	Outcome  string    `json:"outcome"`
}

// unstoredDocument counts deliveries that were answered and not stored.
type unstoredDocument struct {
	Hour     time.Time             `json:"hour"`
	Answer   int                   `json:"answer"`
	Reason   ledger.UnstoredReason `json:"reason"`
	Type     string                `json:"type"`
	RewardID int64                 `json:"reward_id"`
	Count    int                   `json:"count"`
	LastAt   time.Time             `json:"last_at"`
}

// replayedDocument says what becomes of one event that is to be replayed.
type replayedDocument struct {
	ID     int64              `json:"id"`
	Result ledger.ReplayState `json:"result"`
}

// replayedRangeDocument counts the events of a range by what becomes of each.
type replayedRangeDocument struct {
	Events     int `json:"events"`
	Queued     int `json:"queued"`
	Waiting    int `json:"waiting"`
	Ended      int `json:"ended"`
	StoredOnly int `json:"stored_only"`
}

// tallyDocument says where an approval stands after a decision.
type tallyDocument struct {
	Decision  decisionDocument `json:"decision"`
	Approvals int              `json:"approvals"`
	Needed    int              `json:"needed"`
	Approved  bool             `json:"approved"`
	Rejected  bool             `json:"rejected"`
}

// resolvedDocument says where an instruction led.
type resolvedDocument struct {
	RewardID reward.ID     `json:"reward_id"`
	Status   reward.Status `json:"status"`
}

type brakeDocument struct {
	Paused   bool             `json:"paused"`
	Switches []switchDocument `json:"switches"`
	Caps     struct {
		MaxSingle            map[string]int64 `json:"max_single"`
		MaxPerDay            map[string]int64 `json:"max_per_day"`
		MaxPerPromoterPerDay map[string]int64 `json:"max_per_promoter_per_day"`
		MaxPerCampaignPerDay map[string]int64 `json:"max_per_campaign_per_day"`
	} `json:"caps"`
}

type switchDocument struct {
	Scope  string    `json:"scope"`
	Paused bool      `json:"paused"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// readyDocument is the answer to a readiness probe.
type readyDocument struct {
	Ready bool `json:"ready"`
	Inbox *struct {
		Depth         int   `json:"depth"`
		OldestSeconds int64 `json:"oldest_seconds"`
	} `json:"inbox"`
	Temporal struct {
		Reachable bool   `json:"reachable"`
		Detail    string `json:"detail"`
	} `json:"temporal"`
	Degraded []struct {
		Part   string    `json:"part"`
		Detail string    `json:"detail"`
		Since  time.Time `json:"since"`
	} `json:"degraded"`
}
