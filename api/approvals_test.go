package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func TestApprovalsShowWhatTheCallerMayDecide(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	rows := map[reward.ID]struct {
		status    reward.Status
		approvals int
		role      string
		excluded  []string
		tally     ledger.Tally
		decided   []ledger.Recorded
	}{
		10: {status: reward.AwaitingApproval, approvals: 1, excluded: []string{"Finance "}},
		9:  {status: reward.AwaitingApproval, approvals: 2, role: "finance"},
		8:  {status: reward.AwaitingApproval, approvals: 1},
		7:  {status: reward.Held, approvals: 1, role: "approver"},
		6:  {status: reward.Held}, // By the brake, or a rule's hold that asks nobody.
		5:  {status: reward.Held, approvals: 1, tally: ledger.Tally{Approved: true, Approvals: 1}},
		4:  {status: reward.AwaitingApproval, approvals: 2, decided: []ledger.Recorded{decided("Approver", "d1", true)}},
		3:  {status: reward.AwaitingApproval, approvals: 2, decided: []ledger.Recorded{decided("approver", "older", true)}},
		2:  {status: reward.AwaitingApproval, approvals: 2, decided: []ledger.Recorded{decided("approver", "d1", false)}},
		1:  {status: reward.Held, approvals: 1, tally: ledger.Tally{Rejected: true}},
	}
	var all []ledger.Record
	for id := reward.ID(len(rows)); id >= 1; id-- {
		r := record(id, rows[id].status)
		r.Approvals, r.Role, r.Excluded = rows[id].approvals, rows[id].role, rows[id].excluded
		all = append(all, r)
	}
	a.ledger.list = func(f ledger.Filter) ([]ledger.Record, error) {
		require.Equal(t, []reward.Status{reward.AwaitingApproval, reward.Held}, f.Statuses)
		return pageOf(all, f), nil
	}
	a.ledger.tally = func(id reward.ID) (ledger.Tally, error) {
		tally := rows[id].tally
		tally.Needed = rows[id].approvals
		return tally, nil
	}
	a.ledger.decisions = func(id reward.ID) ([]ledger.Recorded, error) { return rows[id].decided, nil }

	for who, want := range map[string][]reward.ID{
		"approver": {10, 8, 7, 3, 2},
		"finance":  {9, 8, 4, 3, 2},
		"admin":    {},
		"viewer":   {},
		"operator": {},
	} {
		require.Equal(t, want, approvalsOf(t, a, "", bearer(token(who))), who)
		if len(want) > 0 {
			require.Equal(t, want, approvalsOf(t, a, "limit=1", bearer(token(who))), who)
			require.Equal(t, want, approvalsOf(t, a, "limit=2", bearer(token(who))), who)
		}
	}
	rec := a.do(t, http.MethodGet, "/api/v1/approvals?limit=1", "", bearer(token("finance")))
	require.Contains(t, rec.Body.String(), `"digest":"d1"`)
	require.Contains(t, rec.Body.String(), `"role":"finance","approvals":0,"needed":2`)
	require.Equal(t, http.StatusBadRequest, a.do(t, http.MethodGet, "/api/v1/approvals?status=held", "", bearer(token("finance"))).Code)
}

// A caller's own may stand behind many pages of other people's.
func TestApprovalsLookBeyondTheFirstPage(t *testing.T) {
	t.Parallel()

	a := newAPITest(t, withOperators)
	all := make([]ledger.Record, 0, 1201)
	for id := reward.ID(1201); id >= 1; id-- {
		r := record(id, reward.AwaitingApproval)
		r.Approvals, r.Role = 1, "approver"
		if id == 1 {
			r.Role = "finance"
		}
		all = append(all, r)
	}
	a.ledger.list = func(f ledger.Filter) ([]ledger.Record, error) { return pageOf(all, f), nil }
	require.Equal(t, []reward.ID{1}, approvalsOf(t, a, "", bearer(token("finance"))))
}

// approvalsOf follows the pages to their end.
func approvalsOf(t *testing.T, a *apiTest, query string, edits ...func(*http.Request)) []reward.ID {
	t.Helper()
	ids := []reward.ID{}
	cursor := ""
	for {
		rec := a.do(t, http.MethodGet, fmt.Sprintf("/api/v1/approvals?%s&cursor=%s", query, cursor), "", edits...)
		require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
		got := decode[struct {
			Approvals []struct {
				ID reward.ID `json:"id"`
			} `json:"approvals"`
			NextCursor string `json:"next_cursor"`
		}](t, rec)
		if limit, ok := strings.CutPrefix(query, "limit="); ok {
			require.LessOrEqual(t, fmt.Sprint(len(got.Approvals)), limit)
		}
		for _, item := range got.Approvals {
			ids = append(ids, item.ID)
		}
		if cursor = got.NextCursor; cursor == "" {
			return ids
		}
	}
}

func decided(by string, digest reward.Digest, counted bool) ledger.Recorded {
	return ledger.Recorded{Decision: reward.Decision{By: by, Digest: digest, Verdict: reward.Approve}, Counted: counted}
}
