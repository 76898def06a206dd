package workflows_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/worker"
	"github.com/rewardflow/rewardflow/workflows"
)

const rewardID reward.ID = 2429153

// house is a fulfilment with its real activities on a real ledger, in skipped
// time. FirstPromoter and the provider are small programs with books.
type house struct {
	t        *testing.T
	env      *testsuite.TestWorkflowEnvironment
	ledger   *sqlite.Ledger
	fp       *firstPromoter
	provider *provider
	ruling   activities.Ruling
	// rule is asked instead of ruling where it is set.
	rule func(c activities.Case) activities.Ruling
	cfg  activities.Config
	// wrap may put something between the activities and the ledger.
	wrap func(activities.Ledger) activities.Ledger
	// mock may replace activities before the run.
	mock func(*activities.Activities)
	// due counts what is still to happen in a test.
	due int
}

func newHouse(t *testing.T) *house {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	h := &house{
		t:        t,
		env:      suite.NewTestWorkflowEnvironment(),
		fp:       &firstPromoter{owed: map[reward.ID]activities.Owed{}, completions: map[reward.ID]int{}},
		provider: &provider{name: "team", effects: map[string]int{}},
		ruling:   activities.Ruling{Provider: "team", Verdict: activities.VerdictPay, Rule: "rule 1", PolicyVersion: "p-1", Reason: "rule 1: pay"},
		cfg:      activities.Config{AcceptUnverified: true},
		wrap:     func(l activities.Ledger) activities.Ledger { return l },
	}
	h.env.SetTestTimeout(time.Minute)
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: h.env.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	h.ledger = l
	h.owe(earned())
	h.event("1", earned())
	return h
}

// earned is the reward of these tests: three free months.
func earned() reward.Reward {
	return reward.Reward{
		ID:       rewardID,
		Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths},
		Promoter: reward.Promoter{ID: 5272969, CustID: "cus_1", Email: "promoter@example.com"},
		Campaign: reward.Campaign{ID: 17476, Name: "Spring"},
	}
}

// owe writes a pending reward into FirstPromoter's books.
func (h *house) owe(r reward.Reward) {
	h.fp.mu.Lock()
	defer h.fp.mu.Unlock()
	h.fp.owed[r.ID] = activities.Owed{Reward: r, Status: "pending"}
}

// event accepts a fulfilment_pending event and says whether it was answered 200.
func (h *house) event(id string, r reward.Reward) bool {
	h.t.Helper()
	receipt, err := h.ledger.Accept(context.Background(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: id, EventID: id, Dispatch: true,
		Reward: &ledger.Claimed{Reward: r}, Body: []byte("{}"),
	}, 10*time.Minute)
	require.NoError(h.t, err)
	return receipt.ClosedByAnswer
}

// Rule implements activities.Judge.
func (h *house) Rule(c activities.Case) activities.Ruling {
	ruling := h.ruling
	if h.rule != nil {
		ruling = h.rule(c)
	}
	now := c.Now
	if ruling.Verdict == activities.VerdictHold && !now.Before(ruling.HoldUntil) {
		ruling.Verdict = activities.VerdictPay
	}
	return ruling
}

// run runs the fulfilment to its end.
func (h *house) run() workflows.FulfilmentResult {
	h.t.Helper()
	acts, err := activities.New(h.cfg, activities.Deps{
		Ledger: h.wrap(h.ledger), FirstPromoter: h.fp, Judge: h, Now: h.env.Now,
		Providers: map[string]payout.Provider{"team": h.provider},
	})
	require.NoError(h.t, err)
	worker.Register(h.env, acts, nil)
	if h.mock != nil {
		h.mock(acts)
	}
	h.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.FulfilmentID(rewardID), TaskQueue: workflows.TaskQueue})
	h.env.ExecuteWorkflow(workflows.FulfilmentType, workflows.NewFulfilment(rewardID))
	require.True(h.t, h.env.IsWorkflowCompleted())
	require.NoError(h.t, h.env.GetWorkflowError())
	require.Zero(h.t, h.due, "the workflow ended before everything in the test had happened")
	var result workflows.FulfilmentResult
	require.NoError(h.t, h.env.GetWorkflowResult(&result))
	require.Equal(h.t, h.record().Status, result.Status, "the ledger and the result say the same")
	return result
}

// after does something once the given time has passed in the workflow, which
// must still be open then.
func (h *house) after(d time.Duration, do func()) {
	h.due++
	h.env.RegisterDelayedCallback(func() {
		h.due--
		do()
	}, d)
}

func (h *house) record() ledger.Record {
	h.t.Helper()
	rec, err := h.ledger.Reward(context.Background(), rewardID)
	require.NoError(h.t, err)
	return rec
}

