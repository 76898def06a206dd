package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/rewardflow/rewardflow/internal/engine"
	"github.com/rewardflow/rewardflow/internal/firstpromoter/simulator"
	"github.com/rewardflow/rewardflow/internal/reward"
	"github.com/rewardflow/rewardflow/workflows"
)

// token is the API token of an operator in these tests.
func token(name string) string { return "token-of-" + name + "-0123456789abcdef" }

// operators is the configuration of the operators with the given roles.
func operators(roles map[string]string) string {
	var b strings.Builder
	b.WriteString("operators:\n")
	for name, list := range roles {
		sum := sha256.Sum256([]byte(token(name)))
		fmt.Fprintf(&b, "  - {name: %s, token_sha256: %q, roles: [%s]}\n", name, hex.EncodeToString(sum[:]), list)
	}
	return b.String()
}

// signal sends a signal without any payload, as a person does who types
// temporal workflow signal.
func (w *world) signal(id reward.ID, name string) {
	w.t.Helper()
	_, err := w.client().WorkflowService().SignalWorkflowExecution(w.t.Context(), &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         engine.DefaultNamespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflows.FulfilmentID(id)},
		SignalName:        name,
	})
	require.NoError(w.t, err)
}

func TestSignalApprovePaysWithoutOperators(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {then: ask}"})
	id := w.send(months())
	w.await(soon, id, reward.AwaitingApproval, "")
	w.signal(id, workflows.SignalApprove)
	s := w.await(soon, id, reward.Fulfilled, "")
	w.requireOnce(id)
	require.Len(t, s.Decisions, 1)
	require.Equal(t, reward.Approve, s.Decisions[0].Decision)
	require.Equal(t, reward.LaneTemporal, s.Decisions[0].Lane)
	require.False(t, s.Decisions[0].Verified)
	require.True(t, s.Decisions[0].Counted)
}

func TestSignalApprovePaysNothingWithOperators(t *testing.T) {
	t.Parallel()

	w := running(t, settings{Policy: "  - {then: ask}", More: operators(map[string]string{"alice": "approver"})})
	id := w.send(months())
	w.await(soon, id, reward.AwaitingApproval, token("alice"))
	w.signal(id, workflows.SignalApprove)
	eventually(t, soon, func() (string, bool) {
		return "no decision is recorded", len(w.reward(id, token("alice")).Decisions) == 1
	})
	s := w.reward(id, token("alice"))
	require.Equal(t, reward.AwaitingApproval, s.Status)
	require.False(t, s.Decisions[0].Counted)
	require.False(t, s.Decisions[0].Verified)
	require.NotEmpty(t, s.Decisions[0].Refusal)
	require.Zero(t, s.Approvals)
	require.Empty(t, w.provider.Books().Effects)

	// The workflow still waits for somebody whose name is proven.
	require.Equal(t, http.StatusOK, w.decide(id, reward.Approve, token("alice")).status)
	w.await(soon, id, reward.Fulfilled, token("alice"))
	w.requireOnce(id)
}

func TestOperatorsAndRoles(t *testing.T) {
	t.Parallel()

	w := running(t, settings{
		Policy: "  - {when: 'unit == \"cash\"', then: ask, approvals: 2, role: finance}\n  - {then: ask}",
		More: operators(map[string]string{
			"alice": "approver, finance", "bob": "finance", "carol": "approver", "vera": "viewer", "olga": "operator", "adam": "admin",
		}),
	})
	alice, bob := token("alice"), token("bob")
	id := w.send(simulator.Spec{Amount: 12500, Unit: reward.Cash})
	s := w.await(soon, id, reward.AwaitingApproval, alice)
	require.Equal(t, reward.Quantity{Amount: 12500, Unit: reward.Cash, Currency: "USD"}, s.Quantity)
	require.Equal(t, 2, s.Needed)
	require.NotEmpty(t, s.Digest)

	t.Log("nobody comes in without a token")
	for _, wrong := range []string{"", "nobody's"} {
		for _, call := range [][2]string{
			{http.MethodGet, "/api/v1/rewards"},
			{http.MethodGet, rewardPath(id)},
			{http.MethodGet, "/api/v1/approvals"},
			{http.MethodGet, "/api/v1/summary"},
			{http.MethodGet, "/api/v1/brake"},
			{http.MethodPut, "/api/v1/brake"},
			{http.MethodPost, rewardPath(id) + "/decision"},
			{http.MethodPost, rewardPath(id) + "/resolve"},
		} {
			w.must(http.StatusUnauthorized, call[0], call[1], wrong, nil)
		}
	}

	t.Log("a role that does not decide does not decide")
	yes := map[string]any{"decision": "approve", "digest": s.Digest}
	w.must(http.StatusForbidden, http.MethodPost, rewardPath(id)+"/decision", token("vera"), yes)
	w.must(http.StatusForbidden, http.MethodPost, rewardPath(id)+"/decision", token("olga"), yes)
	w.must(http.StatusForbidden, http.MethodPost, rewardPath(id)+"/resolve", alice, map[string]any{"action": "retry"})
	w.must(http.StatusForbidden, http.MethodPut, "/api/v1/brake", alice, map[string]any{"scope": "all", "paused": true, "reason": "x"})
	w.must(http.StatusConflict, http.MethodPost, rewardPath(id)+"/decision", token("carol"), yes)
	w.must(http.StatusConflict, http.MethodPost, rewardPath(id)+"/decision", token("adam"), yes)

	t.Log("only what was shown is decided")
	w.must(http.StatusConflict, http.MethodPost, rewardPath(id)+"/decision", bob,
		map[string]any{"decision": "approve", "digest": strings.Repeat("0", 32)})
	w.must(http.StatusBadRequest, http.MethodPost, rewardPath(id)+"/decision", bob, map[string]any{"decision": "approve"})

	t.Log("two people, and not one person twice")
	require.Equal(t, 1, w.waiting(alice))
	w.must(http.StatusOK, http.MethodPost, rewardPath(id)+"/decision", alice, yes)
	require.Zero(t, w.waiting(alice), "alice is not asked again")
	require.Equal(t, 1, w.waiting(bob))
	w.must(http.StatusConflict, http.MethodPost, rewardPath(id)+"/decision", alice, yes)
	require.Empty(t, w.provider.Books().Effects, "one approval of two pays nothing")
	w.must(http.StatusOK, http.MethodPost, rewardPath(id)+"/decision", bob, yes)

	s = w.await(soon, id, reward.Fulfilled, token("vera"))
	w.requireOnce(id)
	require.Empty(t, s.WaitingFor)
	w.must(http.StatusConflict, http.MethodPost, rewardPath(id)+"/decision", bob, yes)

	t.Log("everything is on record, refusals too")
	var counted, refused []string
	for _, d := range w.reward(id, token("vera")).Decisions {
		require.True(t, d.Verified)
		require.Equal(t, reward.LaneAPI, d.Lane)
		require.Equal(t, d.Counted, d.Refusal == "", "a refusal has a reason: %+v", d)
		if d.Counted {
			counted = append(counted, d.By)
		} else {
			refused = append(refused, d.By)
		}
	}
	require.Equal(t, []string{"alice", "bob"}, counted)
	require.Equal(t, []string{"carol", "adam", "bob", "alice", "bob"}, refused)
}

// waiting returns how many rewards wait for the decision of whoever has the token.
func (w *world) waiting(token string) int {
	w.t.Helper()
	var page struct {
		Approvals []shown `json:"approvals"`
	}
	w.must(http.StatusOK, http.MethodGet, "/api/v1/approvals", token, nil).into(w, &page)
	return len(page.Approvals)
}
