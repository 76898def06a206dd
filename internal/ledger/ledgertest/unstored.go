package ledgertest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rewardflow/rewardflow/internal/fault"
	"github.com/rewardflow/rewardflow/internal/ledger"
	"github.com/rewardflow/rewardflow/internal/reward"
)

func unstoredChecks() []check {
	return []check{
		{"CountsAddUp", unstoredCountsAddUp},
		{"FiltersAndOrder", unstoredFilters},
		{"OldCountsAreDropped", unstoredIsBounded},
		{"BudgetOfAReward", budgetOfAReward},
		{"ErrorsCountForADay", budgetOfADay},
		{"OnlyErrorsSpend", onlyErrorsSpend},
		{"NoticeBeforeItIsUsedUp", budgetNotice},
	}
}

// notStored is n answers of 503 to the event that asks for a reward, now.
func (b *bundle) notStored(id reward.ID, n int) ledger.Unstored {
	now := b.clock.Now()
	return ledger.Unstored{
		Hour: now.Truncate(time.Hour), Answer: http.StatusServiceUnavailable, Reason: ledger.ReasonNotStored,
		Type: "fulfilment_pending", RewardID: id, Count: n, FirstAt: now, LastAt: now,
	}
}

func (b *bundle) addUnstored(t *testing.T, counts ...ledger.Unstored) {
	t.Helper()
	require.NoError(t, b.AddUnstored(b.ctx, counts))
}

func (b *bundle) requireBudget(t *testing.T, id reward.ID, want ledger.Budget) {
	t.Helper()
	got, err := b.RetryBudget(b.ctx, id)
	require.NoError(t, err)
	want.RewardID = id
	require.Equal(t, want, got)
}

func unstoredCountsAddUp(t *testing.T, b *bundle) {
	b.addUnstored(t)
	first := b.notStored(7, 2)
	b.addUnstored(t, first)
	b.clock.advance(30 * time.Second)
	second := b.notStored(7, 1)
	b.addUnstored(t, second, b.notStored(8, 1))

	listed, err := b.ListUnstored(b.ctx, ledger.LogFilter{})
	require.NoError(t, err)
	require.Len(t, listed, 2)
	want := first
	want.Count, want.LastAt = 3, second.LastAt
	require.Contains(t, listed, want)
}

func unstoredFilters(t *testing.T, b *bundle) {
	now := b.clock.Now()
	refused := ledger.Unstored{
		Hour: now.Truncate(time.Hour), Answer: http.StatusUnauthorized, Reason: ledger.ReasonUnauthenticated,
		Type: ledger.UnreadType, Count: 900, FirstAt: now, LastAt: now,
	}
	b.addUnstored(t, refused)
	b.clock.advance(2 * time.Hour)
	later := b.notStored(7, 1)
	b.addUnstored(t, later)
	for name, row := range map[string]struct {
		filter ledger.LogFilter
		want   []ledger.Unstored
	}{
		"all, newest first": {ledger.LogFilter{}, []ledger.Unstored{later, refused}},
		"limit":             {ledger.LogFilter{Limit: 1}, []ledger.Unstored{later}},
		"answer":            {ledger.LogFilter{Answer: http.StatusUnauthorized}, []ledger.Unstored{refused}},
		"type":              {ledger.LogFilter{Type: "fulfilment_pending"}, []ledger.Unstored{later}},
		"from":              {ledger.LogFilter{From: start().Add(time.Hour)}, []ledger.Unstored{later}},
		"to":                {ledger.LogFilter{To: start().Add(time.Hour)}, []ledger.Unstored{refused}},
	} {
		listed, err := b.ListUnstored(b.ctx, row.filter)
		require.NoError(t, err)
		require.Equal(t, row.want, listed, name)
	}
}

func unstoredIsBounded(t *testing.T, b *bundle) {
	b.addUnstored(t, b.notStored(7, 1))
	b.clock.advance(ledger.UnstoredKept + time.Hour)
	b.addUnstored(t, b.notStored(8, 1))
	listed, err := b.ListUnstored(b.ctx, ledger.LogFilter{})
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.Equal(t, reward.ID(8), listed[0].RewardID)
}

func budgetOfAReward(t *testing.T, b *bundle) {
	b.requireBudget(t, 7, ledger.Budget{})
	b.addUnstored(t, b.notStored(7, 2), b.notStored(8, 1))
	b.requireBudget(t, 7, ledger.Budget{Spent: 2, LastError: start(), Open: true})
	open, err := b.OpenBudgets(b.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []ledger.Budget{{RewardID: 7, Spent: 2, LastError: start(), Open: true}}, open)

	b.clock.advance(time.Second)
	b.accept(t, pending(7, 1))
	b.requireBudget(t, 7, ledger.Budget{Spent: 2, LastError: start()})
	open, err = b.OpenBudgets(b.ctx, 10)
	require.NoError(t, err)
	require.Equal(t, []ledger.Budget{{RewardID: 8, Spent: 1, LastError: start(), Open: true}}, open,
		"what is stored is not sent again")

	b.clock.advance(time.Second)
	b.addUnstored(t, b.notStored(7, 1))
	b.requireBudget(t, 7, ledger.Budget{Spent: 3, LastError: start().Add(2 * time.Second), Open: true})
}

func budgetOfADay(t *testing.T, b *bundle) {
	b.addUnstored(t, b.notStored(7, 3))
	b.clock.advance(23 * time.Hour)
	b.addUnstored(t, b.notStored(7, 1))
	b.requireBudget(t, 7, ledger.Budget{Spent: 4, LastError: b.clock.Now(), Open: true})
	last := b.clock.Now()
	b.clock.advance(time.Hour)
	b.requireBudget(t, 7, ledger.Budget{Spent: 1, LastError: last, Open: true})
	b.clock.advance(24 * time.Hour)
	b.requireBudget(t, 7, ledger.Budget{})
}

func onlyErrorsSpend(t *testing.T, b *bundle) {
	ours := b.notStored(7, 5)
	ours.Answer, ours.Reason = http.StatusAccepted, ledger.ReasonOurs
	b.addUnstored(t, ours)
	b.requireBudget(t, 7, ledger.Budget{})
	require.Empty(t, b.notices(t))
}

func budgetNotice(t *testing.T, b *bundle) {
	b.addUnstored(t, b.notStored(7, 3))
	require.Empty(t, b.notices(t), "three are not four")
	for range 3 {
		b.addUnstored(t, b.notStored(7, 1))
	}
	notices := b.notices(t)
	require.Len(t, notices, 1, "people are told once")
	require.Equal(t, ledger.RetryBudgetNotice, notices[0].Type)
	require.Contains(t, string(notices[0].Body), `"reward_id":7`)
	require.Contains(t, string(notices[0].Body), "4 of the 7 errors")
	_, err := b.Reward(b.ctx, 7)
	require.Equal(t, fault.NotFound, fault.KindOf(err), "the reward itself was never stored")

	b.accept(t, pending(8, 1))
	b.addUnstored(t, b.notStored(8, 7))
	require.Empty(t, b.notices(t), "its event is stored: it is not sent again")
	b.clock.advance(24 * time.Hour)
	b.addUnstored(t, b.notStored(7, 5))
	notices = b.notices(t) // The first one's lease is over, too.
	require.Len(t, notices, 2, "another day is told anew")
	require.NotEqual(t, notices[0].EventID, notices[1].EventID)
}
