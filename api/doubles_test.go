package api_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rewardflow/rewardflow/api"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

// intakeDouble accepts everything, unless told otherwise.
type intakeDouble struct {
	accept func(ctx context.Context, body []byte) (bool, string, error)
	// take stands for accept, and says what the body said.
	take func(ctx context.Context, body []byte) (ledger.Taken, error)
}

func (d *intakeDouble) Accept(ctx context.Context, body []byte) (ledger.Taken, error) {
	switch {
	case d.take != nil:
		return d.take(ctx, body)
	case d.accept == nil:
		return ledger.Taken{Type: "fulfilment_pending", Known: true, RewardID: 2429153, WorkflowID: "fulfilment-2429153"}, nil
	}
	fulfilled, workflowID, err := d.accept(ctx, body)
	return ledger.Taken{Type: "fulfilment_pending", Known: true, Fulfilled: fulfilled, WorkflowID: workflowID}, err
}

// intakeAnswer is an intake that says the same of every body.
func intakeAnswer(taken ledger.Taken, err error) func(context.Context, []byte) (ledger.Taken, error) {
	return func(context.Context, []byte) (ledger.Taken, error) { return taken, err }
}

// panics is an intake with a bug.
func panics(context.Context, []byte) (bool, string, error) { panic("boom") }

// ledgerDouble holds nothing, unless told otherwise.
type ledgerDouble struct {
	reward      func(id reward.ID) (ledger.Record, error)
	list        func(f ledger.Filter) ([]ledger.Record, error)
	changes     []ledger.Change
	deliveries  []ledger.Delivery
	attempts    []ledger.Attempt
	tally       func(id reward.ID) (ledger.Tally, error)
	decisions   func(id reward.ID) ([]ledger.Recorded, error)
	resolutions []reward.Resolution
	payout      func(id reward.ID) (ledger.Payout, error)
	summary     func() ([]ledger.Total, []ledger.PaidTotal, error)
	entries     func(f ledger.PayoutFilter, after ledger.PayoutCursor, limit int) ([]ledger.Entry, error)
	totals      func(f ledger.PayoutFilter) ([]ledger.PayoutTotal, error)
	brakes      func() ([]ledger.BrakeState, error)
	setBrake    func(s ledger.BrakeState) error
	erase       func(promoter int64, actor string) (ledger.Erasure, error)
	ping        func(ctx context.Context) error
	depth       func() (int, time.Time, error)
	events      func(f ledger.LogFilter) ([]ledger.Logged, error)
	unstored    func(f ledger.LogFilter) ([]ledger.Unstored, error)
	event       func(inbox int64) (ledger.LoggedFile, error)
	replay      func(inbox int64, o ledger.Order) (ledger.ReplayState, error)
	replayRange func(r ledger.ReplayRange, o ledger.Order, dryRun bool) (map[ledger.ReplayState]int, error)
	budget      func(id reward.ID) (ledger.Budget, error)

	sessionsDouble
}

func (d *ledgerDouble) ListEvents(_ context.Context, f ledger.LogFilter) ([]ledger.Logged, error) {
	if d.events == nil {
		return nil, nil
	}
	return d.events(f)
}

func (d *ledgerDouble) ListUnstored(_ context.Context, f ledger.LogFilter) ([]ledger.Unstored, error) {
	if d.unstored == nil {
		return nil, nil
	}
	return d.unstored(f)
}

func (d *ledgerDouble) EventFile(_ context.Context, inbox int64) (ledger.LoggedFile, error) {
	if d.event == nil {
		return ledger.LoggedFile{}, fault.New(fault.NotFound, "ledger.event_file", fmt.Sprintf("the delivery log has no event %d", inbox))
	}
	return d.event(inbox)
}

func (d *ledgerDouble) Replay(_ context.Context, inbox int64, o ledger.Order) (ledger.ReplayState, error) {
	if d.replay == nil {
		return ledger.ReplayQueued, nil
	}
	return d.replay(inbox, o)
}

