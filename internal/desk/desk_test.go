package desk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rewardflow/rewardflow/activities"
	"github.com/rewardflow/rewardflow/internal/desk"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// workflow hears what the desk says to the workflow of a reward.
type workflow struct {
	mu sync.Mutex
	// updateErr and signalErr are what the next calls meet; resolved is the
	// answer to the update resolve.
	updateErr, signalErr error
	resolved             activities.ResolveResult
	updates              []client.UpdateWorkflowOptions
	signals              map[string][]any
	// hangs says that nothing answers before the caller gives up.
	hangs bool
	tried atomic.Int64
}

func (w *workflow) UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	w.tried.Add(1)
	if w.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.updates = append(w.updates, o)
	return handle{w}, w.updateErr
}

func (w *workflow) SignalWorkflow(ctx context.Context, _, _, name string, arg any) error {
	if w.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.signalErr != nil {
		return w.signalErr
	}
	w.signals[name] = append(w.signals[name], arg)
	return nil
}

// handle answers the update.
type handle struct{ w *workflow }

func (handle) WorkflowID() string { return "" }
func (handle) RunID() string      { return "" }
func (handle) UpdateID() string   { return "" }
func (h handle) Get(_ context.Context, out any) error {
	if result, ok := out.(*activities.ResolveResult); ok {
		*result = h.w.resolved
	}
	return nil
}

type bundle struct {
	ledger   *sqlite.Ledger
	workflow *workflow
	desk     *desk.Desk
	now      time.Time
}

// newBundle is a desk before one reward that waits for one approval.
func newBundle(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{workflow: &workflow{signals: map[string][]any{}}, now: time.Now().Add(-time.Hour)}
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: func() time.Time { return b.now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	b.ledger = l
	b.desk = desk.New(l, b.workflow, false, slog.New(slog.DiscardHandler))
	owed := reward.Reward{ID: 7, Quantity: reward.Quantity{Amount: 3, Unit: reward.Credits}, Promoter: reward.Promoter{ID: 1}}
	_, err = l.Accept(t.Context(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: "1", EventID: "1", Reward: &ledger.Claimed{Reward: owed}, Body: []byte("{}"),
	}, time.Hour)
	require.NoError(t, err)
	require.NoError(t, l.Assess(t.Context(), ledger.Assessment{
		Reward: owed, Verified: true, Status: reward.AwaitingApproval, Provider: "team", Digest: "d", Approvals: 1,
	}, "policy"))
	return b
}

// ask makes the policy ask that many people.
func (b *bundle) ask(t *testing.T, approvals int) {
	t.Helper()
	rec, err := b.ledger.Reward(t.Context(), 7)
	require.NoError(t, err)
	require.NoError(t, b.ledger.Assess(t.Context(), ledger.Assessment{
		Reward: rec.Reward, Verified: true, Status: reward.AwaitingApproval, Provider: "team", Digest: "d", Approvals: approvals,
	}, "policy"))
}

func approval(id string, digest reward.Digest) reward.Decision {
	return reward.Decision{
		ID: id, RewardID: 7, By: "alice", Verified: true, Roles: []string{"approver"}, Lane: reward.LaneAPI,
		Verdict: reward.Approve, Digest: digest, At: time.Now().Add(-time.Minute),
	}
}

func TestDecisionReachesTheWorkflowWithoutTheName(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	tally, err := b.desk.Decide(t.Context(), approval("1", "d"))
	require.NoError(t, err)
	require.True(t, tally.Approved)
	require.Len(t, b.workflow.updates, 1)
	o := b.workflow.updates[0]
	require.Equal(t, "fulfilment-7", o.WorkflowID)
	require.Equal(t, "1", o.UpdateID, "a repeated delivery is one update")
	require.Equal(t, []any{workflows.Vote{ID: "1", Decision: reward.Approve, Digest: "d"}}, o.Args)
}

func TestRefusedDecisionIsKeptAndNotDelivered(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	tally, err := b.desk.Decide(t.Context(), approval("1", "what was shown yesterday"))
	require.NoError(t, err)
	require.False(t, tally.Decision.Counted)
	require.Empty(t, b.workflow.updates)
	kept, err := b.ledger.DecisionsOf(t.Context(), 7)
	require.NoError(t, err)
	require.Len(t, kept, 1)
}

func TestDecisionFallsBackToTheSignal(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.workflow.updateErr = errors.New("no worker answers")
	_, err := b.desk.Decide(t.Context(), approval("1", "d"))
	require.NoError(t, err)
	require.Len(t, b.workflow.signals[workflows.SignalApprove], 1)
}

func TestDecisionIsDeliveredLater(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.workflow.updateErr, b.workflow.signalErr = errors.New("down"), errors.New("down")
	tally, err := b.desk.Decide(t.Context(), approval("1", "d"))
	require.NoError(t, err, "the decision is safe, so the person is not asked again")
	require.True(t, tally.Decision.Counted)

	told, err := b.desk.Deliver(t.Context())
	require.NoError(t, err)
	require.Zero(t, told)

	b.workflow.updateErr = nil
	told, err = b.desk.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, told)
	require.NoError(t, b.ledger.MarkDelivered(t.Context(), "1"))
	told, err = b.desk.Deliver(t.Context())
	require.NoError(t, err)
	require.Zero(t, told)
}

