// Package activities acts: it reads and writes the ledger, FirstPromoter and
// the providers on behalf of the workflows. Every activity may run more than
// once; what keeps a second run harmless is the ledger's fences, never an
// attempt number or a workflow's memory.
//
// The package declares the ports that it needs and holds no adapter: it may
// not import net/http, os, database/sql, the workflow package, or anything
// that talks to the outside.
package activities

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// Ledger is the part of the record that the activities use.
type Ledger interface {
	Reward(ctx context.Context, id reward.ID) (ledger.Record, error)
	LatestClaim(ctx context.Context, id reward.ID) (ledger.Claimed, error)
	Past(ctx context.Context, q ledger.PastQuery) (ledger.Past, error)
	Assess(ctx context.Context, a ledger.Assessment, actor string) error
	Move(ctx context.Context, t ledger.Transition) error

	Decide(ctx context.Context, d reward.Decision, acceptUnverified bool) (ledger.Tally, error)
	TallyOf(ctx context.Context, id reward.ID) (ledger.Tally, error)
	MarkDelivered(ctx context.Context, decisionID string) error
	RecordResolution(ctx context.Context, r reward.Resolution) error
	Resolution(ctx context.Context, id string) (reward.Resolution, error)

	Payout(ctx context.Context, id reward.ID) (ledger.Payout, error)
	Reserve(ctx context.Context, r ledger.Reservation) (ledger.Payout, error)
	Claim(ctx context.Context, id reward.ID, caps ledger.Caps, now, deadline time.Time) (ledger.Claim, error)
	Finish(ctx context.Context, a ledger.Attempt, out payout.Outcome) (ledger.Payout, error)
	Expire(ctx context.Context, id reward.ID, now time.Time) (ledger.Payout, error)
	Found(ctx context.Context, id reward.ID, fence int64, f payout.Finding, at time.Time) (ledger.Payout, error)
	Rearm(ctx context.Context, id reward.ID, fence int64, reason string) (ledger.Payout, error)
	NewGeneration(ctx context.Context, r ledger.Reservation, actor string) (ledger.Payout, error)
	PayByHand(ctx context.Context, id reward.ID, actor, reference string, at time.Time) (ledger.Payout, error)
	Attempts(ctx context.Context, id reward.ID) ([]ledger.Attempt, error)
	DueLooks(ctx context.Context, now time.Time, n int) ([]ledger.Payout, error)
	NextLook(ctx context.Context, id reward.ID, at time.Time) error

	ClaimClose(ctx context.Context, id reward.ID, deadline time.Time) (ledger.CloseState, bool, error)
	FinishClose(ctx context.Context, id reward.ID, fence int64, call ledger.CloseCall, detail string) (ledger.CloseState, error)
	ExpireClose(ctx context.Context, id reward.ID, now time.Time) (ledger.CloseState, error)
}

// Owed is what FirstPromoter itself says about a reward.
type Owed struct {
	// Reward has no currency: FirstPromoter does not name one.
	Reward reward.Reward
	// Status is FirstPromoter's word: pending, processing or completed.
	Status string
	// Defect says why the amount cannot be paid as it stands; empty if it can.
	Defect string
	// Promoter is what FirstPromoter tells of the promoter beside who it is.
	Promoter PromoterFacts
}

// PromoterFacts are what FirstPromoter tells of a promoter. Zero fields were
// not told.
type PromoterFacts struct {
	// Status is FirstPromoter's word: active, pending, blocked, ...
	Status   string
	JoinedAt time.Time
	// Earned, Balance and PaidOut are the promoter's balances by unit, as
	// FirstPromoter counts them; cash in minor units. A unit that is missing was
	// not told.
	Earned, Balance, PaidOut map[reward.Unit]int64
}

// Completed reports whether FirstPromoter holds the reward as fulfilled.
func (o Owed) Completed() bool { return o.Status == "completed" }

// FirstPromoter is the part of FirstPromoter's API that the activities use.
// Its errors are faults.
type FirstPromoter interface {
	// Owed reads a reward. fault.NotFound says with authority that
	// FirstPromoter does not know it for this promoter.
	Owed(ctx context.Context, promoterID int64, id reward.ID) (Owed, error)
	// Complete tells FirstPromoter once that the reward is fulfilled, and
	// returns nil only when the answer says that it is completed.
	// fault.Ambiguous says that it may be.
	Complete(ctx context.Context, id reward.ID) error
}

