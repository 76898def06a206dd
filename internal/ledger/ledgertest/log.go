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

func logChecks() []check {
	return []check{
		{"ShowsWhatCameAndWhatWasAnswered", logShowsWhatCame},
		{"ListsNewestFirstByPages", logListsByPages},
		{"Filters", logFilters},
		{"ShowsInternalEvents", logShowsInternalEvents},
		{"UnknownEventIsNotFound", logUnknownEvent},
	}
}

// other is the nth event of a type that asks for no reward.
func other(kind, id string) ledger.Event {
	return ledger.Event{Type: kind, Dedupe: id, EventID: id, Body: []byte(`{"event":{"type":"` + kind + `"}}`), Dispatch: true}
}

func logShowsWhatCame(t *testing.T, b *bundle) {
	receipt := b.accept(t, pending(7, 1))
	b.clock.advance(time.Minute)
	b.accept(t, pending(7, 1))
	b.clock.advance(time.Minute)
	require.NoError(t, b.MarkDispatched(b.ctx, []ledger.Dispatched{{Inbox: receipt.Inbox, WorkflowID: "fulfilment-7"}}))

	want := ledger.Logged{
		Inbox: receipt.Inbox, Type: "fulfilment_pending", EventID: "7001", RewardID: 7, Known: true, AcceptedAt: start(),
		Deliveries: 2, Answer: http.StatusAccepted, AnsweredAt: start().Add(time.Minute),
		DispatchedAt: start().Add(2 * time.Minute), WorkflowID: "fulfilment-7",
	}
	listed, err := b.ListEvents(b.ctx, ledger.LogFilter{})
	require.NoError(t, err)
	require.Equal(t, []ledger.Logged{want}, listed)

	file, err := b.EventFile(b.ctx, receipt.Inbox)
	require.NoError(t, err)
	require.Equal(t, want, file.Logged)
	require.Equal(t, pending(7, 1).Body, file.Body)
	require.Equal(t, []ledger.Answered{
		{At: start(), Answer: http.StatusAccepted},
		{At: start().Add(time.Minute), Answer: http.StatusAccepted, Duplicate: true},
	}, file.Answers)
	require.Empty(t, file.Replays)
}

func logListsByPages(t *testing.T, b *bundle) {
	var want []int64
	for n := range 7 {
		if n%2 == 0 {
			b.clock.advance(time.Second) // Two share each moment.
		}
		want = append([]int64{b.accept(t, pending(reward.ID(n+1), 1)).Inbox}, want...)
	}
	var got []int64
	f := ledger.LogFilter{Limit: 3}
	for {
		page, err := b.ListEvents(b.ctx, f)
		require.NoError(t, err)
		for _, e := range page {
			got = append(got, e.Inbox)
		}
		if len(page) < f.Limit {
			break
		}
		last := page[len(page)-1]
		f.Before = ledger.LogCursor{AcceptedAt: last.AcceptedAt, Inbox: last.Inbox}
	}
	require.Equal(t, want, got)
}

func logFilters(t *testing.T, b *bundle) {
	b.paid(t, 1)
	signup := b.accept(t, other("lead_signup", "5"))
	b.clock.advance(time.Hour)
	unknown := other("something_new", "6")
	unknown.Dispatch = false
	later := b.accept(t, unknown)
	closed := b.accept(t, pending(1, 2))
	require.True(t, closed.ClosedByAnswer)

	for name, row := range map[string]struct {
		filter ledger.LogFilter
		want   []int64
	}{
		"type":              {ledger.LogFilter{Type: "lead_signup"}, []int64{signup.Inbox}},
		"type that is not":  {ledger.LogFilter{Type: "lead_cancelled"}, nil},
		"answer 200":        {ledger.LogFilter{Answer: http.StatusOK}, []int64{closed.Inbox}},
		"answer 202":        {ledger.LogFilter{Answer: http.StatusAccepted, From: start().Add(time.Minute)}, []int64{later.Inbox}},
		"from, inclusive":   {ledger.LogFilter{From: start().Add(time.Hour)}, []int64{closed.Inbox, later.Inbox}},
		"to, exclusive":     {ledger.LogFilter{Type: "something_new", To: start().Add(time.Hour)}, nil},
		"to, a moment more": {ledger.LogFilter{Type: "something_new", To: start().Add(time.Hour + time.Millisecond)}, []int64{later.Inbox}},
	} {
		listed, err := b.ListEvents(b.ctx, row.filter)
		require.NoError(t, err)
		var got []int64
		for _, e := range listed {
			got = append(got, e.Inbox)
		}
		require.Equal(t, row.want, got, name)
	}
	file, err := b.EventFile(b.ctx, later.Inbox)
	require.NoError(t, err)
	require.False(t, file.Known)
}

func logShowsInternalEvents(t *testing.T, b *bundle) {
	b.accept(t, pending(7, 1))
	require.NoError(t, b.Move(b.ctx, ledger.Transition{ID: 7, To: reward.Attention, Reason: "no", Actor: "test", Notify: "reward_attention"}))
	listed, err := b.ListEvents(b.ctx, ledger.LogFilter{Type: "reward_attention"})
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.True(t, listed[0].Internal)
	require.Zero(t, listed[0].Answer)
}

func logUnknownEvent(t *testing.T, b *bundle) {
	_, err := b.EventFile(b.ctx, 12)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = b.Replay(b.ctx, 12, ledger.Order{By: "olga"})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.Equal(t, fault.NotFound, fault.KindOf(b.FinishReplay(b.ctx, 12, "", "")))
	require.Equal(t, fault.NotFound, fault.KindOf(b.PostponeReplay(b.ctx, 12, 0)))
}