// path returns the statuses that the reward went through.
func (h *house) path() []reward.Status {
	h.t.Helper()
	changes, err := h.ledger.Changes(context.Background(), rewardID)
	require.NoError(h.t, err)
	var path []reward.Status
	for _, c := range changes {
		path = append(path, c.To)
	}
	return path
}

// update sends an update and hands its answer to done; done gets the error of
// a validator too.
func (h *house) update(name string, arg any, done func(result any, err error)) {
	h.env.UpdateWorkflow(name, fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { done(nil, err) },
		OnComplete: func(result any, err error) { done(result, err) },
	}, arg)
}

func (h *house) resolve(in workflows.Instruction) {
	h.update(workflows.UpdateResolve, in, func(result any, err error) {
		require.NoError(h.t, err)
		out, ok := result.(activities.ResolveResult)
		require.True(h.t, ok, "%T", result)
		require.Empty(h.t, out.Refusal)
	})
}

func (h *house) status() workflows.FulfilmentStatus {
	h.t.Helper()
	value, err := h.env.QueryWorkflow(workflows.QueryStatus)
	require.NoError(h.t, err)
	var status workflows.FulfilmentStatus
	require.NoError(h.t, value.Get(&status))
	return status
}

func (h *house) requirePaidOnce() {
	h.t.Helper()
	require.Equal(h.t, map[string]int{"rf_2429153_1": 1}, h.provider.books())
	require.Equal(h.t, 1, h.fp.completed(rewardID))
}

// firstPromoter keeps books like the real one, and has bad days.
type firstPromoter struct {
	mu          sync.Mutex
	owed        map[reward.ID]activities.Owed
	completions map[reward.ID]int
	// readFaults and writeFaults are what the next calls meet.
	readFaults  []error
	writeFaults []writeFault
	// called hears of every call with its context; nil hears nothing.
	called func(context.Context)
}

// writeFault is an answer to a call, with or without its effect.
type writeFault struct {
	err  error
	done bool
}

func (f *firstPromoter) Owed(_ context.Context, promoterID int64, id reward.ID) (activities.Owed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readFaults) > 0 {
		err := f.readFaults[0]
		f.readFaults = f.readFaults[1:]
		return activities.Owed{}, err
	}
	owed, ok := f.owed[id]
	if !ok || owed.Reward.Promoter.ID != promoterID {
		return activities.Owed{}, fault.New(fault.NotFound, "fake", "no such payout")
	}
	return owed, nil
}

func (f *firstPromoter) Complete(ctx context.Context, id reward.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.called != nil {
		f.called(ctx)
	}
	var next writeFault
	if len(f.writeFaults) > 0 {
		next = f.writeFaults[0]
		f.writeFaults = f.writeFaults[1:]
	}
	if next.err == nil || next.done {
		f.complete(id)
	}
	return next.err
}

func (f *firstPromoter) complete(id reward.ID) {
	owed := f.owed[id]
	owed.Status = "completed"
	f.owed[id] = owed
	f.completions[id]++
}

func (f *firstPromoter) completed(id reward.ID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.completions[id]
}

// provider recognises keys like a real one, and has bad days.
type provider struct {
	name    string
	traits  payout.Traits
	mu      sync.Mutex
	effects map[string]int
	sends   int
	// next are the answers to the next sends; then it pays.
	next []answer
	// findings are the answers to the next look-ups; then it looks.
	findings []payout.Finding
	// called hears of every send and look-up with its context; nil hears nothing.
	called func(context.Context)
}

// answer is an outcome, with or without its effect.
type answer struct {
	out  payout.Outcome
	pays bool
}

func (p *provider) Name() string          { return p.name }
func (p *provider) Traits() payout.Traits { return p.traits }

func (p *provider) Prepare(_ context.Context, o payout.Order) (payout.Request, error) {
	return payout.Request{Key: o.Key, Destination: p.name, Body: []byte(o.Key)}, nil
}

func (p *provider) Send(ctx context.Context, req payout.Request) payout.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.called != nil {
		p.called(ctx)
	}
	p.sends++
	if len(p.next) > 0 {
		a := p.next[0]
		p.next = p.next[1:]
		if a.pays {
			p.effects[req.Key] = 1
		}
		return a.out
	}
	p.effects[req.Key] = 1
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "ref-" + req.Key}
}

func (p *provider) Lookup(ctx context.Context, req payout.Request) payout.Finding {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.called != nil {
		p.called(ctx)
	}
	if len(p.findings) > 0 {
		f := p.findings[0]
		p.findings = p.findings[1:]
		return f
	}
	if p.effects[req.Key] > 0 {
		return payout.Finding{Answer: payout.FoundSettled, Reference: "ref-" + req.Key}
	}
	return payout.Finding{Answer: payout.Absent}
}

func (p *provider) books() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	copied := map[string]int{}
	for key, n := range p.effects {
		copied[key] = n
	}
	return copied
}
