package callback_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rewardflow/rewardflow/internal/callback"
	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/ledger/sqlite"
	"github.com/rewardflow/rewardflow/internal/payout"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// caller is a provider that signs its callbacks with the word "genuine".
type caller struct{ payout.Provider }

func (caller) Heard(header func(string) string, body []byte) (string, error) {
	if header("signature") != "genuine" {
		return "", fault.New(fault.Denied, "caller", "not signed")
	}
	return string(body), nil
}

// temporal hears what is asked of it, and may be down.
type temporal struct {
	mu      sync.Mutex
	nudged  []string
	started []client.StartWorkflowOptions
	inputs  []any
	down    error
}

func (c *temporal) SignalWorkflow(_ context.Context, workflowID, _, signal string, _ any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nudged = append(c.nudged, workflowID+" "+signal)
	return c.down
}

func (c *temporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = append(c.started, o)
	c.inputs = append(c.inputs, args...)
	return nil, c.down
}

type scene struct {
	t         *testing.T
	ledger    *sqlite.Ledger
	temporal  *temporal
	callbacks *callback.Callbacks
}

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func newScene(t *testing.T) *scene {
	t.Helper()
	l, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: noon})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	s := &scene{t: t, ledger: l, temporal: &temporal{}}
	s.callbacks = callback.New(callback.Config{
		Providers: map[string]payout.Provider{"team": caller{}, "people": nil},
		TaskQueue: "queue", Logger: slog.New(slog.DiscardHandler), Now: noon,
	}, l, s.temporal)
	return s
}

// paying brings a reward to a payout whose attempt came to out.
func (s *scene) paying(id reward.ID, provider string, out payout.Outcome) {
	s.t.Helper()
	r := reward.Reward{ID: id, Quantity: reward.Quantity{Amount: 3, Unit: reward.FreeMonths}, Promoter: reward.Promoter{ID: 7}}
	_, err := s.ledger.Accept(s.t.Context(), ledger.Event{
		Type: "fulfilment_pending", Dedupe: id.String(), Reward: &ledger.Claimed{Reward: r},
	}, time.Hour)
	require.NoError(s.t, err)
	require.NoError(s.t, s.ledger.Assess(s.t.Context(), ledger.Assessment{
		Reward: r, Verified: true, Status: reward.Approved, Provider: provider,
	}, "policy"))
	_, err = s.ledger.Reserve(s.t.Context(), ledger.Reservation{
		RewardID: id, Provider: provider, Quantity: r.Quantity, Request: payout.Request{Key: payout.Key(id, 1)}, At: noon(),
	})
	require.NoError(s.t, err)
	claim, err := s.ledger.Claim(s.t.Context(), id, ledger.Caps{}, noon(), noon().Add(time.Minute))
	require.NoError(s.t, err)
	_, err = s.ledger.Finish(s.t.Context(), claim.Attempt, out)
	require.NoError(s.t, err)
}

func (s *scene) take(provider, signature, key string) error {
	return s.callbacks.Take(s.t.Context(), provider, func(string) string { return signature }, []byte(key))
}

func (s *scene) payout(id reward.ID) ledger.Payout {
	s.t.Helper()
	p, err := s.ledger.Payout(s.t.Context(), id)
	require.NoError(s.t, err)
	return p
}

func settling() payout.Outcome { return payout.Outcome{Class: payout.ClassAccepted, Reference: "r1"} }

func settled() payout.Outcome {
	return payout.Outcome{Class: payout.ClassAccepted, Settled: true, Reference: "r1"}
}

func TestCallbackHastensAPoll(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	s.paying(1, "team", settling())
	s.paying(2, "team", payout.Outcome{})
	for _, id := range []reward.ID{1, 2} {
		before := s.payout(id)
		require.NoError(t, s.take("team", "genuine", payout.Key(id, 1)))
		require.Equal(t, before, s.payout(id), "a callback decides nothing")
	}
	require.Equal(t, []string{"fulfilment-1 nudge", "fulfilment-2 nudge"}, s.temporal.nudged)
	require.Empty(t, s.temporal.started)
}

func TestCallbackAboutWhatIsPaid(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	s.paying(1, "team", settled())
	require.NoError(t, s.take("team", "genuine", payout.Key(1, 1)))
	require.Equal(t, payout.Paid, s.payout(1).State)
	require.Equal(t, noon(), s.payout(1).NextLook, "it is due, whatever becomes of the start")
	require.Len(t, s.temporal.started, 1)
	require.Equal(t, "reconciliation-1", s.temporal.started[0].ID)
	require.Equal(t, "queue", s.temporal.started[0].TaskQueue)
	require.Equal(t, []any{workflows.ReconciliationInput{RewardID: 1}}, s.temporal.inputs)
}

func TestCallbackAboutWhatIsOver(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	s.paying(1, "team", payout.Outcome{Class: payout.ClassRefused})
	s.paying(2, "team", payout.Outcome{Class: payout.ClassConflict})
	require.NoError(t, s.take("team", "genuine", payout.Key(1, 1)))
	require.NoError(t, s.take("team", "genuine", payout.Key(2, 1)))
	require.Empty(t, s.temporal.nudged)
	require.Empty(t, s.temporal.started)
}

func TestCallbackWhileTemporalIsDown(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	s.temporal.down = errors.New("no answer")
	s.paying(1, "team", settled())
	s.paying(2, "team", payout.Outcome{Class: payout.ClassAccepted, Reference: "r2"})
	require.NoError(t, s.take("team", "genuine", payout.Key(1, 1)))
	require.NoError(t, s.take("team", "genuine", payout.Key(2, 1)))
	require.Equal(t, noon(), s.payout(1).NextLook)
}

func TestCallbackIsRefused(t *testing.T) {
	t.Parallel()

	s := newScene(t)
	s.paying(1, "team", settled())
	s.paying(2, "people", settled())
	tests := map[string]struct {
		provider, signature, key string
		kind                     fault.Kind
	}{
		"a forged signature":            {"team", "forged", payout.Key(1, 1), fault.Denied},
		"a provider that is not there":  {"teem", "genuine", payout.Key(1, 1), fault.Denied},
		"a provider that cannot call":   {"people", "genuine", payout.Key(2, 1), fault.Denied},
		"a key that nobody has":         {"team", "genuine", payout.Key(9, 1), fault.NotFound},
		"a key of another provider":     {"team", "genuine", payout.Key(2, 1), fault.NotFound},
		"the key of another generation": {"team", "genuine", payout.Key(1, 2), fault.NotFound},
	}
	for name, tc := range tests {
		err := s.take(tc.provider, tc.signature, tc.key)
		require.Equal(t, tc.kind, fault.KindOf(err), name)
	}
	require.Empty(t, s.temporal.nudged)
	require.Empty(t, s.temporal.started)
	require.Equal(t, noon().Add(ledger.FirstLook), s.payout(1).NextLook)
}