func TestResolve(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		prepare func(w *workflow)
		want    fault.Kind
		status  reward.Status
	}{
		"done":    {func(w *workflow) { w.resolved.Standing.Status = reward.Abandoned }, "", reward.Abandoned},
		"refused": {func(w *workflow) { w.resolved.Refusal = "not as it stands" }, fault.Conflict, reward.AwaitingApproval},
		"a busy moment": {func(w *workflow) {
			w.updateErr = temporal.NewNonRetryableApplicationError("try again", "conflict", nil)
		}, fault.Conflict, reward.AwaitingApproval},
		"no workflow": {func(w *workflow) { w.updateErr = serviceerror.NewNotFound("gone") }, fault.Unavailable, reward.AwaitingApproval},
		"no Temporal": {func(w *workflow) { w.updateErr = errors.New("no answer") }, fault.Unavailable, reward.AwaitingApproval},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := newBundle(t)
			tt.prepare(b.workflow)
			status, err := b.desk.Resolve(t.Context(), reward.Resolution{
				ID: "r1", RewardID: 7, Action: reward.ActionAbandon, By: "alice", Verified: true, Comment: "old", At: time.Now(),
			})
			require.Equal(t, tt.want, fault.KindOf(err))
			require.Equal(t, tt.status, status)
			kept, err := b.ledger.Resolution(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, "alice", kept.By)
		})
	}
}

func TestReleasedBrakeWakesWhatItHeld(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	require.NoError(t, b.ledger.Move(t.Context(), ledger.Transition{ID: 7, To: reward.Held, Reason: "the brake is on: audit"}))
	b.desk.BrakeChanged(t.Context())
	require.Len(t, b.workflow.signals[workflows.SignalNudge], 1)
}

func TestChangedPolicyIsAppliedToWhatWaits(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	owed := reward.Reward{ID: 7, Quantity: reward.Quantity{Amount: 3, Unit: reward.Credits}, Promoter: reward.Promoter{ID: 1}}
	for status, nudged := range map[reward.Status]int{reward.AwaitingApproval: 1, reward.Held: 1, reward.Quarantined: 0, reward.Attention: 0} {
		require.NoError(t, b.ledger.Assess(t.Context(), ledger.Assessment{
			Reward: owed, Verified: true, Status: status, Provider: "team", Digest: "d", PolicyVersion: "p-1", Approvals: 1,
		}, "policy"))
		b.workflow.signals = map[string][]any{}
		require.NoError(t, b.desk.PolicyChanged(t.Context(), "p-2"))
		require.Len(t, b.workflow.signals[workflows.SignalNudge], nudged, status)
		b.workflow.signals = map[string][]any{}
		require.NoError(t, b.desk.PolicyChanged(t.Context(), "p-1"))
		require.Empty(t, b.workflow.signals, "it was decided under this one")
	}
	require.NoError(t, b.ledger.Assess(t.Context(), ledger.Assessment{
		Reward: owed, Verified: true, Status: reward.Held, Provider: "team", PolicyVersion: "p-1",
	}, "policy"))
	b.workflow.signalErr = errors.New("down")
	require.ErrorContains(t, b.desk.PolicyChanged(t.Context(), "p-2"), "reward 7")
}

func TestManyDecisionsAreEachJudgedAndDelivered(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	unknown := approval("3", "d")
	unknown.RewardID = 8
	// A decision that is sent twice is one.
	tallies, errs := b.desk.DecideAll(t.Context(), []reward.Decision{approval("1", "stale"), approval("2", "d"), unknown, approval("2", "d")})
	require.NoError(t, errors.Join(errs[0], errs[1], errs[3]))
	require.Equal(t, fault.NotFound, fault.KindOf(errs[2]))
	require.False(t, tallies[0].Decision.Counted)
	require.True(t, tallies[1].Decision.Counted && tallies[3].Decision.Counted)
	require.NotEqual(t, tallies[1].Repeated, tallies[3].Repeated)
	b.workflow.mu.Lock()
	defer b.workflow.mu.Unlock()
	require.Len(t, b.workflow.updates, 2, "what does not count is not told, and telling twice is one update")
	require.Equal(t, "2", b.workflow.updates[0].UpdateID)
	require.Equal(t, "2", b.workflow.updates[1].UpdateID)
}

// Nobody is made to wait for each of many workflows that do not answer: after
// the first of them the others are left to be delivered later.
func TestManyDecisionsWaitForNoWorkflowInTurn(t *testing.T) {
	t.Parallel()

	b := newBundle(t)
	b.workflow.hangs = true
	var all []reward.Decision
	for i := range 40 {
		all = append(all, approval(fmt.Sprint(i), "d"))
		all[i].By = fmt.Sprint("person ", i)
	}
	b.ask(t, len(all))
	tallies, errs := b.desk.DecideAll(t.Context(), all)
	require.NoError(t, errors.Join(errs...))
	for _, tally := range tallies {
		require.True(t, tally.Decision.Counted)
	}
	require.EqualValues(t, 8, b.workflow.tried.Load())
	waiting, err := b.ledger.Undelivered(t.Context(), time.Now(), 100)
	require.NoError(t, err)
	require.Len(t, waiting, len(all))
}