func (d *ledgerDouble) ReplayRange(
	_ context.Context, r ledger.ReplayRange, o ledger.Order, dryRun bool,
) (map[ledger.ReplayState]int, error) {
	if d.replayRange == nil {
		return nil, nil
	}
	return d.replayRange(r, o, dryRun)
}

func (d *ledgerDouble) RetryBudget(_ context.Context, id reward.ID) (ledger.Budget, error) {
	if d.budget == nil {
		return ledger.Budget{RewardID: id}, nil
	}
	return d.budget(id)
}

func (d *ledgerDouble) Reward(_ context.Context, id reward.ID) (ledger.Record, error) {
	if d.reward == nil {
		return ledger.Record{}, fault.New(fault.NotFound, "ledger.Reward", "there is no reward "+id.String())
	}
	return d.reward(id)
}

func (d *ledgerDouble) ListRewards(_ context.Context, f ledger.Filter) ([]ledger.Record, error) {
	if d.list == nil {
		return nil, nil
	}
	return d.list(f)
}

func (d *ledgerDouble) Changes(context.Context, reward.ID) ([]ledger.Change, error) {
	return d.changes, nil
}

func (d *ledgerDouble) Deliveries(context.Context, reward.ID) ([]ledger.Delivery, error) {
	return d.deliveries, nil
}

func (d *ledgerDouble) Attempts(context.Context, reward.ID) ([]ledger.Attempt, error) {
	return d.attempts, nil
}

func (d *ledgerDouble) TallyOf(_ context.Context, id reward.ID) (ledger.Tally, error) {
	if d.tally == nil {
		return ledger.Tally{}, nil
	}
	return d.tally(id)
}

func (d *ledgerDouble) DecisionsOf(_ context.Context, id reward.ID) ([]ledger.Recorded, error) {
	if d.decisions == nil {
		return nil, nil
	}
	return d.decisions(id)
}

func (d *ledgerDouble) ResolutionsOf(context.Context, reward.ID) ([]reward.Resolution, error) {
	return d.resolutions, nil
}

func (d *ledgerDouble) Payout(_ context.Context, id reward.ID) (ledger.Payout, error) {
	if d.payout == nil {
		return ledger.Payout{}, fault.New(fault.NotFound, "ledger.Payout", "there is no payout of "+id.String())
	}
	return d.payout(id)
}

func (d *ledgerDouble) Summary(context.Context) ([]ledger.Total, []ledger.PaidTotal, error) {
	if d.summary == nil {
		return nil, nil, nil
	}
	return d.summary()
}

func (d *ledgerDouble) ListPayouts(
	_ context.Context, f ledger.PayoutFilter, after ledger.PayoutCursor, limit int,
) ([]ledger.Entry, error) {
	if d.entries == nil {
		return nil, nil
	}
	return d.entries(f, after, limit)
}

func (d *ledgerDouble) PayoutTotals(_ context.Context, f ledger.PayoutFilter) ([]ledger.PayoutTotal, error) {
	if d.totals == nil {
		return nil, nil
	}
	return d.totals(f)
}

func (d *ledgerDouble) Brakes(context.Context) ([]ledger.BrakeState, error) {
	if d.brakes == nil {
		return nil, nil
	}
	return d.brakes()
}

func (d *ledgerDouble) ErasePromoter(_ context.Context, promoter int64, actor string) (ledger.Erasure, error) {
	if d.erase == nil {
		return ledger.Erasure{}, nil
	}
	return d.erase(promoter, actor)
}

func (d *ledgerDouble) SetBrake(_ context.Context, s ledger.BrakeState) error {
	if d.setBrake == nil {
		return nil
	}
	return d.setBrake(s)
}

func (d *ledgerDouble) Ping(ctx context.Context) error {
	if d.ping == nil {
		return nil
	}
	return d.ping(ctx)
}

func (d *ledgerDouble) InboxDepth(context.Context) (int, time.Time, error) {
	if d.depth == nil {
		return 0, time.Time{}, nil
	}
	return d.depth()
}