// Verdict is what the policy says about a reward.
type Verdict string

// The verdicts.
const (
	VerdictPay    Verdict = "pay"
	VerdictAsk    Verdict = "ask"
	VerdictHold   Verdict = "hold"
	VerdictRefuse Verdict = "refuse"
)

// Ruling is the route and the policy's verdict for one reward.
type Ruling struct {
	// Provider is the configured provider of the first route that matches;
	// empty when none does.
	Provider string
	// Currency is the route's currency for cash; empty otherwise.
	Currency string
	Verdict  Verdict
	// Approvals and Role say whom to ask.
	Approvals int
	Role      string
	// Excluded are the people who may not approve.
	Excluded []string
	// Waits say how long this rule waits for people; zero fields are the
	// configuration's.
	Waits ledger.Waits
	// HoldUntil is when a hold ends.
	HoldUntil time.Time
	Rule      string
	Reason    string
	// PolicyVersion names the rules.
	PolicyVersion string
	// Facts are what the rule was chosen by, as JSON.
	Facts string
}

// Case is everything that a ruling may depend on.
type Case struct {
	Reward   reward.Reward
	Promoter PromoterFacts
	Past     ledger.Past
	// ReceivedAt is when the reward came in, and Now when it is ruled on.
	ReceivedAt, Now time.Time
}

// Judge applies routes and policy. The same case gets the same ruling until
// the configuration changes.
type Judge interface {
	Rule(c Case) Ruling
}

// The internal events that tell people about a reward: it needs a person, it
// is held, nobody decided about it yet, and nobody did for long.
const (
	NotifyAttention = "reward_attention"
	NotifyHeld      = "reward_held"
	NotifyReminder  = "reward_reminder"
	NotifyEscalated = "reward_escalated"
)

// Ladder says how long people are waited for. Zero skips the step.
type Ladder struct {
	RemindAfter   time.Duration `json:"remind_after,omitempty"`
	EscalateAfter time.Duration `json:"escalate_after,omitempty"`
	HoldAfter     time.Duration `json:"hold_after,omitempty"`
}

// with returns the ladder with the steps that a rule has of its own.
func (l Ladder) with(w ledger.Waits) Ladder {
	return Ladder{
		RemindAfter:   cmp.Or(w.RemindAfter, l.RemindAfter),
		EscalateAfter: cmp.Or(w.EscalateAfter, l.EscalateAfter),
		HoldAfter:     cmp.Or(w.HoldAfter, l.HoldAfter),
	}
}

// first returns how long the first step is waited for; zero when there is none.
func (l Ladder) first() time.Duration { return cmp.Or(l.RemindAfter, l.EscalateAfter, l.HoldAfter) }

// Config is what the operator's configuration says to the activities.
type Config struct {
	// Account goes into every idempotency key; empty where one FirstPromoter
	// account is paid through a provider account. See payout.AccountKey.
	Account string
	Caps    ledger.Caps
	// AcceptUnverified lets a decision count whose author is not proven.
	AcceptUnverified bool
	Ladder           Ladder
	// SendTimeout bounds one call to a provider; zero means 15 seconds.
	SendTimeout time.Duration
	// Queues are the task queues of the providers whose payouts are limited, by
	// the provider's name.
	Queues map[string]string
}

// Deps are the ports that the activities act through. Now is the clock; nil
// means time.Now.
type Deps struct {
	Ledger        Ledger
	FirstPromoter FirstPromoter
	Judge         Judge
	Providers     map[string]payout.Provider
	Now           func() time.Time
}

// Activities holds what the worker shares among the activities of rewards.
// Its exported methods are activities, and nothing else.
type Activities struct {
	ledger    Ledger
	fp        FirstPromoter
	judge     Judge
	providers map[string]payout.Provider
	cfg       Config
	now       func() time.Time
}

// New returns the activities. It fails when a port is missing.
func New(cfg Config, deps Deps) (*Activities, error) {
	if deps.Ledger == nil || deps.FirstPromoter == nil || deps.Judge == nil {
		return nil, errors.New("activities: ledger, FirstPromoter and judge are needed")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if cfg.SendTimeout <= 0 {
		cfg.SendTimeout = 15 * time.Second
	}
	return &Activities{
		ledger:    deps.Ledger,
		fp:        deps.FirstPromoter,
		judge:     deps.Judge,
		providers: deps.Providers,
		cfg:       cfg,
		now:       deps.Now,
	}, nil
}
