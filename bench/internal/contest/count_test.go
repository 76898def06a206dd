package contest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rewardflow/rewardflow/bench/internal/doubles"
)

// TestCount gives the oracle one reward of each kind.
func TestCount(t *testing.T) {
	t.Parallel()

	last := time.Now()
	k := count(map[int64]doubles.Account{
		1: {Effects: 1, Completions: 1, CompletedAt: last.Add(-time.Hour)},
		2: {Effects: 1, Completions: 1, CompletedAt: last.Add(3 * time.Second), Again: 2},
		3: {Effects: 2, Completions: 2, CompletedAt: last.Add(time.Second), Again: 1},
		4: {Effects: 1},
		5: {},
	}, last, time.Minute)
	require.Equal(t, Kills{
		Rewards: 5, PaidTwice: 1, SentAgain: 3, ClosedTwice: 1, Lost: 2, Serving: time.Minute, Recovered: 3 * time.Second,
	}, k)
}

func TestScheduleIsTheSameForAll(t *testing.T) {
	t.Parallel()

	blows := schedule(7, 6, 20)
	require.Equal(t, blows, schedule(7, 6, 20))
	require.NotEqual(t, blows, schedule(8, 6, 20))
	calls := 0
	for i, b := range blows {
		if b.call > 0 {
			calls++
			require.LessOrEqual(t, b.call, 40)
		}
		require.Equal(t, i == 2, b.call == 0, "blow %d", i)
	}
	require.Equal(t, 5, calls)
}

func TestBilled(t *testing.T) {
	t.Parallel()

	marker := func(task int64) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_MARKER_RECORDED,
			Attributes: &historypb.HistoryEvent_MarkerRecordedEventAttributes{
				MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{WorkflowTaskCompletedEventId: task},
			},
		}
	}
	activity := func(attempt int32) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
			Attributes: &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
				ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{Attempt: attempt},
			},
		}
	}
	plain := func(kind enumspb.EventType) *historypb.HistoryEvent { return &historypb.HistoryEvent{EventType: kind} }

	require.Equal(t, 2, billed([]*historypb.HistoryEvent{
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED), plain(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED), marker(4), marker(4),
	}), "markers of one task are one action")
	require.Equal(t, 1+1+3+2+1, billed([]*historypb.HistoryEvent{
		plain(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED), activity(1), activity(3), marker(4), marker(9), plain(enumspb.EVENT_TYPE_TIMER_STARTED),
	}))
}