func (d *ledgerDouble) LatestClaim(context.Context, reward.ID) (ledger.Claimed, error) {
	return ledger.Claimed{}, nil
}

func (d *ledgerDouble) Overview(context.Context, ledger.Caller, time.Time) (ledger.Overview, error) {
	return ledger.Overview{}, nil
}

// sessionsDouble has nobody signed in. What sessions do is tested on a ledger.
type sessionsDouble struct{}

func (sessionsDouble) StartSession(context.Context, ledger.Session) error { return nil }

func (sessionsDouble) SessionOf(context.Context, string) (ledger.Session, error) {
	return ledger.Session{}, fault.New(fault.NotFound, "ledger.session", "there is no such session")
}

func (sessionsDouble) SeeSession(context.Context, string, time.Time) error { return nil }

func (sessionsDouble) EndSession(context.Context, string, string, time.Time) error { return nil }

func (sessionsDouble) LiveSessions(context.Context, time.Time) ([]ledger.Session, error) {
	return nil, nil
}

func (sessionsDouble) KeepLoginCode(context.Context, string, time.Time) error { return nil }

func (sessionsDouble) UseLoginCode(context.Context, string, time.Time) (bool, error) {
	return false, nil
}

// deskDouble counts every decision, unless told otherwise.
type deskDouble struct {
	decide       func(d reward.Decision) (ledger.Tally, error)
	resolve      func(r reward.Resolution) (reward.Status, error)
	brakeChanged func(ctx context.Context)
}

func (d *deskDouble) Decide(_ context.Context, given reward.Decision) (ledger.Tally, error) {
	if d.decide == nil {
		return ledger.Tally{
			Decision:  ledger.Recorded{Decision: given, Counted: true},
			Approvals: 1, Needed: 1, Approved: given.Verdict == reward.Approve, Rejected: given.Verdict == reward.Reject,
		}, nil
	}
	return d.decide(given)
}

func (d *deskDouble) DecideAll(ctx context.Context, all []reward.Decision) ([]ledger.Tally, []error) {
	tallies, errs := make([]ledger.Tally, len(all)), make([]error, len(all))
	for i := range all {
		tallies[i], errs[i] = d.Decide(ctx, all[i])
	}
	return tallies, errs
}

func (d *deskDouble) Resolve(_ context.Context, r reward.Resolution) (reward.Status, error) {
	if d.resolve == nil {
		return reward.Verifying, nil
	}
	return d.resolve(r)
}

func (d *deskDouble) BrakeChanged(ctx context.Context) {
	if d.brakeChanged != nil {
		d.brakeChanged(ctx)
	}
}

// engineDouble is healthy, unless told otherwise.
type engineDouble struct {
	healthy func() (bool, string)
}

func (d *engineDouble) Healthy(context.Context) (bool, string) {
	if d.healthy == nil {
		return true, ""
	}
	return d.healthy()
}

// callbacksDouble takes every callback, unless told otherwise.
type callbacksDouble struct {
	take func(provider string, header func(string) string, body []byte) error
}

func (d *callbacksDouble) Take(_ context.Context, provider string, header func(string) string, body []byte) error {
	if d.take == nil {
		return nil
	}
	return d.take(provider, header, body)
}

// policyDouble says what it is told to say.
type policyDouble struct {
	explain func(facts string) (api.Explanation, error)
}

func (d *policyDouble) Explain(facts string) (api.Explanation, error) {
	if d.explain == nil {
		return api.Explanation{Rules: []api.ExplainedRule{}}, nil
	}
	return d.explain(facts)
}

// spoolDouble can keep events, unless told otherwise.
type spoolDouble struct {
	err    error
	depth  int
	oldest time.Time
	checks int
}

func (d *spoolDouble) CheckSpool(context.Context) error {
	d.checks++
	return d.err
}

func (d *spoolDouble) SpoolDepth() (int, time.Time) { return d.depth, d.oldest }
