package api

import (
	"net/url"
	"strings"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// presenter turns what the ledger holds into what callers read.
type presenter struct {
	workflowID func(reward.ID) string
	temporalUI string
	namespace  string
	// byHand holds the providers whose payouts a person makes.
	byHand map[string]bool
}

// rewardJSON is a reward in a list.
type rewardJSON struct {
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

// detailJSON is one reward with everything that led to where it stands.
type detailJSON struct {
	rewardJSON

	// Verified says that the values were compared with FirstPromoter.
	Verified bool `json:"verified"`
	// Defect says why the newest claim cannot be paid; empty when it can.
	Defect        string    `json:"defect"`
	PolicyVersion string    `json:"policy_version"`
	Rule          string    `json:"rule"`
	Role          string    `json:"role"`
	Approvals     int       `json:"approvals"`
	Needed        int       `json:"needed"`
	HoldUntil     time.Time `json:"hold_until,omitzero"`
	// WaitingFor says in words what has to happen next; empty at the end.
	WaitingFor []string  `json:"waiting_for"`
	NextTimer  time.Time `json:"next_timer,omitzero"`

	Payout      *payoutJSON      `json:"payout,omitempty"`
	Closing     closingJSON      `json:"closing"`
	Decisions   []decisionJSON   `json:"decisions"`
	Resolutions []resolutionJSON `json:"resolutions"`
	Attempts    []attemptJSON    `json:"attempts"`
	Deliveries  []deliveryJSON   `json:"deliveries"`
	RetryBudget budgetJSON       `json:"retry_budget"`
	History     []changeJSON     `json:"history"`
	Links       linksJSON        `json:"links"`
}

// budgetJSON is what our answers have spent of the errors that FirstPromoter
// forgives in a day.
type budgetJSON struct {
	Spent     int       `json:"spent"`
	Of        int       `json:"of"`
	LastError time.Time `json:"last_error,omitzero"`
	// Open says that no delivery was stored since, so that the next error counts.
	Open bool `json:"open"`
}

type payoutJSON struct {
	State       payout.State    `json:"state"`
	Key         string          `json:"key"`
	Provider    string          `json:"provider"`
	Destination string          `json:"destination"`
	Reference   string          `json:"reference"`
	Generation  int             `json:"generation"`
	Quantity    reward.Quantity `json:"quantity"`
	Detail      string          `json:"detail"`
	ReservedAt  time.Time       `json:"reserved_at,omitzero"`
	FirstSentAt time.Time       `json:"first_sent_at,omitzero"`
	PaidAt      time.Time       `json:"paid_at,omitzero"`
	UpdatedAt   time.Time       `json:"updated_at,omitzero"`
}

type closingJSON struct {
	By       ledger.Closer    `json:"by"`
	Call     ledger.CloseCall `json:"call"`
	PaidAt   time.Time        `json:"paid_at,omitzero"`
	ClosedAt time.Time        `json:"closed_at,omitzero"`
}

type decisionJSON struct {
	ID       string         `json:"id"`
	Decision reward.Verdict `json:"decision"`
	By       string         `json:"by"`
	Verified bool           `json:"verified"`
	Roles    []string       `json:"roles"`
	Lane     reward.Lane    `json:"lane"`
	Comment  string         `json:"comment"`
	Digest   reward.Digest  `json:"digest"`
	At       time.Time      `json:"at"`
	Counted  bool           `json:"counted"`
	Refusal  string         `json:"refusal"`
}

type resolutionJSON struct {
	ID        string        `json:"id"`
	Action    reward.Action `json:"action"`
	Provider  string        `json:"provider"`
	Reference string        `json:"reference"`
	Evidence  string        `json:"evidence"`
	Comment   string        `json:"comment"`
	By        string        `json:"by"`
	Verified  bool          `json:"verified"`
	At        time.Time     `json:"at"`
}

type attemptJSON struct {
	Number     int64              `json:"number"`
	Generation int                `json:"generation"`
	Kind       ledger.AttemptKind `json:"kind"`
	Provider   string             `json:"provider"`
	Key        string             `json:"key"`
	StartedAt  time.Time          `json:"started_at"`
	Deadline   time.Time          `json:"deadline,omitzero"`
	FinishedAt time.Time          `json:"finished_at,omitzero"`
	Outcome    string             `json:"outcome"`
	Reference  string             `json:"reference"`
	Detail     string             `json:"detail"`
}

type deliveryJSON struct {
	At           time.Time `json:"at"`
	Type         string    `json:"type"`
	EventID      string    `json:"event_id"`
	Answer       int       `json:"answer"`
	Duplicate    bool      `json:"duplicate"`
	WorkflowID   string    `json:"workflow_id"`
	DispatchedAt time.Time `json:"dispatched_at,omitzero"`
}

type changeJSON struct {
	At     time.Time     `json:"at"`
	From   reward.Status `json:"from"`
	To     reward.Status `json:"to"`
	Reason string        `json:"reason"`
	Actor  string        `json:"actor"`
}

type linksJSON struct {
	Self string `json:"self"`
	// Workflow is the reward's workflow in the Temporal UI; empty without one.
	Workflow string `json:"workflow,omitempty"`
}

func (p presenter) reward(r ledger.Record) rewardJSON {
	return rewardJSON{
		ID:         r.Reward.ID,
		Status:     r.Status,
		Quantity:   r.Reward.Quantity,
		Promoter:   r.Reward.Promoter,
		Campaign:   r.Reward.Campaign,
		Provider:   r.Provider,
		Reason:     r.Reason,
		Digest:     r.Digest,
		WorkflowID: p.workflowID(r.Reward.ID),
		ReceivedAt: r.ReceivedAt.UTC(),
		UpdatedAt:  r.UpdatedAt.UTC(),
	}
}

func (p presenter) detail(f file) detailJSON {
	r := f.record
	return detailJSON{
		rewardJSON:    p.reward(r),
		Verified:      r.Verified,
		Defect:        r.Defect,
		PolicyVersion: r.PolicyVersion,
		Rule:          r.Rule,
		Role:          r.Role,
		Approvals:     f.tally.Approvals,
		Needed:        f.tally.Needed,
		HoldUntil:     r.HoldUntil.UTC(),
		WaitingFor:    p.waitingFor(r, f.tally, f.payout),
		NextTimer:     r.NextTimer.UTC(),
		Payout:        presentPayout(f.payout),
		Closing: closingJSON{
			By: r.Closing.By, Call: r.Closing.Call,
			PaidAt: r.Closing.PaidAt.UTC(), ClosedAt: r.Closing.ClosedAt.UTC(),
		},
		Decisions:   each(f.decisions, presentDecision),
		Resolutions: each(f.resolutions, presentResolution),
		Attempts:    each(f.attempts, presentAttempt),
		Deliveries:  each(f.deliveries, presentDelivery),
		RetryBudget: budgetJSON{
			Spent: f.budget.Spent, Of: ledger.RetryBudget, LastError: f.budget.LastError.UTC(), Open: f.budget.Open,
		},
		History: each(f.changes, presentChange),
		Links:   p.links(r.Reward.ID),
	}
}

func (p presenter) links(id reward.ID) linksJSON {
	links := linksJSON{Self: "/api/v1/rewards/" + id.String()}
	if p.temporalUI != "" {
		links.Workflow = strings.TrimSuffix(p.temporalUI, "/") + "/namespaces/" + url.PathEscape(p.namespace) +
			"/workflows/" + url.PathEscape(p.workflowID(id))
	}
	return links
}

// each presents a list. It is never nil, so that JSON has [] and not null.
func each[From, To any](list []From, present func(From) To) []To {
	out := make([]To, 0, len(list))
	for _, item := range list {
		out = append(out, present(item))
	}
	return out
}

// presentPayout leaves the frozen request's bytes out: they are the
// provider's business, and hold personal data.
func presentPayout(p *ledger.Payout) *payoutJSON {
	if p == nil {
		return nil
	}
	return &payoutJSON{
		State:       p.State,
		Key:         p.Request.Key,
		Provider:    p.Provider,
		Destination: p.Request.Destination,
		Reference:   p.Reference,
		Generation:  p.Generation,
		Quantity:    p.Quantity,
		Detail:      p.Detail,
		ReservedAt:  p.ReservedAt.UTC(),
		FirstSentAt: p.FirstSentAt.UTC(),
		PaidAt:      p.PaidAt.UTC(),
		UpdatedAt:   p.UpdatedAt.UTC(),
	}
}

func presentDecision(d ledger.Recorded) decisionJSON {
	return decisionJSON{
		ID: d.ID, Decision: d.Verdict, By: d.By, Verified: d.Verified,
		Roles: append([]string{}, d.Roles...), Lane: d.Lane, Comment: d.Comment, Digest: d.Digest,
		At: d.At.UTC(), Counted: d.Counted, Refusal: d.Refusal,
	}
}

func presentResolution(r reward.Resolution) resolutionJSON {
	return resolutionJSON{
		ID: r.ID, Action: r.Action, Provider: r.Provider, Reference: r.Reference,
		Evidence: r.Evidence, Comment: r.Comment, By: r.By, Verified: r.Verified, At: r.At.UTC(),
	}
}

func presentAttempt(a ledger.Attempt) attemptJSON {
	return attemptJSON{
		Number: a.Number, Generation: a.Generation, Kind: a.Kind, Provider: a.Provider, Key: a.Key,
		StartedAt: a.StartedAt.UTC(), Deadline: a.Deadline.UTC(), FinishedAt: a.FinishedAt.UTC(),
		Outcome: a.Outcome, Reference: a.Reference, Detail: a.Detail,
	}
}

func presentDelivery(d ledger.Delivery) deliveryJSON {
	return deliveryJSON{
		At: d.At.UTC(), Type: d.Type, EventID: d.EventID, Answer: d.Answer, Duplicate: d.Duplicate,
		WorkflowID: d.WorkflowID, DispatchedAt: d.DispatchedAt.UTC(),
	}
}

func presentChange(ch ledger.Change) changeJSON {
	return changeJSON{At: ch.At.UTC(), From: ch.From, To: ch.To, Reason: ch.Reason, Actor: ch.Actor}
}
